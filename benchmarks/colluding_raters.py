"""What is learned of people who agreed to rate against the truth, among honest ones.

    python -m benchmarks.colluding_raters [--seeds N] [--colluders N…]

A log of half a year is made up: 40 people ask 10 questions a week, an answer in ten is wrong, two
or three others rate each, wrongly one time in twenty, and an expert every fifth. Colluders come
besides, and everything they do is within the limits of export. They `contradict` what others rate,
or `promote` one passage: ask about everything else, get it as the answer, and like it all together;
`scattered` ones take turns at that, two at a time; `patient` ones also rate truly elsewhere, which
has them trusted. Counted are the examples that teach what is false, by what they are for: training
(and how much of it that is), and the gate, which models and thresholds are judged by. `lost` are
the true lessons that are not learned any more. Approved answers are made by experts alone and rest
on no vote.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from statistics import fmean
from typing import Literal

from bot.export.building import ExportCorpus, build
from bot.export.records import (
    ExampleDraft,
    ExportedTurn,
    Log,
    Policy,
    RatingEvent,
    ShownPassage,
)
from retrieval.examples import PassageText
from tests.retrieval.word_embedder import WordEmbedder

Strategy = Literal["contradict", "promote", "scattered", "patient"]
STRATEGIES: tuple[Strategy, ...] = ("contradict", "promote", "scattered", "patient")

WEEKS, QUESTIONS, HONEST = 26, 10, 40
WRONG, SLIPS = 0.1, 0.05
BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
EXPERT, TARGET = "expert", "target"


@dataclass(frozen=True)
class Lessons:
    """What an export holds: false examples to train on and in the gate, and how much that is."""

    trained: int
    false: int
    judged: int
    false_judged: int
    lost: int = 0

    @property
    def share(self) -> float:
        """The share of the examples to train on that teach what is false."""
        return self.false / max(1, self.trained)


class _Diary:
    """A log that grows."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.turns: list[ExportedTurn] = []
        self.events: list[RatingEvent] = []
        self._numbers = count(1)

    def ask(self, topic: int, asker: str, cited: str, week: int) -> ExportedTurn:
        """A question about a topic that is answered from a passage."""
        at = BEGIN + timedelta(weeks=week)
        question = f"How does topic{topic} behave with part{topic} and area{topic}?"
        shown = (ShownPassage(cited, f"{cited}.md", number=1, support=1.0),)
        turn = ExportedTurn(
            id=f"t{topic}",
            asker=asker,
            channel="C1",
            audience=frozenset({"public"}),
            question=question,
            language="en",
            is_abstention=False,
            answer=f"As {cited} says. [1]",
            passages=shown,
            created=at.isoformat(),
        )
        self.turns.append(turn)
        return turn

    def rate(self, turn: ExportedTurn, rater: str, *, is_good: bool) -> None:
        """Somebody's thumb."""
        value: Literal[-1, 1] = 1 if is_good else -1
        self.events.append(RatingEvent(next(self._numbers), turn.id, rater, value, at=turn.created))


def passage_of(topic: int) -> str:
    """The content hash of the passage that is right for a topic."""
    return f"passage{topic}"


def make_log(colluders: int, strategy: Strategy, seed: int) -> Log:
    """Half a year of honest people, an expert and so many colluders."""
    diary, own = _Diary(seed), Random(seed)
    honest = [f"honest{n}" for n in range(HONEST)]
    bad = [f"colluder{n}" for n in range(colluders)]
    topics, others = count(1), count(10_000)
    for week in range(WEEKS):
        asked = [_asked(diary, next(topics), week, honest) for _ in range(QUESTIONS)]
        if strategy in ("contradict", "patient"):
            for turn in asked:
                is_right = _is_true(turn.question, turn.passages[0].content_hash)
                for rater in bad:
                    diary.rate(turn, rater, is_good=is_right == (strategy == "patient"))
        if strategy != "contradict":
            # Ratings beyond 20 a week do not count.
            room = QUESTIONS if strategy == "patient" else 2 * QUESTIONS
            for n in range(room if bad else 0):
                turn = diary.ask(next(others), bad[n % len(bad)], TARGET, week)
                few = own.sample(bad, min(2, len(bad)))
                for rater in few if strategy == "scattered" else bad:
                    diary.rate(turn, rater, is_good=True)
    people = frozenset({*honest, *bad, EXPERT})
    return Log(
        turns=tuple(diary.turns),
        events=tuple(diary.events),
        experts={"": frozenset({EXPERT})},
        consenting=people,
    )


