"""What stands in the address of a Postgres, without giving its password away."""

from __future__ import annotations

from retrieval.errors import SettingsError

ENCODING = "UTF8"
"""How texts are sent to a Postgres and kept in it; others lack characters that people write."""


def parts_of(address: str, setting: str) -> dict[str, str]:
    """The parts of an address that lead somewhere, by the names that libpq has for them.

    Raises:
        SettingsError: If it is none, or a part of the password would be taken for another part.
    """
    import psycopg  # an extra
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(address).items()}
    except psycopg.ProgrammingError as error:
        told = str(error).split('"')[0].strip(" :\n")  # in quotes stands what may be a password
        raise SettingsError(f"{setting}: no address of Postgres: {told}") from None
    if "@" in parts.get("host", "") + parts.get("dbname", ""):
        raise SettingsError(
            f"{setting}: no address of Postgres: write @ and / of a password as %40 and %2F"
        )
    return parts


def other_encoding(found: str | None) -> str:
    """What is wrong with how a database keeps texts, and what mends it; empty if nothing is."""
    if found == ENCODING:
        return ""
    return (
        f"it keeps texts as {found}, in which not every language can be written; make another one: "
        f"`createdb --template template0 --encoding {ENCODING} NAME`"
    )
