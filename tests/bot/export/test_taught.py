from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.export.corpus import passage_text
from bot.export.exporting import export_log
from bot.export.ratings import import_ratings
from bot.export.records import Policy
from bot.store.database import Database
from retrieval.errors import DataError
from retrieval.examples import Example, content_id, read_examples, write_examples
from retrieval.index.building import update_index
from retrieval.index.store import index_store
from retrieval.records import Passage
from retrieval.settings import Settings
from tests.bot.export.test_rating_folder import ROW, folder_of
from tests.bot.export.test_ratings import questions
from tests.retrieval.word_embedder import WordEmbedder

PLACES = ("north", "south", "east", "west", "mill", "tower")
CARD = "# Taught by giant@endpoint\n\nWith prompts 1: 12 calls.\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    docs = tmp_path / "docs"
    docs.mkdir()
    for place in PLACES:
        (docs / f"{place}.txt").write_text(f"The {place} lamp is painted in spring.")
    settings = Settings(home=tmp_path / "home")
    update_index([docs], settings, WordEmbedder())
    return settings


@pytest.fixture
def database(settings: Settings, address: str | None) -> Iterator[Database]:
    database = Database(settings.database_file, address=address)
    yield database
    database.close()


def row(passage: Passage) -> Example:
    question = f"When is the lamp of the {passage.source.title} painted?"
    return Example(
        id=content_id(question), kind="answer", question=question, language="en",
        passages=(passage_text(passage),), source="synthetic", day="2026-01-31",
        answer=f"{passage.text} [1]", weight=0.25,
    )  # fmt: skip


def distilled(folder: Path, settings: Settings) -> Path:
    folder.mkdir()
    for split in ("dev", "held-out"):
        write_examples(folder, split, [])
    write_examples(folder, "train", [row(p) for p in index_store(settings).passages()])
    (folder / "card.md").write_text(CARD)
    return folder


def learned_from(folder: Path) -> set[str]:
    return {e.id for split in ("train", "dev") for e in read_examples(folder, split)}


def test_what_a_teacher_taught_is_learned_from_and_told_on_the_card(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    taught = distilled(tmp_path / "taught", settings)
    folder, _ = export_log(settings, database, WordEmbedder(), policy=Policy(), distilled=taught)
    assert len(learned_from(folder)) == len(PLACES)
    assert "## Taught by giant@endpoint" in (folder / "card.md").read_text()


def test_what_a_teacher_taught_is_never_held_out(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    taught = distilled(tmp_path / "taught", settings)
    asked = [example.question for example in read_examples(taught, "train")]
    rows = [
        ROW
        | {"question": question, "ratings": [1, 1], "split": "test"}
        | {"correction": {"text": f"{n} days.", "is_expert": True}}
        for n, question in enumerate([*asked[:3], *questions()])
    ]
    (tmp_path / "rated").mkdir()
    import_ratings(folder_of(tmp_path / "rated", *rows), database, is_consented=True)
    folder, frozen = export_log(
        settings, database, WordEmbedder(), policy=Policy(), distilled=taught
    )
    held_out = read_examples(folder, "held-out")
    assert held_out
    assert not [example for example in held_out if example.source == "synthetic"]
    assert not {example.question for example in held_out} & {
        example.question for split in ("train", "dev") for example in read_examples(folder, split)
    }
    assert frozen.excluded["held_out_cluster"] >= 3


def test_what_changed_or_is_no_longer_for_everybody_is_left_out(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    taught = distilled(tmp_path / "taught", settings)
    (tmp_path / "docs" / "mill.txt").write_text("The mill lamp is gone.")
    rules = settings.model_copy(update={"audiences": {"docs/tower.txt": "board"}})
    update_index([tmp_path / "docs"], rules, WordEmbedder())
    folder, frozen = export_log(rules, database, WordEmbedder(), policy=Policy(), distilled=taught)
    assert len(learned_from(folder)) == len(PLACES) - 2
    assert "tower" not in str(read_examples(folder, "train"))
    assert dict(frozen.excluded) == {"document_changed": 1, "restricted_audience": 1}


@pytest.mark.parametrize("change", ["source", "kind", "card"])
def test_a_folder_that_no_teacher_made_is_refused(
    tmp_path: Path, settings: Settings, database: Database, change: str
) -> None:
    taught = distilled(tmp_path / "taught", settings)
    rows = read_examples(taught, "train")
    if change == "card":
        (taught / "card.md").unlink()
    elif change == "source":
        write_examples(taught, "train", [replace(rows[0], source="approved")])
    else:
        write_examples(taught, "train", [replace(rows[0], kind="pair")])
    with pytest.raises(DataError, match="is not from `whimbrel distil`"):
        export_log(settings, database, WordEmbedder(), policy=Policy(), distilled=taught)
