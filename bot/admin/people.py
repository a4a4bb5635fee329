"""Who somebody is: whether an admin, and in which language to speak to them."""

from __future__ import annotations

from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import SlackSettings
from bot.strings import Strings, strings_for


class People:
    """Who somebody is, as far as commands need to know."""

    def __init__(self, settings: SlackSettings, client: AsyncWebClient) -> None:
        self._settings = settings
        self._client = client

    async def look_up(self, user: str) -> tuple[bool, Strings]:
        """Whether a person is an admin, and the words of their language."""
        info = (await self._client.users_info(user=user, include_locale=True))["user"]
        is_admin = bool(info.get("is_admin") or info.get("is_owner"))
        strings = strings_for(str(info.get("locale", "")).partition("-")[0])
        return is_admin or user in self._settings.admins, strings
