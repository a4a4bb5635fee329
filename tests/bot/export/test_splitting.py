from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.export.records import ExampleDraft
from bot.export.similarity import Questions
from bot.export.splitting import LeakageError, clustered, leakage, link, split
from retrieval.examples import Example, PassageText
from tests.bot.export.logs_by_hand import LEAVE, VPN
from tests.retrieval.word_embedder import WordEmbedder


def draft(
    number: int,
    *,
    cluster: str = "",
    day: int = 1,
    question: str = "",
    answer: str | None = None,
    passage: PassageText = LEAVE,
    is_approved: bool = False,
    is_pinned: bool = False,
) -> ExampleDraft:
    example = Example(
        id=str(number),
        kind="pair" if answer is None else "answer",
        question=question or f"q{number}",
        language="en",
        passages=(passage,),
        source="approved" if is_approved else "votes",
        day=f"2026-01-{day:02}",
        cluster=cluster,
        answer=answer,
    )
    return ExampleDraft(example, is_approved=is_approved, is_pinned=is_pinned)


DRAFTS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 28), st.booleans(), st.booleans()),
    max_size=40,
).map(
    lambda rows: [
        draft(n, cluster=cluster, day=day, is_approved=approved, is_pinned=approved and pinned)
        for n, (cluster, day, approved, pinned) in enumerate(rows)
    ]
)


@given(DRAFTS, st.frozensets(st.sampled_from("abcdefgh")))
def test_a_cluster_is_in_one_split_and_nothing_gets_lost(
    drafts: list[ExampleDraft], ever: frozenset[str]
) -> None:
    splits, exclusions = split(drafts, ever)
    clusters = [{d.example.cluster for d in drafts} for drafts in splits.values()]
    assert sum(map(len, clusters)) == len(set().union(*clusters))
    assert sum(map(len, splits.values())) + len(exclusions) == len(drafts)


@given(DRAFTS, st.frozensets(st.sampled_from("abcdefgh")))
def test_what_is_held_out_is_approved_and_what_ever_was_is_never_trained_on(
    drafts: list[ExampleDraft], ever: frozenset[str]
) -> None:
    splits, _ = split(drafts, ever)
    assert all(draft.is_approved for draft in splits["held-out"])
    trained = {d.example.cluster for d in (*splits["train"], *splits["dev"])}
    assert not trained & ever
    assert not any(d.is_pinned for d in (*splits["train"], *splits["dev"]))


def test_the_newest_approved_questions_are_held_out() -> None:
    drafts = [draft(n, cluster=f"c{n}", day=n + 1, is_approved=n % 2 == 0) for n in range(18)]
    splits, _ = split(drafts, ())
    assert sorted(d.example.day for d in splits["held-out"]) == [
        "2026-01-13",
        "2026-01-15",
        "2026-01-17",
    ]
    newest = max(d.example.day for d in splits["train"] if d.is_approved)
    assert newest < "2026-01-13"


def test_without_approved_questions_nothing_is_held_out() -> None:
    splits, _ = split([draft(n, cluster=f"c{n}", day=n + 1) for n in range(20)], ())
    assert [len(drafts) for drafts in splits.values()] == [18, 2, 0]
    assert {d.example.day for d in splits["dev"]} == {"2026-01-19", "2026-01-20"}


def test_test_rows_stay_out_of_training_with_all_that_is_like_them() -> None:
    drafts = [draft(1, cluster="a", is_pinned=True), draft(2, cluster="a"), draft(3, cluster="b")]
    splits, exclusions = split(drafts, ())
    assert [d.example.id for d in splits["train"]] == ["3"]
    assert sorted(e.reason for e in exclusions) == ["held_out_cluster", "held_out_unapproved"]


def test_the_same_answer_from_the_same_passage_links_questions() -> None:
    drafts = [
        draft(1, question="How many days?", answer="26  days"),
        draft(2, question="What is my entitlement?", answer="26 DAYS"),
        draft(3, question="Which client?", answer="26 days", passage=VPN),
    ]
    assert link(drafts) == [
        ("How many days?", "How many days?"),
        ("How many days?", "What is my entitlement?"),
        ("Which client?", "Which client?"),
    ]


def test_a_cluster_has_the_same_name_whatever_else_is_asked() -> None:
    few = clustered([draft(1)], {"q1": 0})
    more = clustered([draft(1), draft(2)], {"q1": 7, "q2": 3})
    assert few[0].example.cluster == more[0].example.cluster != more[1].example.cluster


def test_a_splitter_that_leaks_is_caught() -> None:
    one, other = "How many days of leave do I have?", "How many days of leave do I have now?"
    questions = Questions([one, other], WordEmbedder())
    seen = draft(1, question=one, cluster="a")
    unseen = draft(2, question=other, cluster="b", is_approved=True)
    with pytest.raises(LeakageError, match="likeness"):
        leakage({"train": [seen], "dev": [], "held-out": [unseen]}, questions)


def test_a_paraphrase_of_what_was_held_out_before_is_caught() -> None:
    one, other = "How many days of leave do I have?", "How many days of leave do I have now?"
    questions = Questions([one, other], WordEmbedder())
    seen = draft(1, question=one, cluster="a")
    with pytest.raises(LeakageError, match="likeness"):
        leakage({"train": [seen], "dev": [], "held-out": []}, questions, [other])


def test_a_cluster_on_both_sides_is_caught() -> None:
    questions = Questions(["Where is the VPN?", "How many days?"], WordEmbedder())
    seen = draft(1, question="Where is the VPN?", cluster="a")
    unseen = draft(2, question="How many days?", cluster="a")
    with pytest.raises(LeakageError, match="1 clusters"):
        leakage({"train": [], "dev": [seen], "held-out": [unseen]}, questions)


def test_the_distance_between_the_sides_is_told() -> None:
    questions = Questions(["Where is the VPN?", "How many days?"], WordEmbedder())
    found = leakage(
        {
            "train": [draft(1, question="Where is the VPN?", cluster="a", day=3)],
            "dev": [],
            "held-out": [draft(2, question="How many days?", cluster="b", day=9)],
        },
        questions,
    )
    assert found.shared_clusters == 0
    assert found.largest_likeness < found.limit
    assert (found.newest_train, found.oldest_held_out) == ("2026-01-03", "2026-01-09")
