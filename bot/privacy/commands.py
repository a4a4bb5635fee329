"""`whimbrel purge`: what was deleted is in no file of ours any more."""

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
