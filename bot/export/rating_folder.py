"""Reads a folder of ratings that were collected elsewhere.

Its format is told by `whimbrel import-ratings --help` and in `docs/import-format.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from bot.export.records import DownReason
from bot.store.log import Turn, Value
from retrieval.documents.loaders.blocks import one_line
from retrieval.errors import DataError
from retrieval.examples import content_id
from retrieval.jsonl import first_of, made, read_lines, read_rows
from retrieval.labels import label_of, names_audience
from retrieval.language import language_of
from retrieval.records import PUBLIC, Answer, Citation, Hit, Passage, Source

IMPORTED = "imported"
"""The source of imported ratings, the asker and channel of imported turns, and how ids begin."""

FILES = ("ratings.jsonl", "feedback.jsonl")
WORDS: Mapping[str, Value] = {"excellent": 1, "acceptable": 1, "could be improved": -1, "bad": -1}
SPLITS: Mapping[str, Literal["train", "test"]] = {
    "train": "train",
    "valid": "train",
    "dev": "train",
    "test": "test",
    "held-out": "test",
}


UNDATED = "1970-01-01"
"""When a turn was asked that does not tell: not lately, and the same at every import."""


@dataclass(frozen=True, slots=True)
class ImportedRating:
    """What one rater said of one answer."""

    rater: str
    value: Value
    reason: str
    text: str
    is_expert: bool


@dataclass(frozen=True, slots=True)
class RatedTurn:
    """A turn from elsewhere. `is_approved` tells whether an expert stands behind the correction."""

    turn: Turn
    ratings: tuple[ImportedRating, ...]
    split: str | None
    correction: str
    is_approved: bool


def read_ratings(folder: Path) -> list[RatedTurn]:
    """The rated turns of a folder.

    Raises:
        DataError: If a line is not in the documented format; the message names file and line.
    """
    path, corpus = first_of(folder, *FILES), first_of(folder, "corpus.jsonl")
    lines = list(read_lines(path)) if path else []
    if not lines:
        raise DataError(f"{folder} has no line in {' or '.join(FILES)}, plain or gzipped")
    passages = read_rows(corpus, _listed) if corpus else ()
    turn = partial(
        _rated_turn,
        corpus={passage.source.id: passage for passage in passages},
        scale=_scale(made(where, line, dict) for where, line in lines),
    )
    return [made(where, line, turn) for where, line in lines]


def _listed(row: Mapping[str, Any]) -> Passage:
    return _passage(str(row["_id"]), row.get("title") or "", _text(row, "text"))


def _passage(document_id: str, title: str, text: str) -> Passage:
    source = Source(document_id, one_line(title), document_id, language_of(text), "", "")
    passage = Passage("", source, text, 0, len(text))
    # As the index makes it, so that the very same passage found there is known again.
    digest = hashlib.sha256(passage.indexed_text.encode()).hexdigest()[:32]
    return replace(passage, id=content_id(document_id, digest), content_hash=digest)


def _scale(rows: Iterable[Mapping[str, Any]]) -> range | None:
    """1 to 4 if any rating of the file is above 1: then 1 and 2 are bad. None for -1 and 1."""
    given = (row.get("ratings") for row in rows)
    values = (_raw(rating) for ratings in given if isinstance(ratings, list) for rating in ratings)
    numbers = {value for value in values if isinstance(value, int)}
    return range(1, 5) if max(numbers, default=1) > 1 else None


def _raw(rating: object) -> object:
    return rating.get("value") if isinstance(rating, dict) else rating


def _rated_turn(
    row: Mapping[str, Any], *, corpus: Mapping[str, Passage], scale: range | None
) -> RatedTurn:
    question, answer = _text(row, "question"), row.get("answer") or ""
    passage = _shown(row, corpus)
    id_ = content_id(
        IMPORTED, str(row.get("_id") or ""), question, answer, passage.id if passage else ""
    )
    correction, is_approved = _correction(row.get("correction"))
    split = row.get("split")
    if split is not None and split not in SPLITS:
        raise ValueError(f"split is {split!r}; wanted one of {', '.join(SPLITS)}")
    turn = Turn(
        answer=_answer(id_, question, answer, passage, row.get("language")),
        event_id=f"{IMPORTED}:{id_}",
        team=IMPORTED,
        channel=IMPORTED,
        thread_ts=None,
        asker=IMPORTED,
        audience=_audience(row),
        messages=(),
        created=_moment(row.get("at") or UNDATED),
    )
    ratings = _ratings(row, scale, id_)
    return RatedTurn(
        turn, ratings, None if split is None else SPLITS[split], correction, is_approved
    )


def _moment(given: object) -> str:
    try:
        at = datetime.fromisoformat(str(given))
    except ValueError:
        raise ValueError(f"at is {given!r}; wanted a time such as 2026-01-31T12:00:00") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _audience(row: Mapping[str, Any]) -> frozenset[str]:
    if meant := [name for name in row if name != "audience" and names_audience(name)]:
        raise ValueError(f"{meant[0]!r} is not read; write it `audience`")
    given = row.get("audience", [PUBLIC])
    if not isinstance(given, list) or not given:
        raise TypeError(f"audience is {given!r}; wanted a list of labels")
    return frozenset(map(label_of, given))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is {value!r}; wanted a text")
    return value.strip()


def _shown(row: Mapping[str, Any], corpus: Mapping[str, Passage]) -> Passage | None:
    """The passage that the rated answer was made from; None if there was none, as abstentions."""
    document_id = row.get("doc_id")
    if isinstance(found := row.get("passage"), dict):
        return _passage(str(document_id or ""), found.get("title") or "", _text(found, "text"))
    if found:
        return _passage(str(document_id or ""), row.get("title") or "", _text(row, "passage"))
    if document_id is None:
        return None
    if str(document_id) not in corpus:
        raise ValueError(f"doc_id {document_id!r} is not in corpus.jsonl, and no passage is given")
    return corpus[str(document_id)]


def _correction(given: object) -> tuple[str, bool]:
    """A better answer, and whether an expert wrote or approved it."""
    if given is None:
        return "", False
    if isinstance(given, str):
        return given.strip(), False
    if isinstance(given, dict):
        return _text(given, "text"), bool(given.get("is_expert"))
    raise TypeError(f"correction is {given!r}; wanted a text or {{text, is_expert}}")


def _answer(
    id_: str, question: str, text: str, passage: Passage | None, language: str | None
) -> Answer:
    return Answer(
        id=id_,
        question=question,
        query=question,
        kind="answer" if passage else "abstention",
        text=text,
        language=language or language_of(question),
        confidence=0.0,
        citations=(Citation(1, passage, "", 1.0),) if passage else (),
        hits=(Hit(passage, 1.0),) if passage else (),
        method="extracted" if passage else "none",
    )


def _ratings(
    row: Mapping[str, Any], scale: range | None, turn_id: str
) -> tuple[ImportedRating, ...]:
    given = row["ratings"]
    if not isinstance(given, list):
        raise TypeError(f"ratings is {given!r}; wanted a list")
    texts = row.get("explanations") or ()
    ratings = []
    for number, rating in enumerate(given):
        known = rating if isinstance(rating, dict) else {}
        # Without a name, each rating is of a person of its own: nothing is known of them.
        rater = str(known.get("rater") or f"{turn_id}:{number}")
        said = known.get("text") or (texts[number] if number < len(texts) else "")
        ratings.append(
            ImportedRating(
                f"{IMPORTED}:{rater}",
                _value(_raw(rating), scale),
                _reason(known.get("reason")),
                said,
                bool(known.get("is_expert")),
            )
        )
    return tuple(ratings)


def _value(given: object, scale: range | None) -> Value:
    if isinstance(given, str) and given.strip().lower() in WORDS:
        return WORDS[given.strip().lower()]
    if isinstance(given, int) and not isinstance(given, bool):
        if scale and given in scale:
            return 1 if given > 2 else -1
        if not scale and given in (-1, 1):
            return 1 if given == 1 else -1
    wanted = "1 to 4" if scale else "-1 or 1, 1 to 4"
    raise ValueError(f"a rating is {given!r}; wanted {wanted}, or one of {', '.join(WORDS)}")


def _reason(given: object) -> str:
    if given in (None, "", *get_args(DownReason)):
        return str(given or "")
    raise ValueError(f"reason is {given!r}; wanted one of {', '.join(get_args(DownReason))}")
