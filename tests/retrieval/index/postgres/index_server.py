"""Databases for the index, as an administrator makes them ready for a role that may do little."""

from __future__ import annotations

import itertools

import psycopg

from tests.postgres_server import PostgresServer

_NUMBERS = itertools.count(1)


def new_index(server: PostgresServer) -> str:
    """The address of a new database, as somebody who owns it and administrates nothing."""
    name = f"index{next(_NUMBERS)}"
    address = server.empty(name)
    with psycopg.connect(address, autocommit=True) as connection:
        for role in ("whimbrel_reader nologin", "whimbrel login"):
            if not connection.execute(
                "select from pg_roles where rolname = %s", (role.split()[0],)
            ).fetchall():
                connection.execute(f"create role {role}".encode())
        connection.execute("grant whimbrel_reader to whimbrel")
        connection.execute("create extension vector")
        connection.execute(f"alter database {name} owner to whimbrel".encode())
    return address.replace("postgres:@", "whimbrel@")
