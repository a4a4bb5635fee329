from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.export.building import ExportCorpus, build, distinct
from bot.export.freezing import FrozenDataset
from bot.export.records import ExampleDraft, ExportedTurn, Log, Policy, RatingEvent
from retrieval.examples import Example, PassageText
from tests.bot.export.logs_by_hand import CORPUS, EXPERT, LEAVE, log_of, rating, turn
from tests.retrieval.word_embedder import WordEmbedder

TOPICS = ("leave", "vpn", "travel", "salary", "printer", "canteen", "parking", "laptop", "badge")
VOTERS = tuple(f"U0VOTER{n:02}" for n in range(30))


def frozen(
    log: Log, corpus: ExportCorpus = CORPUS, ever_held_out: Sequence[str] = ()
) -> FrozenDataset:
    return build(log, corpus, WordEmbedder(), policy=Policy(), ever_held_out=ever_held_out)


def busy_log(seed: int = 0, turns: int = 60) -> Log:
    """Many questions about few topics, so that some are alike, with votes by many people."""
    random = Random(seed)
    asked = [_asked(n, random) for n in range(turns)]
    events = [
        rating(one.id, rater, random.choice((1, 1, 1, -1)), number=9 * n + m, at=one.created)
        for n, one in enumerate(asked)
        for m, rater in enumerate(random.sample((*VOTERS, EXPERT), 3))
    ]
    return log_of(*asked, events=tuple(events))


def _asked(n: int, random: Random) -> ExportedTurn:
    one, other = random.sample(TOPICS, 2)
    created = f"2026-0{1 + n % 6}-{1 + n % 28:02}T09:00:00+00:00"
    return turn(
        f"t{n}",
        f"What about {one} {n % 7} and the {other} of {n % 11}?",
        asker=random.choice(VOTERS),
        answer=f"It is {n}. [1]",
        created=created,
    )


@pytest.mark.slow
@settings(max_examples=20)
@given(st.integers(0, 1_000))
def test_the_same_log_in_any_order_gives_the_same_hash(seed: int) -> None:
    log = busy_log(seed)
    mixed: list[RatingEvent] = list(log.events)
    Random(seed).shuffle(mixed)
    other = replace(log, turns=tuple(reversed(log.turns)), events=tuple(mixed))
    assert frozen(log).name == frozen(other).name


@pytest.mark.slow
@settings(max_examples=20)
@given(st.integers(0, 1_000))
def test_what_was_held_out_once_is_never_trained_on_by_a_later_set(seed: int) -> None:
    early = frozen(busy_log(seed))
    held_out = sorted({d.example.question for d in early.splits["held-out"]})
    later = frozen(busy_log(seed, turns=120), ever_held_out=held_out)
    trained = {d.example.question for d in (*later.splits["train"], *later.splits["dev"])}
    assert not trained & set(held_out)
    assert later.leakage.shared_clusters == 0


def test_a_held_out_question_keeps_its_paraphrases_out_though_its_own_turn_is_gone() -> None:
    log = log_of(turn(question="How many days of leave do we have?"), events=(rating(),))
    found = frozen(log, ever_held_out=["How many days of leave do we have here?"])
    assert not any(found.splits.values())
    assert set(found.excluded) == {"held_out_cluster"}


def test_one_raters_votes_fill_no_set() -> None:
    log = busy_log()
    alone = tuple(event for event in log.events if event.rater == VOTERS[0])
    found = frozen(replace(log, events=alone))
    assert found.splits["train"] == []
    assert found.excluded["rater_cap"] > 0


def test_a_changed_document_retires_its_examples() -> None:
    log = busy_log()
    kept = {"vpn": CORPUS.passages["vpn"]}
    found = frozen(log, ExportCorpus(kept, frozenset(kept)))
    assert not any(found.splits.values())
    assert found.excluded["document_changed"] > 0


def test_a_synthetic_example_is_never_held_out() -> None:
    made = Example("s", "pair", "What about leave?", "en", (LEAVE,), "synthetic", "2025-12-31")
    found = build(
        busy_log(), CORPUS, WordEmbedder(), policy=Policy(), synthetic=[made], ever_held_out=()
    )
    assert "synthetic" not in found.counts("source")["held-out"]
    assert found.counts("source")["train"]["synthetic"] == 1


def test_near_duplicates_are_merged_and_owed_to_the_people_of_both() -> None:
    one = Example("1", "pair", "q", "en", (LEAVE,), "votes", "2026-01-05", weight=0.4)
    drafts = [
        ExampleDraft(one, people=frozenset({"U1"}), raters=frozenset({"U1"})),
        ExampleDraft(
            replace(one, id="2", weight=0.9), people=frozenset({"U2"}), raters=frozenset("2")
        ),
        ExampleDraft(replace(one, id="3", passages=(PassageText("d", "other", "", "t"),))),
    ]
    kept, exclusions = distinct(drafts, {"q": 0})
    assert {draft.example.id for draft in kept} == {"2", "3"}
    assert next(draft for draft in kept if draft.example.id == "2").people == {"U1", "U2"}
    assert [(exclusion.id, exclusion.reason) for exclusion in exclusions] == [("1", "duplicate")]
