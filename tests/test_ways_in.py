"""The ways in besides Slack as their pages show them: real models, the sample handbook."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from retrieval.cli import PROGRAM, whimbrel
from retrieval.errors import SettingsError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8090"
LEAVE = "How many days of annual leave do I get?"


@pytest.fixture(scope="module")
def home(models_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a part of the handbook indexed."""
    home = tmp_path_factory.mktemp("home")
    (home / "models").symlink_to(models_home / "models")
    folders = [str(ROOT / "examples/handbook" / name) for name in ("people", "people-team")]
    assert "0 unchanged" in run(home, "index", *folders)
    return home


def run(home: Path, *arguments: str) -> str:
    environment = {"WHIMBREL_HOME": str(home), "WHIMBREL_GENERATOR": "none"}
    result = CliRunner().invoke(whimbrel, arguments, env=environment, catch_exceptions=False)
    return result.stdout


def environment(home: Path, **more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"WHIMBREL_HOME": str(home), "WHIMBREL_GENERATOR": "none"}
    return {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, **settings, **more}


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """Where `whimbrel api` listens."""
    more = {"WHIMBREL_API_LISTEN_PORT": "0", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603 - ours
        (*PROGRAM, "api"), env=environment(home, **more), stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        found = None
        for line in server.stderr:
            if found := re.search(r"serving the API on (\S+)", line):
                break
        assert found
        yield f"http://{found[1]}"
        server.terminate()
        server.stderr.read()
    assert server.returncode == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_of_the_page_do_what_it_says(home: Path, address: str) -> None:
    key = run(home, "keys", "create", "intranet", "--per-minute", "60").strip()
    said: list[dict[str, Any]] = []
    for block in (block for block in BLOCKS if "curl" in block):
        answer_id = said[0]["id"] if said else ""
        command = block.replace(ADDRESS, address).replace("ANSWER", answer_id)
        out = subprocess.run(  # noqa: S603 - the page's
            ("/bin/bash", "-ec", command),
            env=environment(home, WHIMBREL_API_KEY=key),
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        said.append(json.loads(out) if out.startswith("{") else {"stream": out})
    answer, streamed, found, rated, chat = said
    assert "26 days" in answer["text"]
    assert "event: answer" in streamed["stream"]
    assert len(found["hits"]) == 3
    assert rated == {
        "answer_id": answer["id"], "rating": "bad", "reason": "outdated",
        "correction": "It is 31 days.",
    }  # fmt: skip
    assert "26 days" in chat["choices"][0]["message"]["content"]
    assert re.search(r"intranet\t\S+\t3\t1\t1\t", run(home, "keys", "usage"))
    assert run(home, "forget", "api:intranet:alice").startswith("forgotten: 1 questions, 1 ratings")


def test_an_agent_searches_and_asks_over_stdio(home: Path) -> None:
    mcp = pytest.importorskip("mcp")
    key = run(home, "keys", "create", "agent", "--audience", "people-team").strip()
    command, *arguments = PROGRAM
    server = mcp.StdioServerParameters(
        command=command,
        args=[*arguments, "mcp"],
        env=environment(home, WHIMBREL_API_KEY=key),
    )

    async def talk() -> tuple[Any, ...]:
        async with mcp.Client(server) as client:
            tools = await client.list_tools()
            asked = await client.call_tool("ask", {"question": LEAVE})
            found = await client.call_tool("search", {"query": "salary bands", "limit": 3})
            empty = await client.call_tool("ask", {"question": "a" * 5_000})
            return [tool.name for tool in tools.tools], asked, found, empty

    names, asked, found, empty = asyncio.run(talk())
    assert names == ["ask", "search"]
    assert "26 days" in asked.structured_content["text"]
    documents = [hit["document"]["id"] for hit in found.structured_content["hits"]]
    assert documents[0] == "people-team/salary-bands.md"
    assert empty.is_error
    assert "too long" in empty.content[0].text


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT])
def test_an_agent_s_server_that_is_told_to_end_does_while_its_client_waits(
    home: Path, word: signal.Signals
) -> None:
    pytest.importorskip("mcp")
    key = run(home, "keys", "create", f"ended-{word}").strip()
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }  # fmt: skip
    with subprocess.Popen(  # noqa: S603 - ours
        (*PROGRAM, "mcp"),
        env=environment(home, WHIMBREL_API_KEY=key),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None
        server.stdin.write(json.dumps(hello).encode() + b"\n")
        server.stdin.flush()
        assert b'"serverInfo"' in server.stdout.readline()
        server.send_signal(word)
        try:
            assert server.wait(60) == 0
        finally:
            server.kill()
        assert server.stderr.read() == b""


@pytest.mark.parametrize("key", ["", " "])
def test_without_a_key_an_agent_s_server_says_how_to_make_one(home: Path, key: str) -> None:
    pytest.importorskip("mcp")
    with pytest.raises(SettingsError, match="make a key with `whimbrel keys create NAME`"):
        CliRunner().invoke(
            whimbrel,
            ["mcp"],
            env={"WHIMBREL_HOME": str(home), "WHIMBREL_API_KEY": key},
            catch_exceptions=False,
        )


def test_ten_lines_of_python_index_search_and_answer(models_home: Path, tmp_path: Path) -> None:
    example = (ROOT / "examples/ten_lines.py").read_text(encoding="utf-8")
    assert f"```python\n{example}```" in (ROOT / "docs/python.md").read_text(encoding="utf-8")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "python-home").mkdir()
    (tmp_path / "python-home/models").symlink_to(models_home / "models")
    out = subprocess.run(
        (sys.executable, "examples/ten_lines.py"),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "26 days" in out
    assert "[1] people/leave.md:" in out
