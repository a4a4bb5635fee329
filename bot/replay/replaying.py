"""Asks questions of two answerers, and tells how their answers differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bot.asking.questions import AnswerService
from bot.replay.logged import LoggedQuestion
from bot.slack.audience import of_documents
from retrieval.errors import QuestionError
from retrieval.progress import Progress
from retrieval.records import Answer, AnswerRequest

AT_ONCE = 8
"""Questions asked at the same time: a generator writes their answers together."""

AnswerChange = Literal["same", "words", "passages", "answered", "silent"]

CHANGES: Mapping[AnswerChange, str] = {
    "same": "the same answer",
    "words": "other words from the same passages",
    "passages": "an answer from other passages",
    "answered": "an answer where there was none",
    "silent": "no answer where there was one",
}
"""Every change, in words."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A question with what is answered now and what a candidate would answer."""

    logged: LoggedQuestion
    now: Answer
    then: Answer

    @property
    def change(self) -> AnswerChange:
        """How the candidate's answer differs from what serves."""
        if self.now.kind != self.then.kind:
            return "answered" if self.now.kind == "abstention" else "silent"
        if self.now.text == self.then.text:
            return "same"
        return "words" if _cited(self.now) == _cited(self.then) else "passages"


@dataclass(frozen=True, slots=True)
class Replay:
    """What asking again came to. `refused` counts questions that cannot be asked any more."""

    replayed: Sequence[Replayed]
    refused: int

    @property
    def counts(self) -> dict[AnswerChange, int]:
        """How many questions change in which way, all ways in their order."""
        found = Counter(replayed.change for replayed in self.replayed)
        return {change: found[change] for change in CHANGES}

    @property
    def seconds(self) -> tuple[float, float]:
        """The median time to an answer, now and then; 0 where nothing was asked."""
        now = [replayed.now.timings["total"] for replayed in self.replayed]
        then = [replayed.then.timings["total"] for replayed in self.replayed]
        return (median(now), median(then)) if self.replayed else (0.0, 0.0)


def replay(
    questions: Sequence[LoggedQuestion],
    served: AnswerService,
    candidate: AnswerService,
    *,
    on_progress: Progress = lambda *_: None,
) -> Replay:
    """Ask both every question, for the audience that it was asked for."""
    replayed: list[Replayed] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = pool.map(lambda question: _asked(question, served, candidate), questions)
        for done, result in enumerate(asked, start=1):
            replayed += [] if result is None else [result]
            on_progress("answering", done, len(questions))
    return Replay(replayed, len(questions) - len(replayed))


def _asked(
    logged: LoggedQuestion, served: AnswerService, candidate: AnswerService
) -> Replayed | None:
    request = _request(logged)
    try:
        return Replayed(logged, served.answer(request), candidate.answer(request))
    except QuestionError:  # longer, joined to its thread, than a question may be
        return None


def _request(logged: LoggedQuestion) -> AnswerRequest:
    config = logged.config
    return AnswerRequest(
        logged.question,
        audience=of_documents(logged.audience),
        sources=config.sources,
        threshold=config.threshold,
        language=None if config.language == "auto" else config.language,
    )


def _cited(answer: Answer) -> set[str]:
    return {citation.passage.content_hash for citation in answer.citations}
