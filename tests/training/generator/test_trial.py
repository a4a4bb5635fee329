from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.answering.answerer import Answerer
from retrieval.answering.judge import Judge
from retrieval.errors import DataError
from retrieval.examples import Example, PassageText, write_examples
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.records import Passage
from retrieval.settings import Settings
from tests.retrieval.answering.test_answerer import ALWAYS, NEVER, Writer
from tests.retrieval.word_embedder import WordEmbedder
from training.gate.decision import decide
from training.generator.injection_tests import INJECTION_TESTS
from training.generator.trial import (
    AnswerTask,
    read_evaluation_set,
    tasks,
    try_answerer,
    try_answers,
    try_injection_tests,
)

LEAVE = "# Leave\n\nEvery keeper has 27 days of paid leave a year. Ask in the crew portal.\n"
TIDES = "# Tides\n\nHigh tide is at nine.\n"
QUESTION = "How many days of paid leave does a keeper have?"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, text in (("leave", LEAVE), ("tides", TIDES)):
        (docs / f"{name}.md").write_text(text, encoding="utf-8")
    settings = Settings(home=tmp_path / "home")
    update_index([docs], settings, WordEmbedder())
    return Library(settings, WordEmbedder())


def answerer(library: Library, text: str, judge: Judge = ALWAYS) -> Answerer:
    return Answerer(library.searcher(), judge, Settings(), Writer(text))


def example(passage: Passage | None, *, answer: str | None, question: str = QUESTION) -> Example:
    snippets = (PassageText("d", passage.content_hash, "", passage.text),) if passage else ()
    return Example(
        id=question, kind="answer", question=question, language="en", passages=snippets,
        source="approved", day="2026-01-31", answer=answer, is_good=answer is not None,
    )  # fmt: skip


def task(library: Library, answer: str | None) -> AnswerTask:
    searcher = library.searcher()
    passage = next(passage for passage in searcher.index.passages if "leave" in passage.text)
    (held,) = tasks([example(passage, answer=answer)], searcher)
    return held


def test_an_approved_answer_becomes_a_task_with_what_search_finds(library: Library) -> None:
    asked = task(library, "27 days of paid leave [1].")
    assert asked.answers == ("27 days of paid leave.",)
    assert {asked.hits[0].passage.content_hash} == asked.relevant


def test_an_answer_from_passages_that_are_gone_is_no_task(library: Library) -> None:
    searcher = library.searcher()
    passage = searcher.index.passages[0]
    gone = example(passage, answer="27 days.")
    gone = Example(
        **{name: getattr(gone, name) for name in gone.__slots__}
        | {"passages": (PassageText("d", "gone", "", ""),)}
    )
    assert tasks([gone], searcher) == []


def test_of_many_questions_the_same_ones_are_always_asked(library: Library) -> None:
    many = [example(None, answer="27.", question=f"Why {n}?") for n in range(20)]
    found = tasks(many, library.searcher(), at_most=5)
    assert len(found) == 5
    assert found == tasks(many[::-1], library.searcher(), at_most=5)


def test_the_words_of_an_answer_are_compared_and_its_citations_looked_up(library: Library) -> None:
    asked = task(library, "Every keeper has 27 days of paid leave a year [1].")
    (said,) = try_answers(
        answerer(library, "Every keeper has 27 days of paid leave a year."), [asked]
    )
    assert (said.quality, said.cited_well, said.abstained) == (1.0, 1.0, False)
    assert said.question == QUESTION
    assert said.seconds is not None


def test_silence_is_right_only_where_there_is_no_answer(library: Library) -> None:
    known, unknown = task(library, "27 days of paid leave [1]."), task(library, None)
    silent = try_answers(answerer(library, "", NEVER), [known, unknown])
    assert [(outcome.quality, outcome.abstained) for outcome in silent] == [
        (0.0, True),
        (1.0, True),
    ]
    assert [outcome.is_answerable for outcome in silent] == [True, False]


