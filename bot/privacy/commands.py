"""`whimbrel forget`, `whimbrel purge`: deleted, and in no file any more; `audit`: who saw what."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bot.store.database import Database
    from retrieval.settings import Settings

# Everything else is imported where it is used: `whimbrel --help` asks every command for its help.


@click.command()
def purge() -> None:
    """Delete what is kept to go back to, and rewrite the database.

    Documents that were deleted are in the index before until the next but one is built, and people
    who were forgotten in what a restore has moved aside; nothing can be rolled back to afterwards.
    A bot that serves goes on.
    """
    import shutil

    from bot.privacy.erasing import put_aside
    from bot.store.opening import has_database, open_database, place_of
    from retrieval.errors import BusyError
    from retrieval.index.store import index_store, is_indexed
    from retrieval.registry.folders import drop_kept
    from retrieval.settings import load_settings

    settings = load_settings()
    dropped: list[str] = []
    if is_indexed(settings):
        with index_store(settings).building():
            dropped = drop_kept(settings.index_folder)
    click.echo(f"indexes deleted: {', '.join(dropped) or 'none, no other was kept'}")
    for folder in put_aside(settings.home):
        shutil.rmtree(folder)
        click.echo(f"deleted: {folder}")
    if has_database(settings):
        database = open_database(settings)
        try:
            is_purged = database.rewrite()
        finally:
            database.close()
        if not is_purged:
            raise BusyError(f"{place_of(settings)} is being read; try again in a moment")
        click.echo(f"rewritten: {place_of(settings)}")


@click.command()
@click.argument("user")
@click.option("--approved", is_flag=True, help="Also the approved answers that came from them.")
def forget(user: str, approved: bool) -> None:
    """Forget a person, as *Forget me* in App Home does.

    USER is the person's id in Slack, or `api:KEY:NAME` for whom the client of a key calls NAME. A
    bot that serves goes on. A backup that was made before forgets the person when it is restored.
    """
    from bot.privacy.erasing import put_aside
    from bot.privacy.forgetting import PERSON, Forgetting
    from bot.store.inbox import Inbox
    from bot.store.keys import API, person_of
    from bot.store.opening import place_of
    from retrieval.errors import BusyError, DataError
    from retrieval.index.served_embedder import load_embedder
    from retrieval.index.store import is_indexed
    from retrieval.serving.retriever import take_back_retired
    from retrieval.settings import load_settings

    settings = load_settings()
    if user.startswith(API):
        key, _, name = user.removeprefix(API).partition(":")
        user = person_of(f"{API}{key}", name)
    if not PERSON.fullmatch(user):
        raise DataError(
            f"found {user!r}; wanted a person's id in Slack, such as U012AB3CD, or api:KEY:NAME"
        )
    with closing(_log(settings)) as database:
        forgotten = Forgetting(Inbox(database)).forget_person(user, and_approved=approved)
        is_purged = database.purge()
    if forgotten.runs and is_indexed(settings):
        take_back_retired(settings, load_embedder(settings))
    click.echo(
        f"forgotten: {forgotten.questions} questions, {forgotten.ratings} ratings,"
        f" {forgotten.proposals} proposals, {forgotten.approved} approved answers,"
        f" {len(forgotten.runs)} models that learned from them"
    )
    for folder in put_aside(settings.home):
        click.echo(f"{folder} holds them still; `whimbrel purge` deletes it")
    if not is_purged:
        raise BusyError(f"{place_of(settings)} is being read; `whimbrel purge` ends what it holds")


@click.command()
@click.option("--verify", is_flag=True, help="Only look whether every row is as it was written.")
def audit(verify: bool) -> None:
    """Write the audit log as JSON lines: who was shown what, and what admins did.

    The hash of each row is the SHA-256 of its other values, as a JSON list of them in the order id,
    key, at, act, person, channel, details, before; `before` is the hash of the row before.
    """
    import json

    from bot.store.audit import AuditLog
    from retrieval.settings import load_settings

    settings = load_settings()
    with closing(_log(settings)) as database:
        log = AuditLog(database)
        found = log.verify()
        if verify:
            click.echo(f"{found.rows} rows, each as it was written; the last is {found.sha256}")
            return
        for row in log.rows():
            click.echo(json.dumps(row, ensure_ascii=False))


def _log(settings: Settings) -> Database:
    from bot.store.opening import has_database, open_database, place_of
    from retrieval.errors import DataError

    if not has_database(settings):
        raise DataError(f"no log in {place_of(settings)}; `whimbrel serve` keeps it there")
    return open_database(settings)
