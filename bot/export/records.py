"""What the log says, as the rules of export read it, and what they make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from bot.store.log import Value
from retrieval.examples import Example

ReasonCode = Literal[
    "no_consent",
    "private_conversation",
    "restricted_audience",
    "personal_data",
    "secret",
    "unrated",
    "weekly_cap",
    "distrusted_raters",
    "contradictory",
    "unexplained_down",
    "outdated",
    "matter_of_style",
    "abstention_unconfirmed",
    "abstention_downvoted",
    "unapproved_correction",
    "no_passage",
    "document_changed",
    "duplicate",
    "held_out_cluster",
    "held_out_unapproved",
    "frozen",
    "rater_cap",
]

REASONS: Mapping[ReasonCode, str] = {
    "no_consent": "the person has not agreed that what they say is learned from",
    "private_conversation": "said in private: to the bot alone, or not where all can read",
    "restricted_audience": "made from documents that not everybody may see",
    "personal_data": "something that looks personal was left after scrubbing",
    "secret": "a passage holds what looks like a key or a token",
    "unrated": "nobody rated or corrected the answer",
    "weekly_cap": "ratings of one person beyond the most that count in a week",
    "distrusted_raters": "only people rated it whose ratings mostly contradict experts and others",
    "contradictory": "people, or experts, do not agree on it",
    "unexplained_down": "a 👎 without a reason: nothing for the retriever to learn from",
    "outdated": "the document is out of date; that is for its owner, not for training",
    "matter_of_style": "incomplete or in the wrong tone, and nobody wrote a better answer",
    "abstention_unconfirmed": "an abstention that no expert confirmed",
    "abstention_downvoted": "an abstention was disliked, and nobody said what holds the answer",
    "unapproved_correction": "a correction that no expert wrote or approved",
    "no_passage": "the answer cites no passage to learn from",
    "document_changed": "the passage has changed, or is gone, since it was shown",
    "duplicate": "nearly the same question about the same passage is in the set already",
    "held_out_cluster": "as good as a question that is held out",
    "held_out_unapproved": "held out by the one who gave it, but no expert approved it",
    "frozen": "in the regression set, or as good as a question that is",
    "rater_cap": "one person's ratings would make up too much of the set",
}
"""Every reason why something is left out, in words for the card."""

DownReason = Literal["wrong", "incomplete", "outdated", "wrong_source", "not_understood", "tone"]

ABOUT_STYLE = frozenset({"incomplete", "tone"})

ABOUT_PASSAGES = frozenset({"wrong_source", "not_understood"})
"""Whoever says so blames the passages; other words are about the answer."""


@dataclass(frozen=True, slots=True)
class ShownPassage:
    """A passage that a turn was made from.

    `number` is what cites it in the answer's text, 0 if nothing does; `support` that of its best
    citation.
    """

    content_hash: str
    document_id: str
    number: int = 0
    support: float = 0.0


@dataclass(frozen=True, slots=True)
class ExportedTurn:
    """One question and its answer. `question` stands by itself; `created` is ISO 8601 in UTC.

    `earlier_askers` are people whose questions in the thread are part of it. `given_split` is what
    the giver of an imported turn said of it: `test` is never trained on. It `is_private` if it was
    said to the bot alone or shown to nobody else, and `in_private_channel` unless it is known that
    everybody could read along. It `is_unasked` if nobody put the message to us.
    `propensity` is how likely it was that the model was asked that answered.
    """

    id: str
    asker: str
    channel: str
    audience: frozenset[str]
    question: str
    language: str
    is_abstention: bool
    answer: str
    passages: tuple[ShownPassage, ...]
    created: str
    earlier_askers: frozenset[str] = frozenset()
    is_private: bool = False
    in_private_channel: bool = False
    is_imported: bool = False
    is_unasked: bool = False
    given_split: Literal["train", "test"] | None = None
    propensity: float = 1.0

    @property
    def cited(self) -> tuple[ShownPassage, ...]:
        """The passages cited, in the order of their numbers."""
        cited = (passage for passage in self.passages if passage.number)
        return tuple(sorted(cited, key=lambda passage: passage.number))


@dataclass(frozen=True, slots=True)
class RatingEvent:
    """One change of one person's rating on a turn; `number` orders the events."""

    number: int
    turn_id: str
    rater: str
    value: Value
    at: str
    is_withdrawn: bool = False
    is_imported: bool = False


@dataclass(frozen=True, slots=True)
class DownRatingReason:
    """Why a person rated 👎 on a turn, as far as they said; `passage` holds the answer, they say.

    It is a content hash.
    """

    turn_id: str
    person: str
    code: DownReason | Literal[""]
    passage: str | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """A better answer to a turn's question; `passages` are content hashes that hold it, if known.

    It `is_approved` if an expert wrote it or a reviewer approved it. `audience` are the labels that
    somebody needs to read it.
    """

    turn_id: str
    author: str
    answer: str
    is_approved: bool
    passages: tuple[str, ...] = ()
    audience: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Log:
    """Everything that export reads, at one moment.

    `experts` maps a channel to the people whose word decides there; those of `""` are experts
    everywhere. `consenting` are people, `consented_turns` imported turns that may be learned from.
    """

    turns: tuple[ExportedTurn, ...] = ()
    events: tuple[RatingEvent, ...] = ()
    reasons: tuple[DownRatingReason, ...] = ()
    corrections: tuple[Correction, ...] = ()
    experts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    consenting: frozenset[str] = frozenset()
    consented_turns: frozenset[str] = frozenset()

    def is_expert(self, person: str, channel: str) -> bool:
        """Whether a person's word decides on answers in a channel."""
        everywhere = self.experts.get("", frozenset())
        return person in everywhere or person in self.experts.get(channel, frozenset())

    def may_use(self, person: str, turn_id: str) -> bool:
        """Whether what a person did on a turn may be learned from."""
        return person in self.consenting or turn_id in self.consented_turns


@dataclass(frozen=True, slots=True)
class Policy:
    """What an export lets in. Channels are ids; caps are shares of a set and ratings a week."""

    channels: frozenset[str] = frozenset()
    with_direct_messages: bool = False
    max_share: float = 0.05
    max_votes_a_week: int = 20


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Something left out: a turn, a rating or an example, and why. `id` names nobody."""

    what: Literal["turn", "vote", "example"]
    id: str
    reason: ReasonCode


@dataclass(frozen=True, slots=True)
class ExampleDraft:
    """An example with what must not leave the database: whose it is and where it comes from.

    `raters` are those whose ratings it rests on, `people` everybody who had a part in it.
    """

    example: Example
    turn_ids: frozenset[str] = frozenset()
    askers: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    raters: frozenset[str] = frozenset()
    is_approved: bool = False
    is_pinned: bool = False
    """Given as test data: held out or left out, never trained on."""

    def within(self, cluster: str) -> ExampleDraft:
        """The same draft, of this cluster of questions."""
        return replace(self, example=replace(self.example, cluster=cluster))

    def joined(self, other: ExampleDraft) -> ExampleDraft:
        """This draft, owed to the other's people as well."""
        return replace(
            self,
            turn_ids=self.turn_ids | other.turn_ids,
            askers=self.askers | other.askers,
            people=self.people | other.people,
            raters=self.raters and self.raters | other.raters,
        )