def _asked(diary: _Diary, topic: int, week: int, honest: Sequence[str]) -> ExportedTurn:
    random = diary.random
    asker, *raters = random.sample(honest, random.choice((3, 4)))
    cited = passage_of(topic + 5_000 if random.random() < WRONG else topic)
    turn = diary.ask(topic, asker, cited, week)
    is_right = _is_true(turn.question, cited)
    for rater in raters:
        diary.rate(turn, rater, is_good=is_right != (random.random() < SLIPS))
    if topic % 5 == 0:
        diary.rate(turn, EXPERT, is_good=is_right)
    return turn


def _is_true(question: str, cited: str) -> bool:
    return f"topic{cited.removeprefix('passage')} " in question


def lessons(colluders: int, strategy: Strategy, seed: int) -> Lessons:
    """What the export of such a log teaches, beside that of the honest people alone."""
    alone = _true(_exported(0, strategy, seed))
    splits = _exported(colluders, strategy, seed)
    trained, judged = [*splits["train"], *splits["dev"]], splits["held-out"]
    return Lessons(
        len(trained),
        sum(_teaches_falsely(draft) for draft in trained),
        len(judged),
        sum(_teaches_falsely(draft) for draft in judged),
        len(alone - _true(splits)),
    )


def _exported(colluders: int, strategy: Strategy, seed: int) -> dict[str, list[ExampleDraft]]:
    log = make_log(colluders, strategy, seed)
    hashes = {shown.content_hash for turn in log.turns for shown in turn.passages}
    texts = {name: PassageText(f"{name}.md", name, name, f"What {name} says.") for name in hashes}
    corpus = ExportCorpus(texts, frozenset(hashes))
    frozen = build(log, corpus, WordEmbedder(dimension=4096), policy=Policy())
    return {name: list(drafts) for name, drafts in frozen.splits.items()}


def _true(splits: dict[str, list[ExampleDraft]]) -> set[str]:
    return {
        draft.example.id
        for drafts in splits.values()
        for draft in drafts
        if not _teaches_falsely(draft)
    }


def _teaches_falsely(draft: ExampleDraft) -> bool:
    example = draft.example
    return example.is_good != _is_true(example.question, example.passages[0].content_hash)


def rows(colluders: Sequence[int], seeds: int) -> Iterator[str]:
    """The table, line by line."""
    heads = f"{'trained':>9}{'false':>7}{'share':>8}{'gate':>6}{'false':>7}{'lost':>6}"
    yield f"{'colluders':>10}{'':>12}{heads}"
    for number in (0, *colluders):
        for strategy in STRATEGIES if number else STRATEGIES[:1]:
            found = [lessons(number, strategy, seed) for seed in range(seeds)]
            yield (
                f"{number:>10}{strategy if number else '':>12}"
                f"{fmean(f.trained for f in found):>9.0f}{fmean(f.false for f in found):>7.1f}"
                f"{fmean(f.share for f in found):>8.1%}{fmean(f.judged for f in found):>6.0f}"
                f"{fmean(f.false_judged for f in found):>7.1f}{fmean(f.lost for f in found):>6.0f}"
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--colluders", type=int, nargs="+", default=[1, 3, 10])
    arguments = parser.parse_args()
    for row in rows(arguments.colluders, arguments.seeds):
        print(row, flush=True)


if __name__ == "__main__":
    main()
