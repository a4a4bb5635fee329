"""The tables of the database, built up step by step in the order of the steps' numbers.

The steps are for SQLite and for Postgres, where `PostgresSchema` stands for sqlite-utils' database.
"""

from __future__ import annotations

import sqlite_utils
from sqlite_utils import Migrations

migrations = Migrations("whimbrel")


@migrations()
def m001_inbox(db: sqlite_utils.Database) -> None:
    """What Slack delivered and how far it has got."""
    inbox = db.table("inbox")
    inbox.create(
        {
            "id": int,
            "event_id": str,
            "work_key": str,
            "kind": str,
            "team": str,
            "channel": str,
            "thread_key": str,
            "user": str,
            "payload": str,
            "state": str,
            "attempts": int,
            "forgiven": int,
            "not_before": float,
            "owner": str,
            "lease_until": float,
            "reply_channel": str,
            "reply_ts": str,
            "error": str,
            "created": float,
        },
        pk="id",
        not_null={"event_id", "kind", "thread_key", "payload", "state", "attempts", "created"},
        defaults={"attempts": 0, "forgiven": 0, "not_before": 0, "lease_until": 0},
    )
    inbox.create_index(["event_id"], unique=True)
    inbox.create_index(["work_key"], unique=True)
    inbox.create_index(["state", "kind"])
    inbox.create_index(["thread_key", "state"])


@migrations()
def m002_turns(db: sqlite_utils.Database) -> None:
    """Questions with their answers, the passages found, and the messages that show them."""
    db.table("turns").create(
        {
            "id": str,
            "event_id": str,
            "team": str,
            "channel": str,
            "thread_ts": str,
            "asker": str,
            "audience": str,
            "language": str,
            "question": str,
            "query": str,
            "kind": str,
            "answer": str,
            "confidence": float,
            "method": str,
            "citations": str,
            "prompt_version": str,
            "generator": str,
            "embedder": str,
            "generation": str,
            "timings": str,
            "reply_ts": str,
            "created": str,
        },
        pk="id",
    )
    db.table("turns").create_index(["event_id"], unique=True)
    db.table("turns").create_index(["channel", "thread_ts"])
    db.table("hits").create(
        {
            "turn_id": str,
            "position": int,
            "passage_id": str,
            "document_id": str,
            "content_hash": str,
            "score": float,
            "dense": float,
            "dense_rank": int,
            "lexical": float,
            "lexical_rank": int,
            "reranker": float,
            "shown": int,
        },
        pk=("turn_id", "position"),
        foreign_keys=[("turn_id", "turns", "id")],
    )
    db.table("replies").create(
        {"channel": str, "ts": str, "turn_id": str},
        pk=("channel", "ts"),
        foreign_keys=[("turn_id", "turns", "id")],
    )


@migrations()
def m003_votes(db: sqlite_utils.Database) -> None:
    """Each person's current rating on a turn, and every change of it."""
    db.table("votes").create(
        {"turn_id": str, "voter": str, "value": int, "source": str, "at": str},
        pk=("turn_id", "voter"),
        foreign_keys=[("turn_id", "turns", "id")],
    )
    db.table("vote_events").create(
        {
            "id": int,
            "event_id": str,
            "turn_id": str,
            "voter": str,
            "value": int,
            "is_withdrawn": int,
            "source": str,
            "at": str,
            "generator": str,
            "embedder": str,
            "generation": str,
        },
        pk="id",
        foreign_keys=[("turn_id", "turns", "id")],
    )


@migrations()
def m004_channels(db: sqlite_utils.Database) -> None:
    """What admins have set for each channel, as JSON."""
    db.table("channels").create(
        {"channel": str, "config": str, "changed_by": str, "changed": float}, pk="channel"
    )


@migrations()
def m005_asking(db: sqlite_utils.Database) -> None:
    """Answers to be stopped, threads that people took over, and who knows of mutes."""
    thread = {"channel": str, "thread_ts": str}
    db.table("stops").create(thread, pk=tuple(thread))
    db.table("takeovers").create(thread | {"person": str, "at": float}, pk=tuple(thread))
    told = {"channel": str, "person": str, "until": float}
    db.table("mutes_told").create(told | {"event_id": str}, pk=tuple(told))


@migrations()
def m006_cards(db: sqlite_utils.Database) -> None:
    """What an answer's card is shown from again, whom it sent people to, and what was deleted."""
    turn = "turn_id TEXT PRIMARY KEY REFERENCES turns(id) ON DELETE CASCADE"
    db.conn.execute(f"CREATE TABLE cards ({turn}, answer TEXT NOT NULL)")
    db.conn.execute(f"CREATE TABLE escalations ({turn}, person TEXT, ts TEXT, at TEXT)")
    db.table("turns").add_column("deleted", str)


