from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from retrieval.index import journal
from retrieval.index.building import update_index
from retrieval.records import Vectors
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder


class Killed(BaseException):
    """As if the process had ended."""


class Mortal(WordEmbedder):
    """Dies when it has embedded so many batches."""

    def __init__(self, *, batches: int, revision: str = "1") -> None:
        super().__init__(revision=revision)
        self._left = batches

    def embed_passages(
        self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        if not self._left:
            raise Killed
        self._left -= 1
        return super().embed_passages(texts, on_batch=on_batch)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(150):
        (folder / f"{number}.md").write_text(f"This is number {number}.")
    return folder


@pytest.mark.slow
def test_what_was_embedded_before_a_kill_is_not_embedded_again(docs: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(Killed):
        update_index([docs], settings, Mortal(batches=2))
    with pytest.raises(Killed):
        update_index([docs], settings, Mortal(batches=0))
    assert update_index([docs], settings, WordEmbedder()).embedded == 150 - 128
    assert not (settings.index_folder / journal.NAME).exists()


def test_another_embedder_embeds_all_anew(docs: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(Killed):
        update_index([docs], settings, Mortal(batches=2))
    assert update_index([docs], settings, WordEmbedder(revision="2")).embedded == 150


@pytest.mark.slow
def test_a_line_that_was_cut_off_is_passed_over(docs: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(Killed):
        update_index([docs], settings, Mortal(batches=1))
    path = settings.index_folder / journal.NAME
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(Killed):
        update_index([docs], settings, Mortal(batches=1))
    assert update_index([docs], settings, WordEmbedder()).embedded == 150 - 63 - 64
