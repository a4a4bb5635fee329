"""Puts examples into splits: by clusters of similar questions, and by time.

A cluster is in one split. Of the clusters that experts approved something in, the newest are held
out, and so is for ever what was held out once. Of the rest the newest are for development.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.export.records import ExampleDraft, Exclusion, ReasonCode
from bot.export.similarity import SIMILAR, Questions
from retrieval.examples import Split, content_id

HELD_OUT_SHARE = 1 / 3
"""Of the approved clusters. A gate needs some 150 approved questions to see anything."""

DEV_SHARE = 0.1

_ROUNDING = 1e-3
"""Products of the same vectors differ a little with the shape of the matrices."""


class LeakageError(Exception):
    """A question that is trained on is as good as one that is held out."""


@dataclass(frozen=True, slots=True)
class Leakage:
    """How near the nearest questions of training and held-out parts are.

    `newest_train` and `oldest_held_out` are days, empty if there are none.
    """

    shared_clusters: int
    largest_cosine: float
    largest_likeness: float
    limit: float
    newest_train: str
    oldest_held_out: str


def link(drafts: Sequence[ExampleDraft]) -> list[tuple[str, str]]:
    """Pairs of questions that have the same answer from the same passage, whatever their words."""
    first: dict[tuple[str, str], str] = {}
    links = []
    for draft in drafts:
        example = draft.example
        if example.answer and example.is_good and example.passages:
            key = (example.passages[0].content_hash, " ".join(example.answer.lower().split()))
            links.append((first.setdefault(key, example.question), example.question))
    return links


def clustered(drafts: Iterable[ExampleDraft], labels: Mapping[str, int]) -> list[ExampleDraft]:
    """The drafts with the name of their cluster: that of its first question in the alphabet."""
    names: dict[int, str] = {}
    for question in sorted(labels):
        names.setdefault(labels[question], content_id("cluster", question))
    return [draft.within(names[labels[draft.example.question]]) for draft in drafts]


def split(
    drafts: Sequence[ExampleDraft], ever_held_out: Collection[str]
) -> tuple[dict[Split, list[ExampleDraft]], list[Exclusion]]:
    """The drafts of each split, and those that are in none.

    Args:
        drafts: With their clusters.
        ever_held_out: Clusters that hold a question which was held out once.
    """
    held_out = {draft.example.cluster for draft in drafts if draft.is_pinned}
    held_out |= set(ever_held_out)
    approved = _by_time([draft for draft in drafts if draft.is_approved and not draft.is_pinned])
    held_out |= _newest(approved, HELD_OUT_SHARE)
    rest = [draft for draft in drafts if draft.example.cluster not in held_out]
    dev = _newest(_by_time(rest), DEV_SHARE)
    splits: dict[Split, list[ExampleDraft]] = {"train": [], "dev": [], "held-out": []}
    for draft in rest:
        splits["dev" if draft.example.cluster in dev else "train"].append(draft)
    exclusions = []
    for draft in drafts:
        if draft.example.cluster in held_out:
            if draft.is_approved:
                splits["held-out"].append(draft)
            else:
                reason: ReasonCode = (
                    "held_out_unapproved" if draft.is_pinned else "held_out_cluster"
                )
                exclusions.append(Exclusion("example", draft.example.id, reason))
    return splits, exclusions


def _by_time(drafts: Iterable[ExampleDraft]) -> list[str]:
    """Clusters by the day of their first question; those of one day in an arbitrary order."""
    first: dict[str, str] = {}
    for draft in drafts:
        cluster, day = draft.example.cluster, draft.example.day
        first[cluster] = min(day, first.get(cluster, day))
    return sorted(first, key=lambda cluster: (first[cluster], cluster))


def _newest(clusters: Sequence[str], share: float) -> set[str]:
    return set(clusters[len(clusters) - int(len(clusters) * share) :])


def leakage(
    splits: Mapping[Split, Sequence[ExampleDraft]],
    questions: Questions,
    ever_held_out: Collection[str] = (),
) -> Leakage:
    """How near the parts are; held out is also every question that ever was.

    Raises:
        LeakageError: If a question or a cluster is on both sides.
    """
    seen = [draft.example for draft in (*splits["train"], *splits["dev"])]
    unseen = [draft.example for draft in splits["held-out"]]
    shared = {example.cluster for example in seen} & {example.cluster for example in unseen}
    cosine, likeness = questions.nearest(
        sorted({example.question for example in seen}),
        sorted({*ever_held_out, *(example.question for example in unseen)}),
    )
    if shared or likeness >= SIMILAR + _ROUNDING:
        raise LeakageError(
            f"{len(shared)} clusters are on both sides and the nearest questions have likeness "
            f"{likeness:.3f}; wanted none, and less than {SIMILAR}"
        )
    return Leakage(
        shared_clusters=len(shared),
        largest_cosine=round(cosine, 3),
        largest_likeness=round(likeness, 3),
        limit=SIMILAR,
        newest_train=max((example.day for example in seen), default=""),
        oldest_held_out=min((example.day for example in unseen), default=""),
    )
