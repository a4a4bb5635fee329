from __future__ import annotations

from pathlib import Path

from bot.export.building import ExportCorpus, build
from bot.export.corpus import load_corpus, read_indexed
from bot.export.freezing import FrozenDataset
from bot.export.log_reader import imported_passages, read_log
from bot.export.ratings import ImportReport, import_ratings
from bot.export.records import Policy
from bot.store.database import Database
from retrieval.index.building import update_index
from retrieval.settings import Settings
from tests.bot.export.test_rating_folder import ROW, folder_of
from tests.retrieval.word_embedder import WordEmbedder


def questions(count: int = 24) -> list[str]:
    """Questions that are not alike."""
    return [f"{chr(97 + n) * 5} or {chr(98 + n) * 4}?" for n in range(count)]


def exported(database: Database) -> FrozenDataset:
    passages = imported_passages(database)
    corpus = ExportCorpus(passages, frozenset(passages))
    return build(read_log(database), corpus, WordEmbedder(), policy=Policy())


def imported(folder: Path, database: Database, *, is_consented: bool = True) -> ImportReport:
    return import_ratings(folder, database, is_consented=is_consented)


def test_imported_ratings_are_exported_like_any_others(tmp_path: Path, database: Database) -> None:
    rows = [ROW | {"question": question, "ratings": [1, 1]} for question in questions()]
    report = imported(folder_of(tmp_path, *rows), database)
    assert report == ImportReport(turns=24, known=0, ratings=48, passages=1)
    splits = exported(database).splits
    assert {d.example.kind for d in splits["train"]} == {"pair", "judgement"}
    assert {d.example.source for d in splits["train"]} == {"imported"}


def test_importing_again_adds_only_what_is_new(tmp_path: Path, database: Database) -> None:
    imported(folder_of(tmp_path, ROW), database)
    more = folder_of(tmp_path, ROW, ROW | {"question": "Who?"})
    assert imported(more, database) == ImportReport(turns=1, known=1, ratings=1, passages=1)


def test_without_consent_nothing_is_learned(tmp_path: Path, database: Database) -> None:
    imported(folder_of(tmp_path, ROW), database, is_consented=False)
    assert exported(database).excluded == {"no_consent": 1}


def test_consent_can_be_given_later(tmp_path: Path, database: Database) -> None:
    folder = folder_of(tmp_path, ROW | {"ratings": [{"value": 1, "is_expert": True}]})
    imported(folder, database, is_consented=False)
    assert imported(folder, database) == ImportReport(turns=0, known=1, ratings=0, passages=1)
    assert len(exported(database).splits["train"]) == 2


def test_the_ratings_of_one_answer_may_be_on_several_lines(
    tmp_path: Path, database: Database
) -> None:
    rows = [ROW | {"ratings": [{"rater": name, "value": 1}]} for name in ("ada", "bo", "ada")]
    assert imported(folder_of(tmp_path, *rows), database).ratings == 2
    (turn,) = read_log(database).turns
    assert {e.rater for e in read_log(database).events if e.turn_id == turn.id} == {
        "imported:ada",
        "imported:bo",
    }


def test_a_passage_that_is_indexed_with_other_words_is_outdated(
    tmp_path: Path, database: Database
) -> None:
    imported(folder_of(tmp_path, ROW), database)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text("# Leave\n\nEveryone has 28 days of leave.\n")
    settings = Settings(home=tmp_path / "home")
    update_index((tmp_path / "docs",), settings, WordEmbedder())
    database.connection.table("imported_passages").update(
        {"document_id": "docs/leave.md"}, content_hash=next(iter(imported_passages(database)))
    )
    corpus = load_corpus(read_indexed(settings), database)
    assert [passage.text for passage in corpus.passages.values()] == [
        "Everyone has 28 days of leave."
    ]


def test_test_rows_are_never_trained_on(tmp_path: Path, database: Database) -> None:
    rows = [
        ROW | {"question": question, "split": "test", "ratings": [1, 1]} for question in questions()
    ]
    imported(folder_of(tmp_path, *rows), database)
    found = exported(database)
    assert not any(found.splits.values())
    assert set(found.excluded) <= {"held_out_unapproved", "duplicate"}


def test_what_experts_approved_of_test_rows_is_held_out(tmp_path: Path, database: Database) -> None:
    expert = {"rater": "ada", "value": 1, "is_expert": True}
    imported(folder_of(tmp_path, ROW | {"split": "test", "ratings": [expert]}), database)
    splits = exported(database).splits
    assert {d.example.kind for d in splits["held-out"]} == {"pair", "judgement"}
    assert splits["train"] == []


def test_a_correction_by_an_expert_is_gold(tmp_path: Path, database: Database) -> None:
    better = {"text": "It is 26.", "is_expert": True}
    row = ROW | {"answer": "It is 20.", "ratings": [-1], "correction": better}
    imported(folder_of(tmp_path, row), database)
    kinds = {d.example.kind: d.example for d in exported(database).splits["train"]}
    assert set(kinds) == {"answer", "preference", "pair"}
    assert kinds["preference"].answer == "It is 26."


def test_what_raters_agree_on_in_held_out_rows_is_judged_by_only_if_they_are_trusted(
    tmp_path: Path, database: Database
) -> None:
    test = ROW | {"split": "test"}
    rows = [test | {"question": question, "ratings": [1, 1]} for question in questions(4)]
    rows += [test | {"question": "disputed?", "ratings": [1, -1]}, test | {"question": "one?"}]
    folder = folder_of(tmp_path, *rows)
    imported(folder, database)
    assert exported(database).splits["held-out"] == []
    import_ratings(folder, database, is_consented=True, trusts_tests=True)
    held_out = {draft.example.question for draft in exported(database).splits["held-out"]}
    assert held_out == set(questions(4))


def test_an_imported_passage_stands_for_the_indexed_one_that_holds_its_words(
    tmp_path: Path, database: Database
) -> None:
    settings = Settings(home=tmp_path / "home")
    (tmp_path / "docs").mkdir()
    text = "Everyone who works full time has 26 days of annual leave in each calendar year."
    (tmp_path / "docs" / "hr.md").write_text(f"# Absence\n\n{text} Ask the people team.\n")
    update_index((tmp_path / "docs",), settings, WordEmbedder())
    row = ROW | {"passage": {"title": "Leave", "text": text}, "doc_id": "elsewhere"}
    imported(folder_of(tmp_path, row), database)
    (digest,) = imported_passages(database)
    corpus = load_corpus(read_indexed(settings), database)
    assert corpus.passages[digest].document_id == "docs/hr.md"
    assert corpus.passages[corpus.passages[digest].content_hash] == corpus.passages[digest]
