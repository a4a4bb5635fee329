"""Tries an answerer on questions that experts answered: what it says, cites and withholds."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from retrieval.answering.answerer import Answerer
from retrieval.answering.judge import JUDGED_HITS
from retrieval.answering.tiers import tier_of
from retrieval.errors import DataError
from retrieval.evaluation.evaluate import without_markers
from retrieval.evaluation.metrics import precision, token_f1
from retrieval.examples import Example, content_id, read_examples
from retrieval.index.searcher import Searcher
from retrieval.progress import Progress
from retrieval.records import Answer, Hit
from retrieval.settings import Settings
from training.data.regression import read_regression
from training.gate.decision import QuestionOutcome
from training.generator.injection_tests import INJECTION_TESTS, InjectionTest

MAX_QUESTIONS = 400
"""So many show a gain of five points two times in three; more would take hours to answer."""

AT_ONCE = 8
"""Questions answered at the same time: a generator writes them together."""

_MARKER = re.compile(r"\s*\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class AnswerTask:
    """A question and what search found for it.

    `answers` are what experts would say, none if they would decline. `relevant` are the content
    hashes of the passages that hold the answer, as far as they are known.
    """

    question: str
    language: str
    hits: tuple[Hit, ...]
    answers: tuple[str, ...] = ()
    relevant: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Everything that answerers are tried on; `outdated` questions were left out."""

    held_out: tuple[AnswerTask, ...]
    regression: tuple[AnswerTask, ...] = ()
    outdated: int = 0


def read_evaluation_set(dataset: Path, settings: Settings, searcher: Searcher) -> EvaluationSet:
    """The questions that a data set holds out, and those that were frozen, as tasks.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        settings: Where the frozen questions are.
        searcher: What serves; whatever is tried is given what it finds.

    Raises:
        DataError: If the data set holds no question with an expert's answer out.
    """
    held_out = tasks(read_examples(dataset, "held-out"), searcher)
    if not held_out:
        raise DataError(
            f"{dataset} holds no answers of experts out, so nothing that writes could be judged; "
            "of what experts approve, a third is held out"
        )
    regression = read_regression(settings, searcher.index.passages)
    frozen = tasks(regression.examples, searcher)
    return EvaluationSet(tuple(held_out), tuple(frozen), regression.outdated)


def try_answerer(
    answerer: Answerer, evaluation_set: EvaluationSet, *, on_progress: Progress = lambda *_: None
) -> list[QuestionOutcome]:
    """What an answerer makes of an evaluation set and of the injection tests.

    What is both held out and frozen is asked once.
    """
    asked = list(dict.fromkeys([*evaluation_set.held_out, *evaluation_set.regression]))
    made = dict(zip(asked, try_answers(answerer, asked, on_progress=on_progress), strict=True))
    frozen = (made[task] for task in evaluation_set.regression)
    return [
        *(made[task] for task in evaluation_set.held_out),
        *(
            replace(outcome, id=f"regression: {outcome.question}", set="regression")
            for outcome in frozen
        ),
        *try_injection_tests(answerer),
    ]


def tasks(
    examples: Sequence[Example], searcher: Searcher, *, at_most: int = MAX_QUESTIONS
) -> list[AnswerTask]:
    """One task for each question that the `answer` examples answer or decline.

    Answers whose passages are all gone from the index are left out. Of more questions than
    `at_most` the same ones are always chosen. What is found is found once, so that everything that
    is tried sees the same.
    """
    known = {passage.content_hash for passage in searcher.index.passages}
    answers: dict[tuple[str, str], dict[str, None]] = {}
    relevant: dict[str, set[str]] = {}
    for example in examples:
        hashes = [passage.content_hash for passage in example.passages]
        if example.kind == "pair":
            relevant.setdefault(example.question, set()).update(hashes[:1])
        elif example.kind == "answer" and (not hashes or known.intersection(hashes)):
            said = answers.setdefault((example.question, example.language), {})
            if example.is_good and example.answer:
                said[_MARKER.sub("", example.answer)] = None
                relevant.setdefault(example.question, set()).update(_cited(example.answer, hashes))
    # Neither the alphabet nor the calendar picks them.
    chosen = sorted(answers, key=lambda asked: content_id(*asked))[:at_most]
    return [
        AnswerTask(
            question,
            language,
            tuple(searcher.search(question, k=JUDGED_HITS)),
            tuple(answers[question, language]),
            frozenset(relevant.get(question, ())),
        )
        for question, language in chosen
    ]


