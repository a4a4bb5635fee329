"""Who somebody is: whether an admin, and in which language to speak to them."""

from __future__ import annotations

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import SlackSettings
from bot.slack.incoming.payloads import Body
from bot.slack.outgoing.reaching import reached
from bot.slack.remembered import Remembered
from bot.strings import Strings, strings_for

REMEMBERED_S = 60.0
"""How long somebody stays an admin after Slack has said so: a modal cannot wait for Slack."""


class People:
    """Who somebody is, as far as commands need to know."""

    def __init__(self, settings: SlackSettings, client: AsyncWebClient) -> None:
        self._settings = settings
        self._client = client
        self._known: Remembered[tuple[bool, Strings]] = Remembered(REMEMBERED_S)

    async def look_up(self, user: str) -> tuple[bool, Strings]:
        """Whether a person is an admin, and the words of their language."""
        known = self._known.fresh(user)
        if known is not None:
            return known
        info = (await reached(self._client.users_info(user=user, include_locale=True)))["user"]
        is_admin = user in self._settings.admins
        is_admin = is_admin or bool(info.get("is_admin") or info.get("is_owner"))
        strings = strings_for(str(info.get("locale") or "").partition("-")[0])
        return self._known.keep(user, (is_admin, strings))

    def notice(self, body: Body) -> None:
        """Look somebody up anew whom an event tells of."""
        event = body.get("event") or {}
        if event.get("type") == "user_change":
            self._known.forget(str((event.get("user") or {}).get("id")))

    def strings_of(self, user: str) -> Strings:
        """The words of a person's language as far as it is known, without asking Slack."""
        known = self._known.latest(user)
        return known[1] if known else strings_for("en")

    async def name(self, user: str) -> str | None:
        """What a person is called; None where Slack does not say."""
        try:
            info = (await reached(self._client.users_info(user=user)))["user"]
        except SlackApiError:
            return None
        profile = info.get("profile") or {}
        name = profile.get("display_name") or info.get("real_name") or info.get("name")
        return str(name) if name else None
