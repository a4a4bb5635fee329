from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.export.records import Log, RatingEvent
from bot.export.verdicts import consolidate, trust_of, unproven, verdict, within_week
from bot.store.log import Value
from tests.bot.export.logs_by_hand import ASKER, EXPERT, OTHER, log_of, rating, turn

GOOD: Value = 1
BAD: Value = -1
VALUES: st.SearchStrategy[Value] = st.sampled_from((-1, 1))
EVENTS = st.lists(
    st.builds(
        rating,
        turn_id=st.sampled_from(("t1", "t2")),
        rater=st.sampled_from((ASKER, OTHER)),
        value=VALUES,
        is_withdrawn=st.booleans(),
        at=st.integers(0, 40).map(
            lambda day: (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)).isoformat()
        ),
    ),
    max_size=30,
).map(lambda events: [numbered(n, event) for n, event in enumerate(events)])


def numbered(number: int, event: RatingEvent) -> RatingEvent:
    return RatingEvent(
        number, event.turn_id, event.rater, event.value, event.at, event.is_withdrawn
    )


@given(EVENTS)
def test_the_last_event_of_each_person_on_each_turn_counts(events: list[RatingEvent]) -> None:
    last = {(event.turn_id, event.rater): event for event in events}
    assert set(consolidate(events)) == {e for e in last.values() if not e.is_withdrawn}


@given(EVENTS, st.randoms())
def test_the_order_in_which_events_are_read_does_not_matter(
    events: list[RatingEvent], random: st.DataObject
) -> None:
    mixed = list(events)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert consolidate(mixed) == consolidate(events)


@given(EVENTS, st.integers(0, 5))
def test_nobody_has_more_votes_in_a_week_than_allowed(events: list[RatingEvent], most: int) -> None:
    kept, rest = within_week(events, most)
    weeks = Counter((v.rater, datetime.fromisoformat(v.at).isocalendar()[:2]) for v in kept)
    assert max(weeks.values(), default=0) <= most
    assert len(kept) + len(rest) == len(events)


def test_imported_votes_have_no_week() -> None:
    ratings = [rating(f"t{n}", number=n, is_imported=True) for n in range(50)]
    assert len(within_week(ratings, 20)[0]) == 50


def test_who_votes_against_everybody_is_not_trusted() -> None:
    ratings = [
        rating(f"t{n}", rater, BAD if rater == "U0TROLL" else GOOD, number=10 * n)
        for n in range(10)
        for rater in (ASKER, OTHER, "U0TROLL")
    ]
    trust = trust_of(ratings, log_of(*(turn(f"t{n}") for n in range(10))))
    assert trust["U0TROLL"] == 0
    assert trust[ASKER] > 0.8


def test_a_third_of_hostile_raters_are_found_and_nobody_else_is() -> None:
    random = Random(0)
    raters = [f"U0RATER{n:02}" for n in range(40)]
    hostile = set(raters[:12])
    ratings: list[RatingEvent] = []
    for n in range(400):
        for rater in random.sample(raters, 3):
            is_honest = rater not in hostile and random.random() > 0.18
            value = GOOD if is_honest == (n % 2 == 0) else BAD
            ratings.append(rating(f"t{n}", rater, value, number=len(ratings)))
    trust = trust_of(ratings, log_of(*(turn(f"t{n}") for n in range(400))))
    assert {rater for rater in raters if trust[rater] == 0} == hostile


def test_an_expert_outweighs_a_crowd() -> None:
    crowd = [f"U0CROWD{n}" for n in range(5)]
    ratings = [
        rating(f"t{n}", rater, GOOD if rater == EXPERT else BAD)
        for n in range(12)
        for rater in (*crowd, EXPERT)
    ]
    trust = trust_of(ratings, log_of(*(turn(f"t{n}") for n in range(12))))
    assert [trust[rater] for rater in crowd] == [0] * 5


