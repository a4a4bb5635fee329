"""What of an answer that is there already may be shown again, by the labels of this moment."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Protocol

from bot.store.database import Database
from bot.store.log import Turn
from bot.store.turns import DocumentRef
from retrieval.records import Answer, Citation, Passage

CURATED = "curated/"
"""How the generator of an approved answer is called, before the answer's id."""


class KnowsLabels(Protocol):
    """Knows the documents of the moment."""

    def label(self, passage: DocumentRef) -> str | None:
        """The label that somebody needs to read a passage now; None if it does not stand so."""


@dataclass(frozen=True, slots=True)
class Restricted:
    """An answer, and the labels that somebody needs to read it: None if nobody may any more."""

    answer: Answer
    audience: frozenset[str] | None

    def to(self, readers: frozenset[str]) -> Answer | None:
        """The answer, if those who hold these labels, and only they, will read it."""
        is_readable = self.audience is not None and readers >= self.audience
        return self.answer if is_readable else None


class Disclosure:
    """Says what somebody needs to read an answer again, whatever it was made of.

    The labels that it was once made for do not count, because they may have changed since.
    """

    def __init__(self, database: Database, documents: KnowsLabels) -> None:
        self._database = database
        self._documents = documents

    def restricted(self, turn: Turn, *, readers: frozenset[str]) -> Restricted:
        """An answer with its audience; an abstention names what these readers may see alone."""
        answer = turn.answer
        nearest = tuple(passage for passage in answer.nearest if self._label(passage) in readers)
        return Restricted(replace(answer, nearest=nearest), self._audience(turn))

    def citations(self, turn: Turn, *, readers: frozenset[str]) -> tuple[Citation, ...]:
        """The citations that may be quoted to somebody who holds these labels."""
        background = self._background(turn)
        if background is None or not readers >= background:
            return ()
        shown = (c for c in turn.answer.citations if self._label(c.passage) in readers)
        return tuple(shown)

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
        return audience

    def _approved(self, answer: Answer) -> frozenset[str] | None:
        """The audience of an approved answer, None if it is given no more; no labels for others."""
        if answer.method != "curated":
            return frozenset()
        row = self._database.connection.conn.execute(
            "SELECT audience FROM curated WHERE id = ? AND expired IS NULL",
            (answer.generator.removeprefix(CURATED),),
        ).fetchone()
        return None if row is None else frozenset(json.loads(row[0]))

    def _label(self, passage: Passage) -> str | None:
        return self._documents.label(DocumentRef(passage.source.id, passage.content_hash))