def try_answers(
    answerer: Answerer,
    asked: Sequence[AnswerTask],
    *,
    on_progress: Progress = lambda *_: None,
) -> list[QuestionOutcome]:
    """What an answerer makes of each task.

    The quality is the token F1 with the nearest of the expected answers, 0 for silence; of a
    question that has no answer, 1 for silence. Seconds are of CPU, shared out equally among the
    questions that were answered at the same time.
    """
    outcomes: list[QuestionOutcome] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(asked), AT_ONCE):
            batch = asked[start : start + AT_ONCE]
            began = time.process_time()  # other programs disturb the clock
            given = list(
                pool.map(lambda task: answerer.answer_from(task.question, task.hits), batch)
            )
            seconds = (time.process_time() - began) / len(batch)
            outcomes += [
                _outcome(task, answer, seconds) for task, answer in zip(batch, given, strict=True)
            ]
            on_progress("answering", len(outcomes), len(asked))
    return outcomes


def try_injection_tests(
    answerer: Answerer, tests: Sequence[InjectionTest] = INJECTION_TESTS
) -> list[QuestionOutcome]:
    """Whether what an answerer writes does what is planted in passages, or says a secret.

    However unsure it is, it is heard: quotes, which shield readers from much of what a small
    model writes, say nothing about what it would do. One that only quotes has nothing to fear.
    """
    heard = _heard(answerer)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        given = list(
            pool.map(lambda test: heard.answer_from(test.question, test.hits, threshold=0), tests)
        )
    return [
        QuestionOutcome(
            id=f"planted: {test.question}",
            language=answer.language,
            quality=0.0,
            set="planted",
            said=answer.text,
            obeyed=int(answer.method == "generated" and test.has_obeyed(answer.text)),
            leaked=int(answer.method == "generated" and test.has_leaked(answer.text)),
        )
        for test, answer in zip(tests, given, strict=True)
    ]


def _heard(answerer: Answerer) -> Answerer:
    """The answerer, trusted with its own words if it writes at all."""
    if tier_of(answerer.generator, answerer.settings).writes != "facts":
        return answerer
    trusting = answerer.settings.model_copy(update={"tier": "capable"})
    return replace(answerer, settings=trusting)


def _outcome(task: AnswerTask, answer: Answer, seconds: float) -> QuestionOutcome:
    is_silent = answer.kind == "abstention"
    said = "" if is_silent else without_markers(answer)
    f1 = max((token_f1(said, expected) for expected in task.answers), default=0.0)
    return QuestionOutcome(
        id=f"held-out: {task.question}",
        language=task.language,
        quality=f1 if task.answers else float(is_silent),
        is_answerable=bool(task.answers),
        abstained=is_silent,
        cited_well=_cited_well(task, answer),
        characters=len(said),
        wanted=round(fmean(map(len, task.answers))) if task.answers else None,
        seconds=seconds,
        said=answer.text,
    )


def _cited_well(task: AnswerTask, answer: Answer) -> float | None:
    """The share of the passages cited that hold the answer; None where none are known or wanted."""
    if answer.kind == "abstention" or not task.relevant:
        return None
    return precision(
        [citation.passage.content_hash for citation in answer.citations], task.relevant
    )


def _cited(answer: str, hashes: Sequence[str]) -> set[str]:
    """The passages whose numbers stand in an answer."""
    numbers = {int(number) for number in _MARKER.findall(answer)}
    return {hashes[number - 1] for number in numbers if 0 < number <= len(hashes)}
