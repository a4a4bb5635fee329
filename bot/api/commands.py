"""`whimbrel keys`: who may ask over HTTP, for whom, how often, and how often they did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bot.store.database import Database
    from bot.store.keys import ApiKey, ApiKeys

# Everything else is imported where it is used: `whimbrel --help` asks every command for its help.


@click.group()
def keys() -> None:
    """Make, list and revoke keys of the HTTP API, and tell how much they are used."""


@keys.command()
@click.argument("name")
@click.option(
    "--audience",
    "labels",
    multiple=True,
    metavar="LABEL",
    help="Also show documents with this audience label; may be repeated.",
)
@click.option("--per-minute", type=click.IntRange(min=1), help="So many calls a minute at most.")
@click.option("--per-month", type=click.IntRange(min=1), help="So many calls a month at most.")
@click.option(
    "--expires", type=click.DateTime(["%Y-%m-%d"]), help="The last day that it holds, in UTC."
)
@click.option("--expert", is_flag=True, help="What is rated with it decides, as an expert's word.")
@click.option("--learn", is_flag=True, help="What is asked and rated with it may be learned from.")
def create(
    name: str,
    labels: tuple[str, ...],
    per_minute: int | None,
    per_month: int | None,
    expires: datetime | None,
    expert: bool,
    learn: bool,
) -> None:
    """Make a key called NAME. It is shown once: only a hash of it is kept.

    Without --audience it sees what is for everybody. Whoever has the key reads all that it sees.
    """
    if expires and expires.date() < datetime.now(UTC).date():
        raise click.BadParameter("that day is over", param_hint="--expires")
    with _opened() as (database, api_keys):
        with database.transaction():
            key, secret = api_keys.create(
                name,
                audience=labels,
                per_minute=per_minute,
                per_month=per_month,
                expires=expires.date() if expires else None,
                is_expert=expert,
                may_learn=learn,
            )
            _note(database, "created", key)
        for label in sorted(key.audience - _known()):
            click.secho(f"no document has the audience label {label!r} yet", dim=True, err=True)
    click.echo(secret)


@keys.command("list")
def list_() -> None:
    """Tell which keys there are, and what each may see."""
    import time

    with _opened() as (_, api_keys):
        for key in api_keys.all():
            click.echo(_line(key, time.time()))


@keys.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Let the key called NAME open nothing from now on."""
    from retrieval.errors import DataError, did_you_mean

    with _opened() as (database, api_keys):
        key = api_keys.named(name)
        if key is None:
            guess = did_you_mean(name, [key.name for key in api_keys.all()])
            raise DataError(f"there is no key {name!r}{guess}")
        with database.transaction():
            if api_keys.revoke(name):
                _note(database, "revoked", key)
    click.echo(f"{name} opens nothing any more")


@keys.command()
@click.option("--month", type=click.DateTime(["%Y-%m"]), metavar="YYYY-MM", help="Only this month.")
def usage(month: datetime | None) -> None:
    """Tell how much each key was used, by month, as a table of tab-separated values."""
    from dataclasses import asdict, fields

    from bot.store.keys import KeyUsage

    with _opened() as (_, api_keys):
        click.echo("\t".join(field.name for field in fields(KeyUsage)))
        for used in api_keys.usage(month=month.strftime("%Y-%m") if month else None):
            click.echo("\t".join(map(str, asdict(used).values())))


@contextmanager
def _opened() -> Iterator[tuple[Database, ApiKeys]]:
    from bot.store.keys import ApiKeys
    from bot.store.opening import open_database
    from retrieval.settings import load_settings

    database = open_database(load_settings())
    try:
        yield database, ApiKeys(database)
    finally:
        database.close()


def _note(database: Database, deed: str, key: ApiKey) -> None:
    from bot.api.calls import Call
    from bot.settings import read_slack_settings
    from bot.store.audit import AuditLog

    audit = AuditLog(database, keep_days=read_slack_settings().audit_days)
    audience = sorted(key.audience)
    audit.add("key", Call(key), channel=key.place, deed=deed, audience=audience)


def _known() -> frozenset[str]:
    """The labels that documents have, or are to have."""
    from retrieval.errors import IndexNotFoundError
    from retrieval.index.store import index_store
    from retrieval.records import PUBLIC
    from retrieval.settings import load_settings

    settings = load_settings()
    try:
        found = {source.audience for source in index_store(settings).sources()}
    except IndexNotFoundError:
        found = set()
    return frozenset({PUBLIC, *found, *settings.audiences.values()})


def _line(key: ApiKey, now: float) -> str:
    limits = [
        f"{limit} a {period}"
        for limit, period in ((key.per_minute, "minute"), (key.per_month, "month"))
        if limit is not None
    ]
    facts = [
        f"{key.name}: {key.state(now)}",
        f"sees {', '.join(sorted(key.audience))}",
        *limits,
        *(["decides as an expert"] if key.is_expert else []),
        *(["may be learned from"] if key.may_learn else []),
        f"made {key.created[:10]}",
        *([f"until {key.expires}"] if key.expires else []),
    ]
    return "; ".join(facts)
