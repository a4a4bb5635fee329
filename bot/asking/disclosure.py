"""Answers that are there already, for who may read them by the labels of this moment."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Protocol

from bot.store.cards import Cards
from bot.store.database import Database
from bot.store.log import Turn
from bot.store.turns import DocumentRef
from retrieval.answering.contributions import Contribution, contributions
from retrieval.records import Answer, Passage

CURATED = "curated/"
"""How the generator of an approved answer is called, before the answer's id."""


class KnowsLabels(Protocol):
    """Knows the documents of the moment."""

    def label(self, passage: DocumentRef) -> str | None:
        """The label that somebody needs to read a passage now; None if it does not stand so."""


@dataclass(frozen=True, slots=True)
class Disclosed:
    """An answer as those may be shown it who will read it: whole, or not at all.

    `audience` are the labels that somebody needs to read it; None if nobody may any more, because
    what it was made of has changed.
    """

    answer: Answer | None
    audience: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Explained:
    """What each citation contributes to an answer, as far as it may be quoted."""

    contributions: tuple[Contribution, ...]
    is_whole: bool


class Disclosure:
    """The one way to an answer that is there already: for readers who are named by their labels.

    What somebody needs to read it follows from all that it was made of. The labels that it was once
    made for do not count, because they may have changed since.
    """

    def __init__(self, database: Database, documents: KnowsLabels) -> None:
        self._database = database
        self._cards = Cards(database)
        self._documents = documents

    def to(self, turn_id: str, *, readers: frozenset[str]) -> Disclosed:
        """An answer for readers of these labels; an abstention names what they may see alone."""
        turn = self._cards.turn(turn_id)
        audience = None if turn is None else self._audience(turn)
        if turn is None or audience is None or not readers >= audience:
            return Disclosed(None, audience)
        nearest = tuple(p for p in turn.answer.nearest if self._label(p) in readers)
        return Disclosed(replace(turn.answer, nearest=nearest), audience)

    def explained(self, turn_id: str, *, readers: frozenset[str]) -> Explained:
        """The contributions to an answer that may be quoted to readers of these labels."""
        turn = self._cards.turn(turn_id)
        background = None if turn is None else self._background(turn)
        if turn is None or background is None or not readers >= background:
            return Explained((), is_whole=False)
        found = contributions(turn.answer)
        told = tuple(c for c in found if self._label(c.citation.passage) in readers)
        return Explained(told, is_whole=len(told) == len(found))

    def _audience(self, turn: Turn) -> frozenset[str] | None:
        cited = {self._label(citation.passage) for citation in turn.answer.citations}
        background = self._background(turn)
        if background is None or None in cited:
            return None
        return background | {label for label in cited if label}

    def _background(self, turn: Turn) -> frozenset[str] | None:
        """What has gone into an answer besides the passages that it cites."""
        answer = turn.answer
        audience = self._approved(answer)
        if audience is None:
            return None
        if answer.query != answer.question:  # it was read together with what had been said before
            audience |= turn.audience
        if answer.method == "generated":  # the model has seen more than it cites
            seen = [hit.passage for hit in answer.hits]
            audience |= {self._label(passage) or passage.source.audience for passage in seen}
            audience |= {*answer.background}
        return audience

    def _approved(self, answer: Answer) -> frozenset[str] | None:
        """The audience of an approved answer, None if it is given no more; no labels for others."""
        if answer.method != "curated":
            return frozenset()
        row = self._database.connection.execute(
            "SELECT audience FROM curated WHERE id = ? AND expired IS NULL",
            (answer.generator.removeprefix(CURATED),),
        ).fetchone()
        return None if row is None else frozenset(json.loads(row[0]))

    def _label(self, passage: Passage) -> str | None:
        return self._documents.label(DocumentRef(passage.source.id, passage.content_hash))