def test_a_crowd_that_experts_contradict_is_no_majority_elsewhere() -> None:
    crowd, honest = [f"U0CROWD{n}" for n in range(6)], (ASKER, OTHER)
    ratings = [
        rating(f"t{n}", rater, BAD if rater in crowd else GOOD)
        for n in range(60)
        for rater in (*crowd, *honest, *((EXPERT,) if n % 6 == 0 else ()))
    ]
    trust = trust_of(ratings, log_of(*(turn(f"t{n}") for n in range(60))))
    assert [trust[rater] for rater in crowd] == [0] * 6
    assert min(trust[rater] for rater in honest) > 0.8


def checked(*, by_experts: int, raters: int = 8) -> tuple[list[RatingEvent], Log]:
    """Each person rates five answers of others, some of which experts rate, too."""
    ratings = [rating(f"t{n}", f"U0RATER{n % raters}", GOOD, number=n) for n in range(5 * raters)]
    ratings += [rating(f"t{n}", EXPERT, GOOD, number=900 + n) for n in range(by_experts)]
    return ratings, log_of(*(turn(f"t{n}") for n in range(5 * raters)))


def test_who_rates_only_what_nobody_else_rates_is_unproven() -> None:
    ratings, log = checked(by_experts=16)
    ratings += [
        rating(f"u{n}", f"U0COLLUDER{(n + k) % 4}", GOOD, number=2_000 + 10 * n + k)
        for n in range(40)
        for k in (0, 1)
    ]
    found = unproven(ratings, log, trust_of(ratings, log))
    assert found == {f"U0COLLUDER{n}" for n in range(4)}


def test_whoever_agrees_with_the_proven_is_proven() -> None:
    ratings, log = checked(by_experts=16)
    ratings += [rating(f"t{n}", "U0NEW", GOOD, number=3_000 + n) for n in (20, 21)]
    assert not unproven(ratings, log, trust_of(ratings, log))


@pytest.mark.parametrize("by_experts", [0, 8])
def test_where_few_are_proven_nobody_is_told(by_experts: int) -> None:
    ratings, log = checked(by_experts=by_experts)
    assert not unproven(ratings, log, trust_of(ratings, log))


def test_few_comparisons_distrust_nobody() -> None:
    ratings = [
        rating(f"t{n}", rater, v) for n in range(4) for rater, v in ((ASKER, GOOD), (OTHER, BAD))
    ]
    assert min(trust_of(ratings, log_of(turn())).values()) > 0


@given(st.lists(st.tuples(st.sampled_from(("U1", "U2", "U3", EXPERT)), VALUES), max_size=8))
def test_weights_are_shares_and_an_expert_decides(cast: list[tuple[str, Value]]) -> None:
    ratings = [rating("t1", rater, value) for rater, value in dict(cast).items()]
    log = log_of(turn())
    found = verdict(ratings, {"t1": turn()}, {v.rater: 0.8 for v in ratings}, log)
    assert (0 < found.weight <= 1) == (found.word != "undecided")
    if EXPERT in dict(cast):
        assert found.is_expert
        assert found.word == ("good" if dict(cast)[EXPERT] == 1 else "bad")


def test_people_who_disagree_decide_nothing() -> None:
    ratings = [rating(), rating(rater=OTHER, value=-1)]
    found = verdict(ratings, {"t1": turn()}, {ASKER: 0.8, OTHER: 0.8}, log_of(turn()))
    assert (found.word, found.reason) == ("undecided", "contradictory")


def test_two_who_agree_weigh_more_than_the_asker_alone() -> None:
    trust = {ASKER: 0.8, OTHER: 0.8, "U3": 0.8}
    alone = verdict([rating()], {"t1": turn()}, trust, log_of(turn()))
    both = verdict([rating(rater=OTHER), rating(rater="U3")], {"t1": turn()}, trust, log_of(turn()))
    assert alone.weight < 0.75 <= both.weight


def test_only_distrusted_raters_are_none() -> None:
    found = verdict([rating()], {"t1": turn()}, {ASKER: 0.0}, log_of(turn()))
    assert found.reason == "distrusted_raters"
