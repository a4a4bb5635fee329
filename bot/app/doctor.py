"""What is missing for the bot to reach Slack, and how to mend it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from bot.privacy.erasing import put_aside
from bot.redaction import LIBRARIES, Redacted, is_installed
from bot.settings import load_slack_settings, read_slack_settings
from bot.store.opening import open_database, place_of
from bot.store.soundness import check_before, mark_of
from retrieval.doctor import Finding, close
from retrieval.errors import BusyError, DataError, SettingsError
from retrieval.settings import Settings, load_settings

LOG_MB = 64
"""SQLite brings its log in at 4 MB; with so much more, something has kept it from that."""


def checks() -> Iterator[Finding]:
    """Look at the database, if there is one, and at the tokens."""
    settings = load_settings()
    with suppress(SettingsError):  # told below
        slack = read_slack_settings()
        if slack.client_id and not slack.bot_token:
            return  # each of several workspaces has all of it for itself
    database = settings.database_file
    if settings.database is not None:
        yield _postgres(settings)
    elif database.exists() or mark_of(database).exists():
        try:
            check_before(database)
        except (DataError, sqlite3.OperationalError) as error:
            yield Finding("database", "missing", "not usable", str(error))
        else:
            yield Finding("database", "ok", f"{database}, whole")
            yield from _files_of(database)
    for folder in put_aside(settings.home):
        found = f"{folder} holds what was there before a restore, also of who was forgotten since"
        yield Finding("restored", "warning", found, "`whimbrel purge` deletes it")
    with suppress(SettingsError):  # told below
        kept = read_slack_settings()
        days = kept.kept_days
        told = [
            f"{what} {count} days" if count else f"{what} for ever" for what, count in days.items()
        ]
        yield Finding("retention", "ok", ", ".join(told))
        yield _redaction(kept.redact)
    yield _slack(settings.home.resolve())


def _slack(home: Path) -> Finding:
    try:
        # In the home of one of several workspaces: another process takes what Slack delivers.
        is_behind = (home.parent.name, home.name) == ("workspaces", read_slack_settings().only_team)
        slack = load_slack_settings(with_door=not is_behind)
    except SettingsError as error:
        mend = str(error)
        return Finding("slack", "warning", "not configured; `whimbrel serve` needs it", mend)
    way = "one of several workspaces" if is_behind else f"{slack.mode} mode"
    return Finding("slack", "ok", f"{way}, tokens look right (not tried)")


def _files_of(database: Path) -> Iterator[Finding]:
    """What is wrong about the files of a database that is whole."""
    log = database.with_name(f"{database.name}-wal")
    open_ = [path for path in (database, log) if path.exists() and path.stat().st_mode & 0o077]
    if open_:
        found = "it holds what people asked, and others can read it"
        mend = f"run `chmod 600 {' '.join(map(str, open_))}`"
        yield Finding("database", "warning", found, mend, partial(_closed, open_))
    size_mb = log.stat().st_size / 1e6 if log.exists() else 0.0
    if size_mb > LOG_MB:
        found = f"{log} has {size_mb:.0f} MB that are not in the database's own file yet"
        mend = "start the bot, which brings them there"
        yield Finding("database", "warning", found, mend, partial(_brought_in, database))


def _closed(paths: Sequence[Path]) -> str:
    return ", ".join(map(close, paths))


def _brought_in(database: Path) -> str:
    with closing(sqlite3.connect(database, timeout=5)) as connection:
        is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise DataError("somebody reads the database at the moment; try again")
    return f"what was written last is in {database} itself"


def _postgres(settings: Settings) -> Finding:
    try:
        with closing(open_database(settings, is_read_only=True)) as database:
            place = place_of(settings)
            if not database.engine.takes_writes:
                mend = "name the primary in WHIMBREL_DATABASE, or let it take what is written"
                return Finding("database", "missing", f"{place} can only be read", mend)
            return Finding("database", "ok", f"{place}, with all its tables")
    except (BusyError, DataError, SettingsError) as error:
        return Finding("database", "missing", "not usable", str(error))


def _redaction(what: Redacted) -> Finding:
    missing = [package for name, package in LIBRARIES.items() if not is_installed(name)]
    if what == "nothing" or not missing:
        return Finding("redaction", "ok", f"{what} is taken out of what is stored")
    found = f"{what}: what has a form that is known is taken out of what is stored"
    return Finding("redaction", "warning", found, f"to find more: pip install {' '.join(missing)}")
