from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.privacy.commands import purge
from bot.store.database import Database
from retrieval.index.building import update_index
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder


def purged(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("WHIMBREL_HOME", str(home))
    return CliRunner().invoke(purge, catch_exceptions=False).output


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_deleted_document_is_in_no_file_after_a_purge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs, settings = tmp_path / "docs", Settings(home=tmp_path / "home")
    docs.mkdir()
    for name in ("canary", "heron"):
        (docs / f"{name}.md").write_text(f"# {name}\n\nThe {name} sings in the morning.\n")
    update_index([docs], settings, WordEmbedder())
    (docs / "canary.md").unlink()
    update_index([docs], settings, WordEmbedder())
    assert b"canary sings" in everything(settings.home)
    assert "indexes deleted: 2" in purged(settings.home, monkeypatch)
    assert b"canary sings" not in everything(settings.home)
    assert b"heron sings" in everything(settings.home)
    assert "none, no other was kept" in purged(settings.home, monkeypatch)


def test_the_database_is_rewritten_while_a_bot_has_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)
    served = Database(settings.database_file)
    with served.transaction() as db:
        db.execute("CREATE TABLE rows (word TEXT)")
        db.execute("INSERT INTO rows VALUES (?)", ("canary" * 10_000,))
    with served.transaction() as db:
        db.execute("DELETE FROM rows")
    served.purge()
    before = settings.database_file.stat().st_size
    assert "rewritten" in purged(tmp_path, monkeypatch)
    assert settings.database_file.stat().st_size < before
    served.close()