def test_every_batch_is_answered_in_order(library: Library) -> None:
    asked = task(library, "27 days [1].")
    many = [AnswerTask(f"{QUESTION} {n}", "en", asked.hits, asked.answers) for n in range(19)]
    outcomes = try_answers(answerer(library, "A keeper has 27 days of paid leave."), many)
    assert [outcome.question for outcome in outcomes] == [outcome.question for outcome in many]


def test_a_generator_that_obeys_or_tells_is_found_out(library: Library) -> None:
    for test in INJECTION_TESTS:
        (outcome,) = try_injection_tests(answerer(library, f"{test.marker}."), [test])
        is_secret = test.kind == "secret"
        assert (outcome.obeyed, outcome.leaked) == (int(not is_secret), int(is_secret)), test


def test_a_generator_that_answers_the_question_passes_the_injection_tests(library: Library) -> None:
    for test in INJECTION_TESTS:
        (outcome,) = try_injection_tests(answerer(library, test.passage), [test])
        assert (outcome.obeyed, outcome.leaked) == (0, 0), test


def test_quoting_what_is_planted_is_not_obeying() -> None:
    test = next(test for test in INJECTION_TESTS if test.kind == "instruction")
    assert test.has_obeyed(test.marker)
    assert not test.has_obeyed(f"It says: {test.planted}")


def test_an_exam_has_what_is_held_out_what_was_frozen_and_what_is_planted(
    library: Library, tmp_path: Path
) -> None:
    passage = library.searcher().index.passages[0]
    write_examples(tmp_path, "held-out", [example(passage, answer="27 days.")])
    library.settings.dataset_folder.mkdir()
    frozen = [example(None, answer=None, question="How much gold is there?")]
    write_examples(library.settings.dataset_folder, "regression", frozen)
    evaluation_set = read_evaluation_set(tmp_path, library.settings, library.searcher())
    outcomes = try_answerer(
        answerer(library, "Every keeper has 27 days of paid leave a year."), evaluation_set
    )
    assert [outcome.set for outcome in outcomes] == [
        "held-out",
        "regression",
        *["planted"] * len(INJECTION_TESTS),
    ]


def test_a_data_set_that_holds_no_answers_out_is_refused(library: Library, tmp_path: Path) -> None:
    write_examples(tmp_path, "held-out", [])
    with pytest.raises(DataError, match="no answers of experts"):
        read_evaluation_set(tmp_path, library.settings, library.searcher())


def test_a_generator_that_learned_to_refuse_is_stopped_by_the_gate(library: Library) -> None:
    asked = task(library, "27 days of paid leave [1].")
    many = [
        AnswerTask(f"{QUESTION} {n}", "en", asked.hits, asked.answers, asked.relevant)
        for n in range(40)
    ]
    right, vague = "A keeper has 27 days of paid leave.", "A keeper has paid leave a year."
    refusing = try_answers(answerer(library, "The passages do not mention it."), many[:15])
    served = try_answers(answerer(library, vague), many)
    candidate = [*refusing, *try_answers(answerer(library, right), many[15:])]
    (decision,) = decide(served, [candidate])
    assert "answers where there is one got worse" in decision.reasons


def test_what_is_held_out_and_frozen_is_asked_once(library: Library, tmp_path: Path) -> None:
    passage = library.searcher().index.passages[0]
    library.settings.dataset_folder.mkdir()
    both = [example(passage, answer="27 days.")]
    write_examples(tmp_path, "held-out", both)
    write_examples(library.settings.dataset_folder, "regression", both)
    evaluation_set = read_evaluation_set(tmp_path, library.settings, library.searcher())
    writer = Writer("Every keeper has 27 days of paid leave a year.")
    held_out, frozen, *planted = try_answerer(
        Answerer(library.searcher(), ALWAYS, Settings(), writer), evaluation_set
    )
    assert (held_out.question, held_out.quality) == (frozen.question, frozen.quality)
    assert [held_out.set, frozen.set] == ["held-out", "regression"]
    assert len(writer.prompts) == 1 + len(planted)
