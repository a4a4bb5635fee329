"""The database of an installation, where its settings have it: a file in its home, or Postgres."""

from __future__ import annotations

from bot.redaction import Redactor
from bot.store.database import Database
from retrieval.private import read_secret
from retrieval.settings import Settings


def address_of(settings: Settings) -> str | None:
    """The address of Postgres; None for a file in the home.

    Raises:
        SettingsError: If it stands in a file that cannot be read, or that others can read.
    """
    if settings.database is None:
        return None
    return read_secret(settings.database.get_secret_value(), "WHIMBREL_DATABASE")


def open_database(
    settings: Settings, *, redactor: Redactor | None = None, is_read_only: bool = False
) -> Database:
    """The database, as `Database`."""
    return Database(
        settings.database_file,
        address=address_of(settings),
        redactor=redactor,
        is_read_only=is_read_only,
    )


def has_database(settings: Settings) -> bool:
    """Whether there can be anything in it: the file is there, or it is Postgres."""
    return settings.database is not None or settings.database_file.is_file()


def place_of(settings: Settings) -> str:
    """What to call it in a message."""
    address = address_of(settings)
    if address is None:
        return str(settings.database_file)
    from bot.store.postgres import name_of

    return name_of(address)
