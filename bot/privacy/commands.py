"""`whimbrel purge`: what was deleted is in no file any more; `whimbrel audit`: what was shown."""

from __future__ import annotations

import click

# Everything else is imported where it is used: `whimbrel --help` asks every command for its help.


@click.command()
def purge() -> None:
    """Delete the indexes before the one that is served, and rewrite the database.

    Documents that were deleted are in the index before until the next but one is built; nothing can
    be rolled back to afterwards. A bot that serves goes on.
    """
    from bot.store.database import Database
    from retrieval.errors import BusyError
    from retrieval.registry.folders import building, drop_kept, served
    from retrieval.settings import load_settings

    settings = load_settings()
    dropped: list[str] = []
    if served(settings.index_folder) is not None:
        with building(settings.index_folder):
            dropped = drop_kept(settings.index_folder)
    click.echo(f"indexes deleted: {', '.join(dropped) or 'none, no other was kept'}")
    if settings.database.is_file():
        database = Database(settings.database)
        try:
            is_purged = database.rewrite()
        finally:
            database.close()
        if not is_purged:
            raise BusyError(f"{settings.database} is being read; try again in a moment")
        click.echo(f"rewritten: {settings.database}")


@click.command()
@click.option("--verify", is_flag=True, help="Only look whether every row is as it was written.")
def audit(verify: bool) -> None:
    """Write the audit log as JSON lines: who was shown what, and what admins did.

    The hash of each row is the SHA-256 of its other values, as a JSON list of them in the order id,
    key, at, act, person, channel, details, before; `before` is the hash of the row before.
    """
    import json

    from bot.store.audit import AuditLog
    from bot.store.database import Database
    from retrieval.errors import DataError
    from retrieval.settings import load_settings

    settings = load_settings()
    if not settings.database.is_file():
        raise DataError(f"no log in {settings.database}; `whimbrel serve` keeps it there")
    database = Database(settings.database)
    try:
        log = AuditLog(database)
        found = log.verify()
        if verify:
            click.echo(f"{found.rows} rows, each as it was written; the last is {found.sha256}")
            return
        for row in log.rows():
            click.echo(json.dumps(row, ensure_ascii=False))
    finally:
        database.close()
