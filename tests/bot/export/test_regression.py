from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.export.provenance import Provenance
from bot.export.records import ExampleDraft
from bot.export.regression import MAX_QUESTIONS, MIN_QUESTIONS, RegressionSet, choose
from bot.store.database import Database
from retrieval.examples import REGRESSION, Example, read_examples
from tests.bot.export.logs_by_hand import LEAVE, NOON


def held_out(count: int, *, of: str = "day") -> list[ExampleDraft]:
    """Two drafts for each question, owed to one of five people."""
    return [
        ExampleDraft(
            _example(f"What about {of} {n}?", kind), frozenset({f"t{n}"}), people=people(n)
        )
        for n in range(count)
        for kind in ("pair", "judgement")
    ]


def people(n: int) -> frozenset[str]:
    return frozenset({f"U{n % 5}"})


def _example(question: str, kind: str) -> Example:
    return Example(
        id=f"{kind} {question}", kind=kind, question=question, language="en", passages=(LEAVE,),  # type: ignore[arg-type]
        source="approved", day=NOON[:10],
    )  # fmt: skip


@pytest.fixture
def regression(database: Database, tmp_path: Path) -> RegressionSet:
    return RegressionSet(tmp_path, Provenance(database))


def asked(drafts: Sequence[ExampleDraft | Example]) -> set[str]:
    return {
        (draft.example if isinstance(draft, ExampleDraft) else draft).question for draft in drafts
    }


def test_too_few_questions_are_not_frozen(regression: RegressionSet) -> None:
    regression.freeze(held_out(2 * MIN_QUESTIONS - 1), at=NOON)
    assert not regression.is_frozen


def test_the_first_that_are_enough_are_frozen_once_and_for_all(
    regression: RegressionSet, tmp_path: Path
) -> None:
    first = held_out(2 * MIN_QUESTIONS)
    assert regression.freeze(first, at=NOON) == MIN_QUESTIONS
    assert regression.freeze(held_out(3 * MIN_QUESTIONS, of="week"), at=NOON) == 0
    assert asked(read_examples(tmp_path, REGRESSION)) == asked(choose(first))


def test_what_is_frozen_or_as_good_is_not_held_out_as_well(
    regression: RegressionSet, tmp_path: Path
) -> None:
    drafts = [draft.within(f"c{n // 4}") for n, draft in enumerate(held_out(2 * MIN_QUESTIONS))]
    assert regression.apart_from(drafts) == (drafts, [])
    regression.freeze(drafts, at=NOON)
    kept, set_aside = regression.apart_from(drafts)
    clusters = {example.cluster for example in read_examples(tmp_path, REGRESSION)}
    assert clusters.isdisjoint(draft.example.cluster for draft in kept)
    assert len(asked(kept)) == MIN_QUESTIONS
    assert len(kept) + len(set_aside) == len(drafts)
    assert {exclusion.reason for exclusion in set_aside} == {"frozen"}


def test_of_many_questions_the_same_ones_are_always_chosen() -> None:
    many = held_out(2 * MAX_QUESTIONS + 40)
    assert len(asked(choose(many))) == MAX_QUESTIONS
    assert asked(choose(many)) == asked(choose(many[::-1]))
    assert {draft.example.kind for draft in choose(many)} == {"pair"}


def test_only_what_a_forgotten_person_had_a_part_in_is_taken_out(
    regression: RegressionSet, database: Database, tmp_path: Path
) -> None:
    drafts = held_out(2 * MIN_QUESTIONS)
    regression.freeze(drafts, at=NOON)
    people_of = {draft.example.id: draft.people for draft in choose(drafts)}
    regression.forget("U1")
    Provenance(database).forget("U1", tmp_path)
    left = {example.id for example in read_examples(tmp_path, REGRESSION)}
    assert left == {id_ for id_, people in people_of.items() if "U1" not in people}
    assert Provenance(database).examples_of("U1", REGRESSION) == set()
    regression.forget("U2")
    left = {example.id for example in read_examples(tmp_path, REGRESSION)}
    assert left == {id_ for id_, people in people_of.items() if not {"U1", "U2"} & people}
