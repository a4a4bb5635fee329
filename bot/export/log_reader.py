"""Reads from the database what export needs to know, and nothing else."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from bot.export.rating_folder import IMPORTED
from bot.export.records import (
    Correction,
    DownRatingReason,
    ExportedTurn,
    Log,
    RatingEvent,
    ShownPassage,
)
from bot.slack.audience import of_documents
from bot.store.database import Database
from bot.store.keys import ApiKeys
from retrieval.examples import PassageText

DIRECT = "D"
"""How the ids of direct messages begin."""

LogRow = dict[str, Any]


def read_log(database: Database) -> Log:
    """Everything that was asked, answered, rated and corrected, and who agreed to what."""
    with database.snapshot():
        imports = {row["turn_id"]: row for row in _rows(database, "SELECT * FROM imports")}
        turns = tuple(_turns(database, imports))
        experts = _experts(database)
        log = Log(
            turns=turns,
            events=tuple(map(_event, _rows(database, "SELECT * FROM vote_events ORDER BY id"))),
            reasons=tuple(_reasons(database)),
            experts=experts,
            consenting=frozenset(
                row["person"]
                for row in _rows(database, "SELECT person FROM people WHERE may_learn = 1")
            ),
            consented_turns=frozenset(id_ for id_, row in imports.items() if row["is_consented"]),
        )
        return _with_corrections(log, database, imports)


def imported_passages(database: Database) -> dict[str, PassageText]:
    """The passages that came with imported ratings, by content hash."""
    return {
        row["content_hash"]: PassageText(
            row["document_id"], row["content_hash"], row["title"], row["text"]
        )
        for row in _rows(database, "SELECT * FROM imported_passages")
    }


def _rows(database: Database, sql: str) -> Iterator[LogRow]:
    return iter(database.connection.query(sql))


def _turns(database: Database, imports: dict[str, LogRow]) -> Iterator[ExportedTurn]:
    shown: dict[str, list[LogRow]] = defaultdict(list)
    for hit in _rows(database, "SELECT * FROM hits ORDER BY turn_id, position"):
        shown[hit["turn_id"]].append(hit)
    public = {row["turn_id"] for row in _rows(database, "SELECT DISTINCT turn_id FROM replies")}
    askers: dict[tuple[str, str], set[str]] = defaultdict(set)
    with_gaps: set[tuple[str, str]] = set()
    for row in _rows(database, "SELECT * FROM turns ORDER BY created, id"):
        place = row["channel"], row["thread_ts"]
        thread = askers[place]
        joined = row["query"] != row["question"]
        given = imports.get(row["id"])
        is_gone = not row["question"] or (given is None and not row["answer"])
        if is_gone or row["deleted"] is not None:
            with_gaps.add(place)
            continue
        if joined and place in with_gaps:
            continue  # what was deleted may live on in what it was joined to
        yield ExportedTurn(
            id=row["id"],
            asker=row["asker"],
            channel=row["channel"],
            audience=frozenset(json.loads(row["audience"])),
            question=row["query"] or row["question"],
            language=row["language"],
            is_abstention=row["kind"] == "abstention",
            answer=row["answer"],
            passages=_shown(shown[row["id"]], json.loads(row["citations"])),
            created=row["created"],
            earlier_askers=frozenset(thread - {row["asker"]}) if joined else frozenset(),
            is_private=given is None and _is_private(row, public),
            in_private_channel=given is None and row["is_private"] != 0,  # unknown counts as one
            is_imported=given is not None,
            is_unasked=bool(row["triage"]),
            given_split=None if given is None else given["split"],
            propensity=_propensity(row),
        )
        if row["thread_ts"] is not None:
            thread.add(row["asker"])


def _is_private(row: LogRow, public: set[str]) -> bool:
    return row["id"] not in public or str(row["channel"]).startswith(DIRECT)


def _propensity(row: LogRow) -> float:
    """How likely it was that this arm of a trial answered; certain where there was no trial."""
    if row["trial"] is None or row["arm"] == "failed":
        return 1.0
    return float(row["share"] if row["arm"] == "candidate" else 1 - row["share"])


def _shown(hits: Iterable[LogRow], citations: Iterable[LogRow]) -> tuple[ShownPassage, ...]:
    found: dict[str, tuple[int, float]] = {}
    for citation in citations:
        number, support = found.get(citation["passage_id"], (citation["number"], 0.0))
        found[citation["passage_id"]] = (number, max(support, citation["support"]))
    return tuple(
        ShownPassage(
            hit["content_hash"], hit["document_id"], *found.get(hit["passage_id"], (0, 0.0))
        )
        for hit in hits
    )


def _event(row: LogRow) -> RatingEvent:
    return RatingEvent(
        number=row["id"],
        turn_id=row["turn_id"],
        rater=row["voter"],
        value=row["value"],
        at=row["at"],
        is_withdrawn=bool(row["is_withdrawn"]),
        is_imported=row["source"] == IMPORTED,
    )


def _experts(database: Database) -> dict[str, frozenset[str]]:
    experts = {
        row["channel"]: frozenset(json.loads(row["config"]).get("experts", ()))
        for row in _rows(database, "SELECT channel, config FROM channels")
    }
    imported = _rows(database, "SELECT DISTINCT person FROM imported_ratings WHERE is_expert = 1")
    everywhere = {"": frozenset(row["person"] for row in imported)}
    return experts | everywhere | _experts_by_key(database)


def _experts_by_key(database: Database) -> dict[str, frozenset[str]]:
    """Who rated with a key whose word decides, by the place of the key; not once it is revoked."""
    decide = {key.place for key in ApiKeys(database).all() if key.is_expert and not key.revoked}
    experts: dict[str, set[str]] = defaultdict(set)
    raters = "SELECT voter FROM vote_events UNION SELECT person FROM reasons"
    for row in _rows(database, raters):
        place = str(row["voter"]).rpartition(":")[0]
        if place in decide:
            experts[place].add(row["voter"])
    return {place: frozenset(people) for place, people in experts.items()}


def _reasons(database: Database) -> Iterator[DownRatingReason]:
    sql = (
        # A passage that is named beside a right answer is the correction's.
        "SELECT turn_id, person, reason, CASE WHEN answer = '' THEN content_hash END AS passage"
        " FROM reasons WHERE reason <> '' OR (answer = '' AND content_hash IS NOT NULL)"
        " UNION ALL SELECT turn_id, person, reason, NULL FROM imported_ratings WHERE reason <> ''"
    )
    for row in _rows(database, sql):
        yield DownRatingReason(row["turn_id"], row["person"], row["reason"], row["passage"])


def _with_corrections(log: Log, database: Database, imports: dict[str, LogRow]) -> Log:
    """The log with what people wrote in place of answers, approved ones last."""
    turns = {turn.id: turn for turn in log.turns}
    corrections = [
        Correction(id_, IMPORTED, row["correction"], bool(row["is_gold"]))
        for id_, row in imports.items()
        if row["correction"]
    ]
    reviews = list(_rows(database, "SELECT * FROM reviews ORDER BY id"))
    reviewed = {(row["turn_id"], row["answer"]): row for row in reviews}
    for row in _rows(database, "SELECT * FROM reasons WHERE answer <> '' ORDER BY at, person"):
        if row["turn_id"] in turns:
            review = reviewed.get((row["turn_id"], row["answer"]), {})
            is_approved = log.is_expert(row["person"], turns[row["turn_id"]].channel)
            is_approved = is_approved and review.get("state") != "rejected"
            audience = turns[row["turn_id"]].audience
            corrections.append(_correction(row, row["turn_id"], is_approved, review, audience))
    for row in reviews:
        asked = turns.get(row["turn_id"])
        if asked is not None and (row["source"], row["state"]) == ("accepted", "open"):
            # Nobody has said yet which document holds it.
            reply = row | {"content_hash": None}
            is_approved = log.is_expert(row["author"], asked.channel)
            corrections.append(_correction(reply, asked.id, is_approved, row, asked.audience))
    for row in reviews:
        turn = turns.get(row["turn_id"]) or _asked_by_people(row)
        if row["state"] == "approved" and turn is not None:
            turns[turn.id] = turn
            corrections.append(_correction(row, turn.id, True, row, turn.audience))
    return replace(log, turns=tuple(turns.values()), corrections=tuple(corrections))


def _correction(
    row: LogRow, turn_id: str, is_approved: bool, review: LogRow, audience: frozenset[str]
) -> Correction:
    """A correction, at least as restricted as the `audience` of the turn that it is made to."""
    return Correction(
        turn_id=turn_id,
        author=row["author"] if "author" in row else row["person"],
        answer=row["answer"],
        is_approved=is_approved,
        passages=(row["content_hash"],) if row["content_hash"] else (),
        audience=audience | set(json.loads(review["audience"]) if review else ()),
    )


def _asked_by_people(review: LogRow) -> ExportedTurn | None:
    """A question that people answered among themselves, as a turn without an answer of ours.

    None if it was asked to us, and since deleted: then its turn, or its channel, is missing.
    """
    if review["turn_id"] is not None or review["channel"] is None:
        return None
    audience = frozenset(json.loads(review["audience"]))
    return ExportedTurn(
        id=f"review:{review['id']}",
        asker=review["author"],
        channel=review["channel"],
        audience=audience,
        in_private_channel=audience != of_documents(audience),
        question=review["question"],
        language=review["language"],
        is_abstention=True,
        answer="",
        passages=(),
        created=review["created"],
        earlier_askers=frozenset({review["proposer"]}),
    )
