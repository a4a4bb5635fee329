"""The regression set: questions frozen once and for all, which no later model may answer worse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.export.provenance import Provenance
from bot.export.records import ExampleDraft, Exclusion
from retrieval.examples import REGRESSION, content_id, read_examples, write_examples

MIN_QUESTIONS = 50
"""Fewer questions than this would let chance stop a model. At least as many stay held out."""

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
            self._folder.mkdir(parents=True, exist_ok=True)
            write_examples(self._folder, REGRESSION, [draft.example for draft in chosen])
        return len({draft.example.question for draft in chosen})

    def apart_from(
        self, held_out: Sequence[ExampleDraft]
    ) -> tuple[list[ExampleDraft], list[Exclusion]]:
        """What is held out without what is as good as a frozen question, and that."""
        if not self.is_frozen:
            return list(held_out), []
        questions = {example.question for example in read_examples(self._folder, REGRESSION)}
        frozen = {_cluster(draft) for draft in held_out if draft.example.question in questions}
        return (
            [draft for draft in held_out if _cluster(draft) not in frozen],
            [
                Exclusion("example", draft.example.id, "frozen")
                for draft in held_out
                if _cluster(draft) in frozen
            ],
        )

    def forget(self, person: str) -> None:
        """Take out what a person had a part in; for ever, and without freezing others instead."""
        gone = self._provenance.examples_of(person, REGRESSION)
        if gone and self.is_frozen:
            frozen = read_examples(self._folder, REGRESSION)
            kept = [example for example in frozen if example.id not in gone]
            write_examples(self._folder, REGRESSION, kept)


def choose(held_out: Sequence[ExampleDraft]) -> list[ExampleDraft]:
    """All that is known of half of the questions, in whole clusters; nothing if that is too few."""
    testing = [draft for draft in held_out if draft.example.kind in ("pair", "answer")]
    clusters: dict[str, set[str]] = {}
    for draft in testing:
        clusters.setdefault(_cluster(draft), set()).add(draft.example.question)
    most = min(MAX_QUESTIONS, sum(map(len, clusters.values())) // 2)
    chosen: set[str] = set()
    # Neither the alphabet nor the calendar picks them.
    for cluster in sorted(clusters, key=content_id):
        if len(chosen | clusters[cluster]) <= most:
            chosen |= clusters[cluster]
    if len(chosen) < MIN_QUESTIONS:
        return []
    return [draft for draft in testing if draft.example.question in chosen]


def _cluster(draft: ExampleDraft) -> str:
    return draft.example.cluster or draft.example.question
