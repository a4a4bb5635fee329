"""Which workspaces the app is installed in, and their tokens, renewed before they expire."""

from __future__ import annotations

import asyncio
import gc
import math
import sqlite3
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from slack_sdk.oauth.installation_store import Bot as BotToken
from slack_sdk.oauth.installation_store import Installation as AppInstallation
from slack_sdk.oauth.installation_store.sqlite3 import SQLite3InstallationStore
from slack_sdk.oauth.state_store.sqlite3 import SQLite3OAuthStateStore
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import SlackSettings, secret
from bot.workspaces.places import TEAM_ID, Place
from retrieval.errors import DataError
from retrieval.private import make_private
from retrieval.settings import Settings

FILE = "installations.db"
STATE_S = 600
"""How long somebody may take on Slack's page."""
EARLY_MINUTES = 120
"""How long before their end tokens are renewed; they live for twelve hours."""

_SPENT = """
    DELETE FROM slack_bots WHERE client_id = ?1 AND team_id = ?2
    AND id < (SELECT max(id) FROM slack_bots WHERE client_id = ?1 AND team_id = ?2);
    DELETE FROM slack_installations WHERE client_id = ?1 AND team_id = ?2
    AND id < (SELECT max(id) FROM slack_installations WHERE client_id = ?1 AND team_id = ?2);
    UPDATE slack_installations SET bot_token = NULL, bot_refresh_token = NULL
    WHERE client_id = ?1 AND team_id = ?2
"""
"""Deletes tokens that others follow: the store keeps each that there was, and copies."""


class _Closing(sqlite3.Connection):
    """Is closed with its block, which slack_sdk leaves to the garbage collector."""

    def __exit__(self, *raised: Any) -> Literal[False]:  # noqa: ANN401 - as it is there
        try:
            return super().__exit__(*raised)
        finally:
            self.close()


class _Installations(SQLite3InstallationStore):
    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.database, factory=_Closing)


class _States(SQLite3OAuthStateStore):
    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.database, factory=_Closing)


class Installed:
    """The installations of one app. Safe for one process, which alone may renew tokens.

    A workspace is known by its own id, whatever organisation it is in.

    Raises:
        DataError: If the file that they are in is damaged.
    """

    def __init__(self, settings: Settings, slack: SlackSettings) -> None:
        self.home = settings.home
        self.file = settings.home / FILE
        make_private(settings.home)
        self.file.touch(mode=0o600)
        self._client_id, self._client_secret = slack.client_id or "", secret(slack.client_secret)
        database = str(self.file)
        self._store = _Installations(database=database, client_id=self._client_id)
        self.states = _States(database=database, expiration_seconds=STATE_S)
        try:
            is_made = self._rows("SELECT 1 FROM sqlite_master WHERE name = 'oauth_states'")
        except sqlite3.OperationalError:  # locked, or a disk that fails: it may be sound
            raise
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"{self.file} is damaged ({error}): put a copy back, or delete it and let the app "
                "be installed anew"
            ) from error
        if not is_made:
            with warnings.catch_warnings(action="ignore", category=ResourceWarning):
                for store in (self._store, self.states):
                    store.create_tables()  # type: ignore[no-untyped-call]
                gc.collect()  # what they opened and have not closed
        self._renewing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._expires: dict[str, float] = {}

    def place(self, team: str) -> Place:
        """The home of a workspace."""
        return Place(self.home, team)

    def teams(self) -> list[str]:
        """The ids of the workspaces that the app is installed in."""
        sql = "SELECT DISTINCT team_id FROM slack_bots WHERE client_id = ?"
        rows = self._rows(sql, self._client_id)
        return sorted(team for (team,) in rows)

    def token(self, team: str) -> BotToken | None:
        """The bot's token in a workspace, and when it expires."""
        bot = self._store.find_bot(enterprise_id=None, team_id=team)
        if bot is not None:
            self._expires[team] = bot.bot_token_expires_at or math.inf
        return bot

    def has_expired(self, team: str) -> bool:
        """Whether the token that was seen last has expired."""
        return self._expires.get(team, math.inf) <= time.time()

    def since(self, team: str) -> float:
        """When the app was installed, in seconds since 1970; 0 if it is not."""
        found = self._store.find_installation(enterprise_id=None, team_id=team)
        return found.installed_at if found else 0.0

    def keep(self, installation: AppInstallation) -> Place:
        """Keep an installation in a workspace, in place of the one that may be there."""
        place = self.place(installation.team_id or "")
        installation.enterprise_id = None
        self._store.save(installation)
        self._drop_spent(place.team)
        self._hand_out(place)
        return place

    def drop(self, team: str) -> None:
        """Forget the tokens of a workspace; its data stays."""
        self._store.delete_all(enterprise_id=None, team_id=team)
        self._expires.pop(team, None)
        self.place(team).token_file.unlink(missing_ok=True)

    async def renew(self, team: str, client: AsyncWebClient) -> None:
        """Let the workspace's bot have a token that holds for a while; one at a time does it.

        Raises:
            SlackTokenRotationError: If Slack refuses.
            aiohttp.ClientError, TimeoutError: If Slack does not answer.
        """
        async with self._renewing[team]:
            bot = self.token(team)
            if bot is None:
                return
            rotator = AsyncTokenRotator(
                client_id=self._client_id, client_secret=self._client_secret, client=client
            )
            renewed = await rotator.perform_bot_token_rotation(
                bot=bot, minutes_before_expiration=EARLY_MINUTES
            )
            now = self.token(team)  # it may have been removed, or installed anew, meanwhile
            is_same = now is not None and now.bot_refresh_token == bot.bot_refresh_token
            if renewed is not None and is_same:
                self._store.save_bot(renewed)
                self._drop_spent(team)
            self._hand_out(self.place(team))

    def drop_stale_states(self) -> None:
        """Forget who went to Slack's page and did not come back."""
        self._rows("DELETE FROM oauth_states WHERE expire_at < ?", time.time())

    def _hand_out(self, place: Place) -> None:
        bot, file = self.token(place.team), place.token_file
        if bot is not None and not (file.exists() and file.read_text() == bot.bot_token):
            place.write_token(bot.bot_token)

    def _drop_spent(self, team: str) -> None:
        for sql in _SPENT.split(";"):
            self._rows(sql, self._client_id, team)

    def _rows(self, sql: str, *values: object) -> list[tuple[str, ...]]:
        with self._store.connect() as connection:
            connection.execute("PRAGMA secure_delete = on")
            return connection.execute(sql, values).fetchall()


def lines(installed: Installed) -> Iterator[str]:
    """A line for each workspace that there is or was: since when, until when, and where."""
    names = (folder.name for folder in (installed.home / "workspaces").glob("T*"))
    for team in sorted({*installed.teams(), *filter(TEAM_ID.fullmatch, names)}):
        told = [team, "removed"]
        if (bot := installed.token(team)) is not None:
            told = [team, bot.team_name or "", f"installed {_day(installed.since(team))}"]
            if bot.bot_token_expires_at is not None:
                told.append(f"token until {_day(bot.bot_token_expires_at)}")
        yield "  ".join([*told, str(installed.place(team).folder)])


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(" ", "minutes")
