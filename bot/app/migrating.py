"""Moves what the bot keeps from its file to Postgres and back: `whimbrel migrate`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bot.store.copying import copy_all, is_empty
from bot.store.database import Database
from bot.store.opening import address_of, open_database
from bot.store.soundness import mark_of
from retrieval.errors import DataError, SettingsError
from retrieval.progress import Progress
from retrieval.settings import Settings

if TYPE_CHECKING:
    from bot.store.postgres import PostgresEngine


def to_postgres(
    settings: Settings,
    *,
    file: Path | None = None,
    on_progress: Progress = lambda *_: None,
) -> dict[str, int]:
    """Copy the file, or another, into the Postgres of the settings; how many rows each table has.

    Raises:
        SettingsError: If no Postgres is set.
        DataError: If there is no file, or if Postgres holds something else.
    """
    source = Database(file or settings.database_file, is_read_only=True)
    with closing(source), closing(_copying(settings)) as target:
        engine: PostgresEngine = target.engine  # type: ignore[assignment]
        if not engine.is_copying() and not is_empty(target):
            raise DataError(f"{engine.name} holds something already; name an empty database")
        engine.mark_copying(is_on=True)
        counts = copy_all(source, target, on_progress=on_progress)
        engine.mark_copying(is_on=False)
    return counts


def to_file(settings: Settings, *, on_progress: Progress = lambda *_: None) -> dict[str, int]:
    """Copy the Postgres of the settings into a file; how many rows each table has.

    Raises:
        SettingsError: If no Postgres is set.
        DataError: If the file is there already.
    """
    _address(settings)
    path = settings.database_file
    if path.exists():
        raise DataError(f"{path} is there already; move it away first")
    unfinished = path.with_name(f"{path.name}.copying")
    with (
        closing(open_database(settings, is_read_only=True)) as source,
        closing(Database(unfinished)) as target,
    ):
        counts = copy_all(source, target, on_progress=on_progress)
    unfinished.rename(path)
    mark_of(unfinished).unlink()
    return counts


def _copying(settings: Settings) -> Database:
    address = _address(settings)
    return Database(settings.database_file, address=address, may_be_unfinished=True)


def _address(settings: Settings) -> str:
    address = address_of(settings)
    if address is None:
        raise SettingsError("WHIMBREL_DATABASE is not set; wanted postgresql://USER@HOST/NAME")
    return address
