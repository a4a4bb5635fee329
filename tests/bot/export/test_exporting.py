from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.export.exporting import export_log, read_questions
from bot.export.ratings import import_ratings
from bot.export.records import Policy
from bot.export.regression import MIN_QUESTIONS
from bot.store.channels import ChannelConfig, Channels
from bot.store.database import Database
from bot.store.log import ConversationLog, Rating, Turn
from retrieval.errors import DataError, IndexNotFoundError
from retrieval.examples import REGRESSION, SPLITS, read_examples
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.records import Answer, Citation
from retrieval.settings import Settings
from tests.bot.export.logs_by_hand import NOON
from tests.bot.export.test_rating_folder import ROW, folder_of
from tests.bot.export.test_ratings import questions
from tests.retrieval.word_embedder import WordEmbedder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def database(settings: Settings, address: str | None) -> Iterator[Database]:
    database = Database(settings.database_file, address=address)
    yield database
    database.close()


def rated(folder: Path, database: Database) -> None:
    folder.mkdir()
    rows = [ROW | {"question": question, "ratings": [1, 1]} for question in questions()]
    import_ratings(folder_of(folder, *rows), database, is_consented=True)


def test_the_same_log_is_exported_under_the_same_hash(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    rated(tmp_path / "rated", database)
    first, frozen = export_log(settings, database, WordEmbedder(), policy=Policy())
    again, _ = export_log(settings, database, WordEmbedder(), policy=Policy())
    assert first == again == settings.dataset_folder / frozen.name
    assert len(read_examples(first, "train")) + len(read_examples(first, "dev")) == 48


def test_reserved_questions_are_not_trained_on_now_or_later(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    rated(tmp_path / "rated", database)
    reserved = questions()[:5]
    embedder = WordEmbedder()
    export_log(settings, database, embedder, policy=Policy(), reserved=reserved)
    folder, frozen = export_log(settings, database, embedder, policy=Policy())
    trained = read_examples(folder, "train") + read_examples(folder, "dev")
    assert not {example.question for example in trained} & set(reserved)
    assert frozen.excluded["held_out_cluster"] == 10


def test_what_was_frozen_is_neither_held_out_nor_ever_trained_on(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    asked = [f"{chr(97 + n) * 5} or {chr(98 + m) * 4}?" for n in range(16) for m in range(8, 16)]
    rows = [
        ROW
        | {"question": question, "ratings": [1, 1]}
        | {"correction": {"text": f"{n} days.", "is_expert": True}}
        for n, question in enumerate(asked)
    ]
    for name, split in (("first", "test"), ("again", "train")):
        (tmp_path / name).mkdir()
        folder = folder_of(tmp_path / name, *(row | {"split": split} for row in rows))
        import_ratings(folder, database, is_consented=True)
        dataset, _ = export_log(settings, database, WordEmbedder(), policy=Policy())
        regression = read_examples(settings.dataset_folder, REGRESSION)
        frozen = {example.question for example in regression}
        seen = {split: {e.question for e in read_examples(dataset, split)} for split in SPLITS}
        assert min(len(frozen), len(seen["held-out"])) >= MIN_QUESTIONS
        assert not frozen & (seen["train"] | seen["dev"] | seen["held-out"])
        assert not seen["held-out"] & (seen["train"] | seen["dev"])


def test_before_anybody_rated_anything_documents_make_questions(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for subject in ("leave", "travel", "parking", "laptops"):
        text = f"# {subject.title()}\n\nPlease ask the {subject} desk about {subject} in advance.\n"
        (docs / f"{subject}.md").write_text(text)
    update_index((docs,), settings, WordEmbedder())
    folder, frozen = export_log(settings, database, WordEmbedder(), policy=Policy(), synthetic=3)
    assert [example.source for example in read_examples(folder, "train")] == ["synthetic"] * 3
    assert frozen.splits["held-out"] == []


def test_questions_cannot_be_made_from_nothing(settings: Settings, database: Database) -> None:
    with pytest.raises(IndexNotFoundError):
        export_log(settings, database, WordEmbedder(), policy=Policy(), synthetic=3)


def test_a_file_of_reserved_questions_is_read(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text(json.dumps({"_id": "1", "text": "Who?"}) + '\n{"question": "What?"}\n')
    packed = tmp_path / "queries.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_questions(path) == read_questions(packed) == ["Who?", "What?"]
    path.write_text('{"text": "Which\u2028one?"}\n', encoding="utf-8")
    assert read_questions(path) == ["Which\u2028one?"]
    path.write_text("{}\n")
    with pytest.raises(DataError, match="line 1"):
        read_questions(path)


def written(folder: Path, days: int) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "leave.md").write_text(f"# Leave\n\nEveryone has {days} days of leave a year.\n")
    return folder


def said(settings: Settings, database: Database, question: str) -> None:
    """An answer from the index that an expert likes."""
    hits = Library(settings, WordEmbedder()).searcher().search(question)
    cited = (Citation(1, hits[0].passage, "", 1.0),)
    answer = Answer(
        "t1", question, question, "answer", "26 days. [1]", "en", 0.9, citations=cited,
        hits=tuple(hits),
    )  # fmt: skip
    public = frozenset({"public"})
    turn = Turn(answer, "Ev1", "T1", "C1", None, "U1", public, ("1.5",), NOON, is_private=False)
    log = ConversationLog(database)
    log.add(turn)
    log.rate(Rating("t1", "U3", 1, "button", "Ev2", NOON))
    Channels(database).set("C1", ChannelConfig(experts=("U3",)), by="U0")
    for person in ("U1", "U3"):
        database.connection.table("people").insert({"person": person, "may_learn": 1})


def test_what_an_expert_likes_is_learned_until_its_document_changes(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    docs = written(tmp_path / "docs", days=26)
    update_index((docs,), settings, WordEmbedder())
    said(settings, database, "How many days of leave?")
    folder, _ = export_log(settings, database, WordEmbedder(), policy=Policy())
    learned = read_examples(folder, "train")
    assert {(example.kind, example.source) for example in learned} == {
        ("pair", "approved"),
        ("answer", "approved"),
        ("judgement", "approved"),
    }
    assert learned[0].passages[0].text == "Everyone has 26 days of leave a year."

    update_index((written(docs, days=28),), settings, WordEmbedder())
    _, later = export_log(settings, database, WordEmbedder(), policy=Policy(), allows_nothing=True)
    assert later.excluded == {"document_changed": 1}


def test_an_export_of_nothing_says_what_to_do_and_writes_nothing(
    settings: Settings, database: Database
) -> None:
    with pytest.raises(DataError, match=r"no answer is rated yet\. Rate answers in Slack"):
        export_log(settings, database, WordEmbedder(), policy=Policy())
    assert not settings.dataset_folder.exists()


def test_an_export_from_which_all_was_left_out_says_why(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    (tmp_path / "rated").mkdir()
    rows = [ROW | {"question": question, "ratings": [1, 1]} for question in questions()]
    import_ratings(folder_of(tmp_path / "rated", *rows), database, is_consented=False)
    with pytest.raises(DataError, match=r"left out: \d+ .*\. Rate answers"):
        export_log(settings, database, WordEmbedder(), policy=Policy())
    folder, _ = export_log(settings, database, WordEmbedder(), policy=Policy(), allows_nothing=True)
    assert (folder / "card.md").exists()
