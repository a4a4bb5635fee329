"""What the log tells, as tables for analysts: numbers, and the words of what everybody may read."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bot.scrubbing import Scrubber
from bot.store.database import Database
from bot.store.log import utc
from retrieval.errors import DataError
from retrieval.records import PUBLIC
from retrieval.registry.rounds import Round
from retrieval.sources.syncing import Pulled

LabelOf = Callable[[str], str | None]
"""The label that somebody needs to read a document now, by its id; None if there is none."""

TABLES = {
    "questions": (
        "id TEXT PRIMARY KEY, asked TEXT, person INTEGER, language TEXT, outcome TEXT, method TEXT,"
        " confidence REAL, seconds REAL, is_private INTEGER, generator TEXT, embedder TEXT,"
        " generation TEXT, trial TEXT, arm TEXT, question TEXT"
    ),
    "stages": "question_id TEXT, stage TEXT, seconds REAL",
    "citations": "question_id TEXT, number INTEGER, support REAL, document TEXT",
    "votes": "question_id TEXT, day TEXT, value INTEGER, source TEXT",
    "jobs": "day TEXT, kind TEXT, state TEXT, jobs INTEGER",
    "sources": (
        "source TEXT PRIMARY KEY, synced TEXT, new INTEGER, changed INTEGER, gone INTEGER,"
        " left_out INTEGER, is_broken INTEGER"
    ),
    "learning": "at TEXT, learner TEXT, outcome TEXT, found INTEGER, needed INTEGER",
}
"""The tables and their columns. `person` is a number that means nothing outside of one file."""

_TURNS = (
    "FROM turns WHERE deleted IS NULL AND id NOT IN (SELECT turn_id FROM imports) ORDER BY created"
)


def write_analytics(
    file: Path,
    database: Database,
    label_of: LabelOf,
    sources: Iterable[Pulled],
    rounds: Iterable[Round],
) -> dict[str, int]:
    """Write the tables into a SQLite file that replaces what is there; the rows of each.

    A question that not everybody could read stands there without its words and without who asked
    it, and a document that not everybody may read without its name. Names of people are nowhere,
    and what looks personal in words is replaced.

    Raises:
        DataError: If something else is there than such tables.
    """
    _check_replaceable(file)
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    rows = {
        "questions": _questions(database),
        "stages": _stages(database),
        "citations": _citations(database, label_of),
        "votes": _votes(database),
        "jobs": _jobs(database),
        "sources": map(_source, sources),
        "learning": _learning(rounds),
    }
    with database.snapshot(), closing(sqlite3.connect(fresh)) as out:
        counts = {name: _write(out, name, found) for name, found in rows.items()}
        out.commit()
    fresh.chmod(0o400)
    os.replace(fresh, file)  # noqa: PTH105 - says that it replaces
    return counts


def _check_replaceable(file: Path) -> None:
    """Let nothing be lost to a name that was given by mistake, such as the bot's own database."""
    if not file.exists() or not file.stat().st_size:
        return
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as there:
            held = {
                name
                for (name,) in there.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
    except sqlite3.DatabaseError:
        held = set()
    if held != set(TABLES):
        raise DataError(f"{file} holds something else; delete it, or name another file")


def _write(out: sqlite3.Connection, name: str, rows: Iterable[Sequence[Any]]) -> int:
    out.execute(f"CREATE TABLE {name} ({TABLES[name]})")
    marks = ", ".join("?" for _ in TABLES[name].split(", "))
    out.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608 - written here
    return int(out.execute(f"SELECT count(*) FROM {name}").fetchone()[0])  # noqa: S608


def _questions(database: Database) -> Iterator[Sequence[Any]]:
    people: dict[str, int] = {}
    for row in database.connection.query(f"SELECT * {_TURNS}"):
        is_public = set(json.loads(row["audience"])) <= {PUBLIC} and row["is_private"] == 0
        # Who asked in public can be looked up there: it must not tell what they asked in private.
        person = people.setdefault(row["asker"], len(people) + 1) if is_public else None
        yield (
            row["id"],
            row["created"][:10],
            person,
            row["language"],
            row["kind"],
            row["method"],
            row["confidence"],
            json.loads(row["timings"]).get("total"),
            not is_public,
            row["generator"],
            row["embedder"],
            row["generation"],
            row["trial"],
            row["arm"] if row["trial"] else None,
            _words(row["question"]) if is_public else None,
        )


def _words(question: str) -> str | None:
    """A question without what looks personal or secret; None where that may not be all of it."""
    scrubber = Scrubber()
    words = scrubber.scrub(question)
    return None if scrubber.leaves(words) else words


def _stages(database: Database) -> Iterator[Sequence[Any]]:
    for row in database.connection.query(f"SELECT id, timings {_TURNS}"):
        yield from ((row["id"], stage, s) for stage, s in json.loads(row["timings"]).items())


def _citations(database: Database, label_of: LabelOf) -> Iterator[Sequence[Any]]:
    for row in database.connection.query(f"SELECT id, citations {_TURNS}"):
        for cited in json.loads(row["citations"]):
            document = cited["document_id"]
            name = document if label_of(document) == PUBLIC else None
            yield row["id"], cited["number"], cited["support"], name


def _votes(database: Database) -> Iterator[Sequence[Any]]:
    for row in database.connection.query(
        f"SELECT turn_id, at, value, source FROM votes WHERE turn_id IN (SELECT id {_TURNS})"  # noqa: S608
    ):
        yield row["turn_id"], row["at"][:10], row["value"], row["source"]


def _jobs(database: Database) -> Iterator[Sequence[Any]]:
    rows = database.connection.query("SELECT created, kind, state FROM inbox")
    counts = Counter((utc(row["created"])[:10], row["kind"], row["state"]) for row in rows)
    return ((*job, count) for job, count in sorted(counts.items()))


def _source(pulled: Pulled) -> Sequence[Any]:
    return (
        pulled.name,
        pulled.ended or None,
        pulled.new,
        pulled.changed,
        pulled.gone,
        len(pulled.left_out),
        pulled.error is not None,
    )


def _learning(rounds: Iterable[Round]) -> Iterator[Sequence[Any]]:
    for done in rounds:
        for tried in done.tries:
            yield done.at, tried.learner, tried.state, tried.found, tried.needed