@migrations()
def m007_feedback(db: sqlite_utils.Database) -> None:
    """What people made of answers besides ratings, and what came of it."""
    db.table("signals").create(
        {"event_id": str, "kind": str, "turn_id": str, "person": str, "at": str},
        pk=("event_id", "kind"),
    )
    db.table("signals").create_index(["turn_id"])
    db.table("reactions").create(
        {"turn_id": str, "voter": str, "value": int, "is_on": int, "at": float},
        pk=("turn_id", "voter", "value"),
    )
    db.table("reasons").create(
        {
            "turn_id": str,
            "person": str,
            "reason": str,
            "answer": str,
            "document_id": str,
            "content_hash": str,
            "document_name": str,
            "event_id": str,
            "at": str,
        },
        pk=("turn_id", "person"),
    )
    db.table("reviews").create(
        {
            "id": int,
            "event_id": str,
            "turn_id": str,
            "source": str,
            "question": str,
            "language": str,
            "answer": str,
            "document_id": str,
            "content_hash": str,
            "document_name": str,
            "audience": str,
            "channel": str,
            "author": str,
            "proposer": str,
            "state": str,
            "created": str,
            "reviewer": str,
            "decided_by_event": str,
            "decided": str,
        },
        pk="id",
        not_null={"event_id", "question", "answer", "audience", "state"},
    )
    db.table("reviews").create_index(["event_id"], unique=True)
    db.table("reviews").create_index(["state"])
    db.table("curated").create(
        {
            "id": int,
            "review_id": int,
            "turn_id": str,
            "question": str,
            "language": str,
            "answer": str,
            "document_id": str,
            "content_hash": str,
            "audience": str,
            "author": str,
            "author_name": str,
            "reviewer": str,
            "embedder": str,
            "vector": bytes,
            "created": str,
            "expired": str,
        },
        pk="id",
        not_null={"question", "answer", "audience"},
    )
    db.table("curated").create_index(["review_id"], unique=True)
    db.table("fixes").create(
        {
            "turn_id": str,
            "curated_id": int,
            "answer": str,
            "generator": str,
            "generation": str,
            "at": str,
        },
        pk="turn_id",
    )
    db.table("rechecks").create(
        {"turn_id": str, "generator": str, "generation": str, "at": str},
        pk=("turn_id", "generator", "generation"),
    )
    db.table("notices").create(
        {"turn_id": str, "person": str, "kind": str, "at": str},
        pk=("turn_id", "person", "kind"),
    )
    db.table("people").create(
        {"person": str, "may_learn": int, "notify": int, "changed": str}, pk="person"
    )


@migrations()
def m008_admin(db: sqlite_utils.Database) -> None:
    """Where each rollback went, so that one that is begun twice goes back once."""
    db.table("rollbacks").create(
        {"event_id": str, "at": str, "before": str, "after": str}, pk="event_id"
    )


@migrations()
def m009_export(db: sqlite_utils.Database) -> None:
    """Ratings from elsewhere, and which data set learned from whom; held out is for ever."""
    db.table("imports").create(
        {"turn_id": str, "split": str, "is_consented": int, "correction": str, "is_gold": int},
        pk="turn_id",
    )
    db.table("imported_passages").create(
        {"content_hash": str, "document_id": str, "title": str, "text": str}, pk="content_hash"
    )
    db.table("imported_ratings").create(
        {"turn_id": str, "person": str, "is_expert": int, "reason": str, "text": str},
        pk=("turn_id", "person"),
    )
    db.table("datasets").create({"id": str, "at": str}, pk="id")
    db.table("dataset_sources").create(
        {"dataset": str, "example": str, "turn_id": str, "person": str},
        pk=("dataset", "example", "turn_id", "person"),
    )
    db.table("dataset_sources").create_index(["person"])
    db.table("held_out").create({"key": str, "question": str, "at": str}, pk="key")
    db.table("held_out_askers").create({"key": str, "person": str}, pk=("key", "person"))


@migrations()
def m010_privacy(db: sqlite_utils.Database) -> None:
    """Whether a turn was in a private conversation; of earlier turns nobody knows."""
    db.table("turns").add_column("is_private", int)


@migrations()
def m011_trials(db: sqlite_utils.Database) -> None:
    """Every model of an answer, its arm in a trial, and what candidates said for nobody to see."""
    for name in ("judge", "reranker", "triage", "trial", "arm"):
        db.table("turns").add_column(name, str)
    db.table("turns").add_column("share", float)
    db.table("turns").create_index(["trial", "arm"])
    turn = "turn_id TEXT REFERENCES turns(id) ON DELETE CASCADE"
    db.conn.execute(
        f"CREATE TABLE shadows ({turn}, trial TEXT NOT NULL, kind TEXT NOT NULL, answer TEXT,"
        " confidence REAL, is_cited INTEGER, overlap REAL, seconds REAL, at TEXT,"
        " PRIMARY KEY (turn_id, trial))"
    )


@migrations()
def m012_payload_versions(db: sqlite_utils.Database) -> None:
    """Which release can read what a delivery holds; releases that tell none wrote the first."""
    db.table("inbox").add_column("version", int, not_null_default=1)


