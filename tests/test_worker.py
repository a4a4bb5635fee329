"""A worker whose models are at endpoints: what it needs installed, and how little that is.

`python -m tests.test_worker` writes deploy/requirements-worker.txt anew, from constraints.txt.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.endpoint_server import EndpointServer
from tests.listed_only import named
from tests.postgres_server import PostgresServer
from tests.slack_server import APP_TOKEN, BOT_TOKEN, SlackServer, event, mention

ROOT = Path(__file__).parent.parent
LIST = ROOT / "deploy" / "requirements-worker.txt"
MODELS = {"gguf", "scikit-learn", "sentence-transformers", "torch", "transformers"}
"""What runs models or makes them: a worker asks endpoints instead."""

EXTRAS = ("encryption", "postgres")
"""What several workers share is kept there, and their backups may be for some alone."""

HEAD = """\
# What a worker needs that asks endpoints for all its models: no torch. Whimbrel itself is installed
# beside it with --no-deps. Versions are those of constraints.txt; `python -m tests.test_worker`
# writes this file.
"""
MOST_MB = 250


def wanted() -> str:
    """The list as it should be: what the dependencies need on Linux, and theirs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    versions = dict(pin.split("==") for pin in pins if not pin.startswith("#"))
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for name in EXTRAS for line in extras.get(name, ()))]
    own = [line for line in map(Requirement, lines) if named(line.name) not in MODELS]
    waiting, found = list(filter(_counts, own)), set[str]()
    while waiting:
        requirement = waiting.pop()
        if (name := named(requirement.name)) not in found:
            found.add(name)
            theirs = map(Requirement, requires(name) or ())
            waiting += (line for line in theirs if _counts(line, requirement.extras))
    return HEAD + "".join(f"{name}=={versions[name]}\n" for name in sorted(found))


def _counts(requirement: Requirement, extras: Collection[str] = ()) -> bool:
    """Whether it is wanted on Linux, with these extras of whatever requires it."""
    linux = {"sys_platform": "linux", "platform_system": "Linux"}
    marker = requirement.marker
    return marker is None or any(marker.evaluate(linux | {"extra": e}) for e in ("", *extras))


class Worker:
    """The program with nothing but the list, its models at an endpoint, Slack on localhost."""

    def __init__(self, home: Path, settings: Mapping[str, str], *, listed: Path = LIST) -> None:
        self.command = [sys.executable, "-P", str(ROOT / "tests" / "listed_only.py"), str(listed)]
        self.environment = os.environ | {"WHIMBREL_HOME": str(home)} | dict(settings)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own program
            [*self.command, *arguments], env=self.environment, capture_output=True, text=True
        )


@pytest.fixture
def endpoint() -> Iterator[EndpointServer]:
    with EndpointServer("There are 26 days [1].") as server:
        server.dimension = 8
        yield server


def peak_mb(pid: int) -> float:
    """The most memory that a process had resident; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def at(endpoint: EndpointServer) -> dict[str, str]:
    roles = ("embedder", "generator", "reranker")
    return {f"WHIMBREL_{role}".upper(): f"{endpoint.url}/v1#{role}" for role in roles}


def test_the_list_is_what_the_dependencies_need_without_model_libraries() -> None:
    assert LIST.read_text() == wanted()


@pytest.mark.slow
async def test_a_worker_answers_with_nothing_but_the_list_and_little_memory(
    tmp_path: Path, endpoint: EndpointServer
) -> None:
    (tmp_path / "leave.md").write_text("# Leave\n\nEverybody has 26 days of annual leave a year.\n")
    async with SlackServer() as slack:
        slack.channels["C1"] = {"is_channel": True}
        settings = {"SLACK_HEALTH_PORT": "0", "WHIMBREL_THRESHOLD": "0", **at(endpoint)}
        worker = Worker(tmp_path / "home", settings | {"SLACK_API_URL": slack.api_url})
        indexed = await asyncio.to_thread(worker.run, "index", str(tmp_path / "leave.md"))
        assert indexed.returncode == 0, indexed.stderr
        worker.environment |= {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN}
        serving = subprocess.Popen([*worker.command, "serve"], env=worker.environment)  # noqa: S603, ASYNC220 - ours, and it is not waited for
        try:
            await slack.until(lambda: slack.connections > 0)
            await slack.deliver(event(mention("How many days of leave?", ts="1.1"), "Ev1"))
            await slack.until(lambda: any("26 days" in str(said) for said in slack.posted("C1")))
            assert peak_mb(serving.pid) < MOST_MB
        finally:
            serving.terminate()
            await asyncio.to_thread(serving.wait)
    assert len(endpoint.asked) == 1


@pytest.mark.slow
def test_workers_keep_all_in_postgres_and_encrypt_backups_with_nothing_but_the_list(
    tmp_path: Path, endpoint: EndpointServer, postgres: PostgresServer, index_address: str
) -> None:
    (tmp_path / "leave.md").write_text("# Leave\n\nEverybody has 26 days of annual leave a year.\n")
    database = postgres.fresh()
    shared = {"WHIMBREL_INDEX": index_address, "WHIMBREL_DATABASE": database, **at(endpoint)}
    worker = Worker(tmp_path / "home", shared)
    pyrage = pytest.importorskip("pyrage")
    key = str(pyrage.x25519.Identity.generate().to_public())
    for command in (
        ("index", str(tmp_path / "leave.md")),
        ("keys", "create", "intranet"),
        ("backup", "--recipient", key, str(tmp_path / "backup.age")),
    ):
        done = worker.run(*command)
        assert done.returncode == 0, done.stderr
    postgres.drop(database)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "told"),
    [("", "set WHIMBREL_EMBEDDER to an endpoint"), ("selectolax", "this needs selectolax")],
)
def test_what_is_not_installed_is_told_in_one_line(tmp_path: Path, missing: str, told: str) -> None:
    pins = [pin for pin in LIST.read_text().splitlines() if named(pin) != missing]
    (listed := tmp_path / "list.txt").write_text("\n".join(pins))
    worker = Worker(tmp_path, {"WHIMBREL_EMBEDDER": "multilingual-e5-small"}, listed=listed)
    said = worker.run("index", str(ROOT / "examples" / "handbook"))
    assert said.returncode == 1
    (line,) = said.stderr.splitlines()
    assert "not installed here" in line
    assert told in line


def main() -> None:
    LIST.write_text(wanted())


if __name__ == "__main__":
    main()
