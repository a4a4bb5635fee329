from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bot.export.caps import within_share
from bot.export.records import ExampleDraft
from retrieval.examples import Example


def draft(number: int, raters: frozenset[str], weight: float = 1.0) -> ExampleDraft:
    example = Example(
        str(number), "pair", f"q{number}", "en", (), "votes", "2026-01-05", weight=weight
    )
    return ExampleDraft(example, raters=raters)


DRAFTS = st.lists(
    st.tuples(
        st.frozensets(st.sampled_from([f"U{n}" for n in range(30)]), max_size=3),
        st.sampled_from((0.3, 0.5, 1.0)),
    ),
    max_size=120,
).map(lambda rows: [draft(n, raters, weight) for n, (raters, weight) in enumerate(rows)])


@given(DRAFTS, st.sampled_from((0.05, 0.2)))
def test_nobody_makes_up_more_than_the_share(drafts: list[ExampleDraft], share: float) -> None:
    kept, rest = within_share(drafts, share)
    parts: defaultdict[str, Fraction] = defaultdict(Fraction)
    for draft in kept:
        for rater in draft.raters:
            parts[rater] += Fraction(1, len(draft.raters))
    assert max(parts.values(), default=0) <= share * len(kept)
    assert sorted(d.example.id for d in (*kept, *rest)) == sorted(d.example.id for d in drafts)


@given(DRAFTS)
def test_what_rests_on_no_votes_is_always_kept(drafts: list[ExampleDraft]) -> None:
    kept, _ = within_share(drafts, 0.05)
    assert {d.example.id for d in drafts if not d.raters} <= {d.example.id for d in kept}


def test_ten_colluding_raters_fill_no_set() -> None:
    drafts = [draft(n, frozenset({f"U{n % 10}"})) for n in range(500)]
    assert within_share(drafts, 0.05)[0] == []


def test_many_raters_are_all_kept() -> None:
    drafts = [draft(n, frozenset({f"U{n % 40}"})) for n in range(400)]
    assert len(within_share(drafts, 0.05)[0]) == 400


def test_twenty_raters_who_agree_in_pairs_are_enough() -> None:
    drafts = [draft(n, frozenset({f"U{n % 20}", f"U{(n + 1) % 20}"})) for n in range(200)]
    assert len(within_share(drafts, 0.05)[0]) == 200


def test_a_pair_of_ten_fills_no_set_either() -> None:
    drafts = [draft(n, frozenset({f"U{n % 10}", f"U{(n + 1) % 10}"})) for n in range(200)]
    assert within_share(drafts, 0.05)[0] == []


def test_people_who_always_rate_together_count_as_one() -> None:
    crowd = [draft(n, frozenset({f"U{n % 40}"})) for n in range(400)]
    clique = frozenset({f"V{n}" for n in range(10)})
    kept, _ = within_share([*crowd, *(draft(1_000 + n, clique) for n in range(400))], 0.05)
    assert len([d for d in kept if d.raters & clique]) == 21
    assert len([d for d in kept if not d.raters & clique]) == 400


def test_somebody_who_rates_everything_takes_no_lesson_of_others_away() -> None:
    pairs = [frozenset({f"U{n % 40}", f"U{(n + 7) % 40}"}) for n in range(400)]
    kept, _ = within_share([draft(n, pair | {"V"}) for n, pair in enumerate(pairs)], 0.05)
    assert len(kept) == 400
    assert sum(Fraction(1, len(d.raters)) for d in kept if "V" in d.raters) <= 20