@migrations()
def m013_completions(db: sqlite_utils.Database) -> None:
    """What an endpoint calls the completion of a turn, and the tokens that it read and wrote."""
    turns = db.table("turns")
    turns.add_column("completion", str)
    turns.add_column("prompt_tokens", int)
    turns.add_column("answer_tokens", int)


@migrations()
def m014_places(db: sqlite_utils.Database) -> None:
    """Who was there belongs to the audience of what was said in private, and of what came of it."""
    if not any(db.table(table).count for table in ("turns", "reviews", "curated")):
        return  # Postgres holds nothing from that time, and does not know the functions below
    private = (
        "(channel LIKE 'D%' OR is_private = 1) AND turns.id NOT IN (SELECT turn_id FROM imports)"
    )
    label = (
        "CASE WHEN channel LIKE 'D%' OR reply_ts IS NULL THEN 'in:' || asker"
        " ELSE 'in:' || channel END"
    )
    here = f"SELECT {label} FROM turns WHERE turns.id = turn_id AND {private}"  # noqa: S608
    added = "SET audience = json_insert(audience, '$[#]', "
    db.conn.execute(f"UPDATE turns {added} {label}) WHERE {private}")
    for table in ("reviews", "curated"):
        db.conn.execute(f"UPDATE {table} {added} ({here})) WHERE EXISTS ({here})")


@migrations()
def m015_turns_taken(db: sqlite_utils.Database) -> None:
    """When a job was begun for the first time, so that people and channels take turns."""
    db.table("inbox").add_column("begun", float)
    db.table("inbox").create_index(["kind", "begun", "user", "channel"])


@migrations()
def m016_audit(db: sqlite_utils.Database) -> None:
    """Who was shown what is not for everybody; rows stay as they are, and go from the beginning."""
    db.conn.execute(
        "CREATE TABLE audit (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, at TEXT NOT NULL,"
        " act TEXT NOT NULL, person TEXT NOT NULL, channel TEXT NOT NULL, details TEXT NOT NULL,"
        " before TEXT NOT NULL, sha256 TEXT NOT NULL)"
    )
    db.conn.execute("CREATE INDEX audit_at ON audit (at)")
    db.conn.execute("CREATE TABLE audit_people (person TEXT PRIMARY KEY, user TEXT UNIQUE)")
    db.conn.execute("CREATE TABLE audit_anchor (id INTEGER NOT NULL, sha256 TEXT NOT NULL)")
    db.conn.execute("INSERT INTO audit_anchor VALUES (0, ?)", ("0" * 64,))
    refused = "the audit log is append-only"
    refuse(db, "audit_stays", "UPDATE ON audit", when="1 = 1", message=refused)
    is_kept = "OLD.id > (SELECT id FROM audit_anchor)"
    refuse(db, "audit_is_cut", "DELETE ON audit", when=is_kept, message=refused)


@migrations()
def m018_keys(db: sqlite_utils.Database) -> None:
    """Keys of the HTTP API, how often they were used in a minute or month, and requests by name."""
    db.table("api_keys").create(
        {
            "id": str,
            "name": str,
            "sha256": str,
            "audience": str,
            "per_minute": int,
            "per_month": int,
            "is_expert": int,
            "may_learn": int,
            "created": str,
            "expires": str,
            "revoked": str,
        },
        pk="id",
        not_null={"name", "sha256", "audience", "is_expert", "may_learn", "created"},
    )
    db.table("api_keys").create_index(["name"], unique=True)
    counts = ("questions", "searches", "feedback", "prompt_tokens", "answer_tokens")
    db.table("api_usage").create(
        {"key_id": str, "period": str} | dict.fromkeys(counts, int),
        pk=("key_id", "period"),
        not_null=set(counts),
        defaults=dict.fromkeys(counts, 0),
    )
    db.table("api_requests").create(
        {"key_id": str, "name": str, "digest": str, "turn_id": str, "at": float},
        pk=("key_id", "name"),
    )
    db.table("api_requests").create_index(["at"])


@migrations()
def m019_outdated(db: sqlite_utils.Database) -> None:
    """What was said to be outdated, as it was then, how much that counts, and whether still."""
    reasons = db.table("reasons")
    reasons.add_column("outdated_document", str)
    reasons.add_column("outdated_sha256", str)
    reasons.add_column("outdated_weight", float)
    reasons.add_column("dismissed", str)


def refuse(db: sqlite_utils.Database, name: str, event: str, *, when: str, message: str) -> None:
    """Make a trigger that refuses a change of a table while something holds."""
    if isinstance(db, sqlite_utils.Database):
        action = f"SELECT RAISE(ABORT, '{message}')"
        db.execute(f"CREATE TRIGGER {name} BEFORE {event} WHEN {when} BEGIN {action}; END")
        return
    action = f"IF {when} THEN RAISE EXCEPTION '{message}'; END IF; RETURN OLD"
    db.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action}; END $$"
    )
    db.execute(f"CREATE TRIGGER {name} BEFORE {event} FOR EACH ROW EXECUTE FUNCTION {name}()")
