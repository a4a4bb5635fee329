from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.workspaces.commands import workspaces
from bot.workspaces.places import Place
from retrieval.cli import PROGRAM
from retrieval.errors import BusyError, DataError, SettingsError
from retrieval.registry.folders import building
from tests.bot.workspaces.conftest import HOST, Company
from tests.conftest import unpacked
from tests.slack_installs import CLIENT_ID, CLIENT_SECRET
from tests.slack_server import SECRET, WAIT_S, event, mention

LOADING_S = 3 * WAIT_S
"""A program that loads models is waited for longer."""
ROOT = Path(__file__).parents[3]
QUIT = """
import asyncio
from bot.serving import Serving, run_until_stopped

class Nothing(Serving):
    async def _start(self, stack):
        stack.callback(print, "ended")

asyncio.run(run_until_stopped(Nothing(), until_input_ends=True))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    settings = {
        "SLACK_CLIENT_ID": CLIENT_ID,
        "SLACK_CLIENT_SECRET": CLIENT_SECRET,
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_HEALTH_PORT": "0",
        "WHIMBREL_HOME": str(tmp_path / "home"),
        "WHIMBREL_GENERATOR": "none",
        "PYTHONPATH": str(ROOT),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "home"


@pytest.fixture
async def served(
    home: Path, company: Company, models_home: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Company]:
    """`whimbrel workspaces serve`, as it is."""
    embedder = unpacked("multilingual-e5-small", models_home)
    monkeypatch.setenv("WHIMBREL_EMBEDDER", str(embedder))
    monkeypatch.setenv("SLACK_API_URL", company.slack.api_url)
    program = (*PROGRAM, "workspaces", "serve", "--host", HOST, "--port", "0")
    serving = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    assert serving.stdout is not None
    port = int(await asyncio.wait_for(serving.stdout.readline(), WAIT_S))
    company.url = f"http://{HOST}:{port}/slack/"
    company.slack.app_url = company.url + "events"
    yield company
    serving.terminate()
    assert await asyncio.wait_for(serving.wait(), WAIT_S) == 0
    assert Place(home, "T1").token_file.exists()


async def run(*arguments: str) -> str:
    child = await asyncio.create_subprocess_exec(
        *PROGRAM, *arguments, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(child.communicate(), LOADING_S)
    assert child.returncode == 0
    return said.decode()


@pytest.mark.slow
async def test_from_an_installation_to_an_answer_from_documents_of_its_own(
    served: Company, tmp_path: Path
) -> None:
    slack = served.slack
    assert (await served.install("T1"))[0] == 200
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "rocket.md").write_text("# Launch\n\nThe code word is Basilisk.\n")
    await run("workspaces", "run", "T1", "index", str(tmp_path / "documents"))
    body = event(mention("What is the code word?", ts="1.0"), "Ev1")
    async with asyncio.timeout(LOADING_S):
        for retry_num in itertools.count(1):
            if (await slack.deliver(body, retry_num=retry_num)).is_acked:
                break
    await slack.until(lambda: "Basilisk" in str(slack.posted("C1")))
    assert "T1  Team T1  installed" in await run("workspaces", "list")


async def test_a_bot_that_another_process_holds_ends_with_it() -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", QUIT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(child.communicate(b""), WAIT_S)  # which closes its input
    assert (said, child.returncode) == (b"ended\n", 0)


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(workspaces, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


async def test_what_is_kept_is_forgotten_only_once_the_app_was_removed(
    home: Path, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        other = Company(home, stack)
        other.slacks = company.slacks
        other.slack = company.slack
        await other.open()
        await other.install("T1")
    for client_id in (CLIENT_ID, "9.9"):
        monkeypatch.setenv("SLACK_CLIENT_ID", client_id)
        with pytest.raises(BusyError, match="the app is installed in T1; remove it there first"):
            invoke("forget", "T1", "--yes")
    monkeypatch.setenv("SLACK_CLIENT_ID", CLIENT_ID)
    company.home = home
    company.installed().drop("T1")
    (home / "workspaces" / "T1.bak").mkdir()
    (home / "workspaces" / "T2").symlink_to(home / "workspaces" / "T1")
    assert "T1  removed" in invoke("list")
    with pytest.raises(DataError, match="is a link"):
        invoke("forget", "T2", "--yes")
    assert "is deleted" in invoke("forget", "T1", "--yes")
    assert not Place(home, "T1").folder.exists()
    for command in (["forget", "T1", "--yes"], ["run", "T1", "status"]):
        with pytest.raises(DataError, match="no workspace T1 here"):
            invoke(*command)


def test_a_command_run_for_a_workspace_has_its_own_help() -> None:
    context = workspaces.commands["run"].make_context("run", ["T1", "ask", "--help"])
    assert context.params == {"team": "T1", "command": ("ask", "--help")}


def test_one_process_serves_an_installation(home: Path) -> None:
    with (
        building(home / "workspaces"),
        pytest.raises(BusyError, match=f"workspaces are served from {home} already"),
    ):
        invoke("serve", "--port", "0")


def test_nothing_is_served_with_a_setting_that_is_of_one_workspace(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_ADMINS", '["U1"]')
    with pytest.raises(SettingsError, match="SLACK_ADMINS is about one workspace"):
        invoke("serve", "--port", "0")
    assert not (home / "workspaces").exists()
