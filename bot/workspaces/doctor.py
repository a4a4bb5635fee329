"""What is wrong with several workspaces in one installation, and how to mend it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bot.settings import SlackSettings, load_app_settings, read_slack_settings
from bot.workspaces.installed import EARLY_MINUTES, FILE, Installed
from bot.workspaces.places import shared_environment
from retrieval.doctor import Finding, close
from retrieval.errors import SettingsError
from retrieval.settings import Settings, load_settings

NAME = "workspaces"


def checks() -> Iterator[Finding]:
    """Look at each workspace and its token; nothing where the app is for one workspace."""
    try:
        settings, slack = load_settings(), read_slack_settings()
        if slack.client_id is None:
            return
        slack = load_app_settings()
        shared_environment(settings, slack)
    except SettingsError as error:
        yield Finding(NAME, "missing", "not served", str(error))
        return
    if (settings.home / FILE).exists():
        yield from _installed(settings, slack)
    else:
        yield Finding(NAME, "ok", "no workspace has the app yet")


def _installed(settings: Settings, slack: SlackSettings) -> Iterator[Finding]:
    installed = Installed(settings, slack)
    file = installed.file
    if file.stat().st_mode & 0o077:
        found = f"{file} holds tokens, and others can read it"
        yield Finding(NAME, "warning", found, f"run `chmod 600 {file}`", lambda: close(file))
    teams = installed.teams()
    for team in teams:
        if slack.allowed_teams and team not in slack.allowed_teams:
            found = f"{team} has the app and is not served"
            yield Finding(NAME, "warning", found, "add it to SLACK_ALLOWED_TEAMS, or remove it")
        try:
            installed.place(team).own_settings()
        except SettingsError as error:
            yield Finding(NAME, "missing", f"{team} is not served", str(error))
        bot = installed.token(team)
        expires = bot.bot_token_expires_at if bot else None
        if expires is not None and expires < time.time() + EARLY_MINUTES * 30:
            found = f"{team}: its token was not renewed in time"
            mend = "start `whimbrel workspaces serve`; if it says that Slack refuses, install anew"
            yield Finding(NAME, "warning", found, mend)
    yield Finding(NAME, "ok", f"{len(teams)} have the app: {', '.join(teams)}")
