"""A question's way, step by step, as far as somebody may read of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.asking.disclosure import Disclosure
from bot.review.document_lookup import DocumentLookup
from bot.slack.audience import PLACE
from bot.store.database import Database
from bot.store.turns import DocumentRef


@dataclass(frozen=True, slots=True)
class AskedRow:
    """A question in a list; `question` is None where it may not be read."""

    id: str
    created: str
    question: str | None
    language: str
    kind: str
    method: str
    confidence: float
    seconds: float
    ups: int
    downs: int


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A hit; `document` is None where it may not be named."""

    position: int
    document: str | None
    score: float | None
    dense_rank: int | None
    lexical_rank: int | None
    reranker: float | None
    is_cited: bool


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A citation and how well its passage supports the sentence; None for what may not be read."""

    number: int
    document: str | None
    support: float
    quote: str | None


@dataclass(frozen=True, slots=True)
class Way:
    """What became of a question. `query` and `answer` are None where they may not be read."""

    asked: AskedRow
    query: str | None
    answer: str | None
    models: Mapping[str, str]
    generation: str
    prompt_version: str
    prompt_tokens: int
    answer_tokens: int
    arm: str
    found: tuple[FoundRow, ...]
    checked: tuple[CheckedRow, ...]
    timings: Mapping[str, float]

    @property
    def dropped(self) -> int:
        """How many hits are not cited."""
        return sum(not hit.is_cited for hit in self.found)


_ASKED = (
    "SELECT turns.*,"
    " (SELECT count(*) FROM votes WHERE turn_id = turns.id AND value > 0) AS ups,"
    " (SELECT count(*) FROM votes WHERE turn_id = turns.id AND value < 0) AS downs"
    " FROM turns WHERE deleted IS NULL AND id NOT IN (SELECT turn_id FROM imports)"
)


class Ways:
    """Reads the log for who holds some labels."""

    def __init__(self, database: Database, documents: DocumentLookup) -> None:
        self._database = database
        self._documents = documents
        self._disclosure = Disclosure(database, documents)

    def latest(self, readers: frozenset[str], *, before: str, limit: int) -> list[AskedRow]:
        """The latest questions before a time, the newest first."""
        rows = self._database.connection.query(
            f"{_ASKED} AND created < ? ORDER BY created DESC, id LIMIT ?", (before, limit)
        )
        return [_asked(row, readers) for row in rows]

    def of(self, turn_id: str, readers: frozenset[str]) -> Way | None:
        """The way of one question; None if there is none, or none any more."""
        rows = self._database.connection.query(f"{_ASKED} AND id = ?", (turn_id,))
        row = next(iter(rows), None)
        if row is None:
            return None
        asked = _asked(row, readers)
        is_readable = asked.question is not None
        shown = self._disclosure.to(turn_id, readers=readers).answer if is_readable else None
        return Way(
            asked=asked,
            query=row["query"] if is_readable else None,
            answer=shown.text if shown else None,
            models={
                name: row[name]
                for name in ("embedder", "reranker", "judge", "generator")
                if row[name]
            },
            generation=row["generation"],
            prompt_version=row["prompt_version"],
            prompt_tokens=row["prompt_tokens"] or 0,
            answer_tokens=row["answer_tokens"] or 0,
            arm=row["arm"] if row["trial"] else "",
            found=self._found(turn_id, row, readers if is_readable else frozenset()),
            checked=self._checked(turn_id, row, readers if shown else frozenset()),
            timings=json.loads(row["timings"]),
        )

    def _found(
        self, turn_id: str, row: dict[str, Any], readers: frozenset[str]
    ) -> tuple[FoundRow, ...]:
        cited = {citation["passage_id"] for citation in json.loads(row["citations"])}
        hits = self._database.connection.query(
            "SELECT * FROM hits WHERE turn_id = ? ORDER BY position", (turn_id,)
        )
        return tuple(
            FoundRow(
                hit["position"],
                self._named(DocumentRef(hit["document_id"], hit["content_hash"]), readers),
                hit["score"],
                hit["dense_rank"],
                hit["lexical_rank"],
                hit["reranker"],
                hit["passage_id"] in cited,
            )
            for hit in hits
        )

    def _checked(
        self, turn_id: str, row: dict[str, Any], readers: frozenset[str]
    ) -> tuple[CheckedRow, ...]:
        hashes = {
            hit["passage_id"]: hit["content_hash"]
            for hit in self._database.connection.query(
                "SELECT passage_id, content_hash FROM hits WHERE turn_id = ?", (turn_id,)
            )
        }
        checked = []
        for citation in json.loads(row["citations"]):
            ref = DocumentRef(citation["document_id"], hashes.get(citation["passage_id"], ""))
            name = self._named(ref, readers)
            quote = citation["quote"] if name else None
            checked.append(CheckedRow(citation["number"], name, citation["support"], quote))
        return tuple(checked)

    def _named(self, passage: DocumentRef, readers: frozenset[str]) -> str | None:
        return passage.document_id if self._documents.label(passage) in readers else None


def may_read(row: Mapping[str, Any], readers: frozenset[str]) -> bool:
    """Whether a question is for readers of these labels.

    One of which it is not known that everybody could read along needs to say for whom it is.
    """
    audience = json.loads(row["audience"])
    is_told = row["is_private"] == 0 or any(label.startswith(PLACE) for label in audience)
    return is_told and readers.issuperset(audience)


def _asked(row: dict[str, Any], readers: frozenset[str]) -> AskedRow:
    is_readable = may_read(row, readers)
    return AskedRow(
        id=row["id"],
        created=row["created"],
        question=row["question"] if is_readable else None,
        language=row["language"],
        kind=row["kind"],
        method=row["method"],
        confidence=row["confidence"] or 0.0,
        seconds=float(json.loads(row["timings"]).get("total", 0.0)),
        ups=row["ups"],
        downs=row["downs"],
    )
