"""The regression set: questions frozen once and for all, which no later model may answer worse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.export.provenance import Provenance
from bot.export.records import ExampleDraft
from retrieval.examples import REGRESSION, content_id, read_examples, write_examples

MIN_QUESTIONS = 50
"""Fewer questions than this would let chance stop a model."""

MAX_QUESTIONS = 200
"""On half as many, chance would stop every other candidate that is as much better as most are."""


class RegressionSet:
    """`regression.jsonl` beside the data sets; delete the file to have it frozen anew."""

    def __init__(self, folder: Path, provenance: Provenance) -> None:
        self._folder = folder
        self._provenance = provenance

    @property
    def is_frozen(self) -> bool:
        """Whether questions were set aside already."""
        return (self._folder / f"{REGRESSION}.jsonl").is_file()

    def freeze(self, held_out: Sequence[ExampleDraft], *, at: str) -> int:
        """Freeze some of what is held out, if it is enough and nothing was frozen before.

        Returns:
            How many questions were frozen now.
        """
        chosen = [] if self.is_frozen else choose(held_out)
        if chosen:
            self._provenance.record(REGRESSION, {"held-out": chosen}, at=at)
            write_examples(self._folder, REGRESSION, [draft.example for draft in chosen])
        return len({draft.example.question for draft in chosen})

    def forget(self, person: str) -> None:
        """Take out what a person had a part in; for ever, and without freezing others instead."""
        gone = self._provenance.examples_of(person, REGRESSION)
        if gone and self.is_frozen:
            frozen = read_examples(self._folder, REGRESSION)
            kept = [example for example in frozen if example.id not in gone]
            write_examples(self._folder, REGRESSION, kept)


def choose(held_out: Sequence[ExampleDraft]) -> list[ExampleDraft]:
    """All that is known of so many questions; nothing if there are too few."""
    testing = [draft for draft in held_out if draft.example.kind in ("pair", "answer")]
    # Neither the alphabet nor the calendar picks them.
    questions = sorted({draft.example.question for draft in testing}, key=content_id)
    if len(questions) < MIN_QUESTIONS:
        return []
    chosen = set(questions[:MAX_QUESTIONS])
    return [draft for draft in testing if draft.example.question in chosen]
