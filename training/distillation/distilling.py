"""Distillation from its plan to a folder of rows: what it will take, and what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import DataError
from retrieval.examples import SPLITS, Example, Split, dataset_hash, write_examples
from retrieval.index.searcher import Searcher
from retrieval.llm.generator import Generator
from retrieval.progress import Progress
from retrieval.registry.folders import building, new_folder
from retrieval.settings import Settings
from training.cost import Cost
from training.distillation.lessons import LOSSES, PROMPTS_VERSION, Lecture, Lessons
from training.distillation.teacher import Teacher

Price = tuple[float, float]
"""What a million tokens cost that a teacher reads, and a million that it writes."""

_MADE_UP = "The lamp at the north pier is painted in spring by whoever is on watch that week. "
"""What the teacher's speed is measured with: nothing that anybody wrote."""

_WRITTEN = 32

LOCAL_AT_ONCE = 8
"""So many things are asked of a model on this machine at once, which writes them together."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a teacher is going to be asked at most, and what it has said before.

    It may see `shown` of all `passages`. `seconds` are about what the calls `left` take.
    """

    teacher: str
    questions: int
    passages: int
    shown: int
    known: int
    left: Cost
    seconds: float


@dataclass(frozen=True)
class Distillation:
    """A model that teaches what the documents say that a searcher finds, `at_once` so many things.

    The settings are the pupil's.
    """

    model: Generator
    searcher: Searcher
    settings: Settings
    at_once: int

    def plan(self, questions: int) -> Plan:
        """What so many questions will take; the teacher hears nothing of the documents yet.

        Raises:
            DataError: If there is no passage that a teacher may see.
        """
        teacher = self._teacher(is_silent=True)
        lecture = self._lecture(teacher)
        if not lecture.passages:
            raise DataError("no passage is for everybody, and others are shown to no teacher")
        wanted = min(questions, lecture.most)
        dropped = lecture.hold(wanted).dropped
        unasked = dropped.get("unasked_question", 0)
        left = lecture.largest_cost(unasked, unasked + dropped.get("unasked_answer", 0))
        return Plan(
            teacher=teacher.id,
            questions=wanted,
            passages=len(self.searcher.index.passages),
            shown=lecture.passages,
            known=teacher.cost.calls,
            left=left,
            seconds=self._seconds(left.calls),
        )

    def teach(
        self,
        questions: int,
        *,
        price: Price | None = None,
        on_progress: Progress = lambda *_: None,
    ) -> Path:
        """Have so many questions asked and answered; the folder of the rows.

        The folder is in the format of `retrieval.examples`, with all rows in `train.jsonl`. What is
        broken off goes on where it was when it is called again.

        Raises:
            EndpointUnreachableError: If the teacher is behind an endpoint that fails.
            RefusedError: If the endpoint wants another key, or has no such model.
        """
        teacher = self._teacher()
        lessons = self._lecture(teacher).hold(questions, on_progress=on_progress)
        splits: dict[Split, tuple[Example, ...]] = {"train": lessons.examples}
        home = self.settings.distilled_folder
        target = home / dataset_hash(splits)
        with building(home):
            if not target.exists():
                with new_folder(home, name=target.name) as beside:
                    for split in SPLITS:
                        write_examples(beside, split, splits.get(split, ()))
                    text = card(teacher, lessons, price)
                    (beside / "card.md").write_text(text, encoding="utf-8")
        return target

    def _teacher(self, *, is_silent: bool = False) -> Teacher:
        return Teacher(self.model, self.settings.distilled_folder, is_silent=is_silent)

    def _lecture(self, teacher: Teacher) -> Lecture:
        return Lecture(self.searcher, teacher, self.settings, at_once=self.at_once)

    def _seconds(self, calls: int) -> float:
        """About how long so many calls take, by one about nothing."""
        if not calls:
            return 0.0
        times = self.settings.prompt_tokens // self.model.count_tokens(_MADE_UP)
        began = time.monotonic()
        self.model.generate([("user", _MADE_UP * times)], max_tokens=_WRITTEN)
        return (time.monotonic() - began) * calls / self.at_once


def card(teacher: Teacher, lessons: Lessons, price: Price | None) -> str:
    """Who taught what came of it, what that took and what was dropped, in Markdown."""
    rows, cost = lessons.examples, teacher.cost
    silent = sum(not row.is_good for row in rows)
    paid = f", for {cost.of(price):.2f}" if price else ""
    asked = (
        f"With prompts {PROMPTS_VERSION}, of passages that everybody may read: {cost.calls} calls, "
        f"{cost.tokens_read:,} tokens read, {cost.tokens_written:,} written{paid}."
    )
    kept = (
        f"{len(rows)} of {lessons.questions} questions were kept: {len(rows) - silent} with an "
        f"answer that the passages support, {silent} to decline. They are synthetic: learned from, "
        "never judged by."
    )
    lines = [
        f"# Taught by {teacher.id}",
        "",
        asked,
        "",
        kept,
        "",
    ]
    if lessons.dropped:
        lines += ["| dropped | why |", "|---|---|"]
    lines += [f"| {count} | {LOSSES[loss]} (`{loss}`) |" for loss, count in lessons.dropped.items()]
    return "\n".join(lines) + "\n"
