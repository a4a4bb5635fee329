"""Where each of several workspaces has its home, and with which settings its bot runs."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import SecretStr

from bot.settings import SlackSettings
from retrieval.errors import SettingsError
from retrieval.private import make_private, write_private
from retrieval.settings import CONFIG_FILE, Settings

TEAM = "{team}"
"""Stands in an address for the id of a workspace."""

TEAM_ID = re.compile(r"T[A-Z0-9]{1,30}")
"""What Slack calls a workspace."""

OF_ONE = {
    "WHIMBREL_": frozenset(("audiences", "sources")),
    "SLACK_": frozenset(
        (
            "admins", "bot_token", "channel_audiences", "channel_audiences_in_private", "experts",
            "group_audiences", "guest_audiences", "member_audiences", "only_team", "user_audiences",
        )
    ),
}  # fmt: skip
"""Settings that name people, channels or documents: in another workspace they mean others."""

OF_THE_DOOR = {
    "WHIMBREL_": frozenset(("home",)),
    "SLACK_": frozenset(
        (
            "allowed_teams", "app_token", "client_id", "client_secret", "health_host",
            "health_port", "redirect_uri", "signing_secret",
        )
    ),
}  # fmt: skip
"""Settings that no workspace's bot is given as they are."""

_POSTGRES = re.compile(
    r"postgres(?:ql)?://(?:[^@/]*@)?[^/?]*(?:/(?P<name>[^?]*))?(?:\?(?P<more>.*))?", re.DOTALL
)
"""An address as libpq reads it, which allows `?` in a password."""

_DATABASES = ("database", "index")
"""What all workspaces would share that have the same address of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """The home of one workspace in an installation: all that is kept of it is in its folder."""

    home: Path
    team: str

    def __post_init__(self) -> None:
        if not TEAM_ID.fullmatch(self.team):
            raise SettingsError(f"found {self.team!r}; wanted a workspace's id, such as T0123ABCD")

    @property
    def folder(self) -> Path:
        """The home and working folder of its bot, with its `whimbrel.toml`."""
        return self.home.resolve() / "workspaces" / self.team

    @property
    def token_file(self) -> Path:
        """Its bot's token as it is at the moment, there while the app is installed."""
        return self.folder / "slack-token"

    def write_token(self, token: str) -> None:
        """Let its bot use a token from now on."""
        make_private(self.folder)
        beside = self.token_file.with_name(".slack-token")
        write_private(beside, token)
        beside.replace(self.token_file)

    def own_settings(self) -> dict[str, Any]:
        """What its `whimbrel.toml` says.

        Raises:
            SettingsError: If it cannot be read, or could bring another workspace's data in.
        """
        path = self.folder / CONFIG_FILE
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise SettingsError(f"{path} cannot be read: {error}") from error
        for name in ("slack", "api"):
            if not isinstance(values.get(name, {}), dict):
                raise SettingsError(f"{path}: {name} is not a table; write it as [{name}]")
        taken = [name for name in ("home", *_DATABASES) if name in values]
        taken += ["slack.app_token"] if "app_token" in values.get("slack", {}) else []
        if taken:
            raise SettingsError(
                f"{path}: {taken[0]}: not for one workspace alone to say; an installation of "
                "several sets it in its environment"
            )
        return values

    def environment(self, shared: Mapping[str, str]) -> dict[str, str]:
        """The environment of its bot, and of each command for it: what is shared, and its own.

        Raises:
            SettingsError: As for `own_settings`.
        """
        own = {
            "WHIMBREL_HOME": str(self.folder),
            "SLACK_BOT_TOKEN": f"@{self.token_file}",
            "SLACK_ONLY_TEAM": self.team,
        }
        # Two bots cannot listen on one port.
        values = self.own_settings()
        if "health_port" not in values.get("slack", {}):
            own["SLACK_HEALTH_PORT"] = "0"
        if "listen_port" not in values.get("api", {}):
            own["WHIMBREL_API_SERVE"] = "false"
        for name in _DATABASES:
            if address := shared.get(f"WHIMBREL_{name.upper()}"):
                own[f"WHIMBREL_{name.upper()}"] = address.replace(TEAM, self.team)
        return {**shared, **own}


def shared_environment(settings: Settings, slack: SlackSettings) -> dict[str, str]:
    """What our environment and `whimbrel.toml` say for all workspaces, as an environment.

    Raises:
        SettingsError: If a setting is of one workspace, or would let several share what they keep.
    """
    for name in _DATABASES:
        _check_of_each(name, getattr(settings, name))
    ours = {_folded(name): value for name, value in os.environ.items()}
    given = {**_given("WHIMBREL_", settings), **_given("SLACK_", slack), **ours}
    names = {f"{prefix}{name.upper()}" for prefix, of in OF_THE_DOOR.items() for name in of}
    names.add("WHIMBREL_API_LISTEN_PORT")
    return {
        name: value
        for name, value in given.items()
        if name not in names and not name.startswith("WHIMBREL_SOURCE_")
    }


def _folded(name: str) -> str:
    """A variable's name as it is used here: in ours, upper and lower case mean the same."""
    upper = name.upper()
    return upper if upper.startswith(("WHIMBREL_", "SLACK_")) else name


def _given(prefix: str, settings: Settings | SlackSettings) -> dict[str, str]:
    """What is set, in either way."""
    for name in sorted(settings.model_fields_set & OF_ONE[prefix]):
        raise SettingsError(
            f"{prefix}{name.upper()} is about one workspace: set it in the {CONFIG_FILE} of that "
            "workspace's folder, which `whimbrel workspaces list` names"
        )
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        f"{prefix}{name.upper()}": _text(value)
        for name, value in values.items()
        if value is not None
    }


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _check_of_each(name: str, address: SecretStr | None) -> None:
    text = address.get_secret_value() if address else TEAM
    if TEAM not in _name_in(text.strip()):
        raise SettingsError(
            f"WHIMBREL_{name.upper()}: all workspaces would share it; write {TEAM} into the name "
            "of the database, or of the file with its address"
        )


def _name_in(address: str) -> str:
    """What an address calls the database, or the file that the address is in, as it is written."""
    found = _POSTGRES.fullmatch(address)
    if found is None:
        return address.rpartition("/")[2]
    more = [part.partition("=") for part in (found["more"] or "").split("&")]
    named = [value for key, _, value in more if unquote(key) == "dbname"]
    return [found["name"] or "", *named][-1]  # the last one counts
