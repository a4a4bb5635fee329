"""What Slack says of people, user groups and channels, until an event tells that it has changed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.incoming.payloads import Body
from bot.slack.outgoing.reaching import reached, reason
from bot.slack.remembered import Remembered

logger = logging.getLogger(__name__)

REMEMBERED_S = 300.0
"""An event can be lost; whatever it would have told is asked about again after this time."""
PAGE = 200

Standing = Literal["member", "guest", "outsider", "bot", "gone", "unknown"]
"""A full member, a guest, a person of another organisation, an app, somebody deactivated."""

_EVERYBODY = "everybody"
_GROUPS = "groups"
_TYPES = {"channel": False, "group": True}


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody is to the workspace. Only a full member has an `email`, in lower case."""

    standing: Standing
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Privacy:
    """Whether only those who were asked in read a channel, and whether others are among them."""

    is_private: bool
    is_shared: bool


class Directory:
    """Who people are, which groups and channels they are in, and who can get into a channel.

    Every method raises SlackUnreachableError if Slack must be asked and does not answer now.
    """

    def __init__(self, client: AsyncWebClient, *, team: str) -> None:
        self._client = client
        self._team = team
        self._people: Remembered[Person] = Remembered(REMEMBERED_S)
        self._everybody: Remembered[Mapping[str, Standing]] = Remembered(REMEMBERED_S)
        self._groups: Remembered[Mapping[str, str]] = Remembered(REMEMBERED_S)
        self._channels: Remembered[Privacy] = Remembered(REMEMBERED_S)
        self._members: Remembered[frozenset[str]] = Remembered(REMEMBERED_S)  # of groups, too

    async def person(self, user: str) -> Person:
        """Who somebody is; `unknown` where Slack does not say."""

        async def ask() -> Person:
            info = (await reached(self._client.users_info(user=user)))["user"]
            return person_of(info, team=self._team)

        return await self._people.ask(user, _said(ask, f"user={user}")) or Person("unknown")

    async def privacy(self, channel: str) -> Privacy | None:
        """Who can get into a channel; None where Slack does not say."""

        async def ask() -> Privacy:
            info = (await reached(self._client.conversations_info(channel=channel)))["channel"]
            within = info.get("is_shared") and not info.get("is_org_shared")
            beyond = info.get("is_ext_shared") or info.get("is_pending_ext_shared") or within
            return Privacy(
                is_private=bool(info.get("is_private") or info.get("is_mpim")),
                is_shared=bool(beyond),
            )

        return await self._channels.ask(channel, _said(ask, f"channel={channel}"))

    async def is_among_members(self, channel: str) -> bool:
        """Whether all who are in a channel are full members; False where Slack does not say."""
        members = await self.members(channel)
        if not members:
            return False

        async def ask() -> Mapping[str, Standing]:
            found = await _pages(
                lambda cursor: self._client.users_list(cursor=cursor, limit=PAGE), "members"
            )
            return {info["id"]: standing_of(info, team=self._team) for info in found}

        everybody = await self._everybody.ask(_EVERYBODY, _said(ask, "everybody")) or {}
        return {everybody.get(member) for member in members} <= {"member", "bot", "gone"}

    async def members(self, channel: str) -> frozenset[str]:
        """Who is in a channel; nobody where Slack does not say."""

        async def ask() -> frozenset[str]:
            return frozenset(
                await _pages(
                    lambda cursor: self._client.conversations_members(
                        channel=channel, cursor=cursor, limit=PAGE
                    ),
                    "members",
                )
            )

        return await self._members.ask(channel, _said(ask, f"members of {channel}")) or frozenset()

    async def group(self, name: str) -> frozenset[str]:
        """Who is in a user group, given by its id or handle; nobody where Slack does not say."""

        async def ask_groups() -> Mapping[str, str]:
            groups = (await reached(self._client.usergroups_list()))["usergroups"]
            ours = [group for group in groups if not group.get("is_external")]
            standing = [group for group in ours if not group.get("date_delete")]
            return {group[key]: group["id"] for group in standing for key in ("handle", "id")}

        groups = await self._groups.ask(_GROUPS, _said(ask_groups, "user groups")) or {}
        id_ = groups.get(name.removeprefix("@"))
        if id_ is None:
            logger.warning("there is no user group %s", name)
            return frozenset()

        async def ask() -> frozenset[str]:
            return frozenset(
                (await reached(self._client.usergroups_users_list(usergroup=id_)))["users"]
            )

        return await self._members.ask(id_, _said(ask, f"group={id_}")) or frozenset()

    def notice(self, body: Body) -> None:
        """Forget what an event says is not so any more; called before the event is acknowledged."""
        event = body.get("event") or {}
        channel = event.get("channel")
        match event.get("type"):
            case "user_change" | "team_join":
                self._notice_person(event)
            case "member_joined_channel" | "member_left_channel":
                self._members.forget(str(channel))
            case "subteam_created" | "subteam_updated" | "subteam_members_changed":
                group = event.get("subteam_id") or (event.get("subteam") or {}).get("id")
                self._groups.forget(_GROUPS)
                self._members.forget(str(group))
            case _ if isinstance(channel, str):
                self._notice_channel(channel, event, is_shared=body.get("is_ext_shared_channel"))

    def _notice_person(self, event: Body) -> None:
        info = event.get("user") or {}
        user = str(info.get("id"))
        self._people.forget(user)
        # People's names and moods change all day; asking for everybody each time would never end.
        known = self._everybody.latest(_EVERYBODY) or {}
        if event["type"] == "team_join" or known.get(user, "member") != standing_of(
            info, team=self._team
        ):
            self._everybody.forget(_EVERYBODY)

    def _notice_channel(self, channel: str, event: Body, *, is_shared: object) -> None:
        """A change has events of its own, and shows in whatever else is said there."""
        told = f"{event.get('type')} {event.get('subtype')}"
        has_changed = any(word in told for word in ("shared", "convert"))
        if known := self._channels.latest(channel):
            is_private = _TYPES.get(event.get("channel_type") or "", known.is_private)
            has_changed |= is_private != known.is_private or bool(is_shared) > known.is_shared
        if has_changed:
            self._channels.forget(channel)
            self._members.forget(channel)


def person_of(info: Body, *, team: str) -> Person:
    """Who somebody is to a workspace, by what Slack says of them."""
    standing = standing_of(info, team=team)
    email = (info.get("profile") or {}).get("email")
    if standing != "member" or info.get("is_email_confirmed") is False:
        email = None
    return Person(standing, email.lower() if email else None)


def standing_of(info: Body, *, team: str) -> Standing:
    """As `person_of`, without the e-mail address."""
    teams = {info.get("team_id") or team}
    teams |= set((info.get("enterprise_user") or {}).get("teams") or ())
    if info.get("deleted"):
        return "gone"
    if info.get("is_stranger") or team not in teams:
        return "outsider"
    if info.get("is_bot") or info.get("is_workflow_bot"):
        return "bot"
    is_guest = info.get("is_restricted") or info.get("is_ultra_restricted")
    return "guest" if is_guest else "member"


async def _pages(call: Callable[[str], Awaitable[Any]], key: str) -> list[Any]:
    found: list[Any] = []
    cursor = ""
    while True:
        page = await reached(call(cursor))
        found += page[key]
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return found


def _said(ask: Callable[[], Awaitable[Any]], what: str) -> Callable[[], Awaitable[Any]]:
    """Asks, and says None where Slack refuses to say."""

    async def said() -> Any:  # noqa: ANN401 - whatever `ask` gives
        try:
            return await ask()
        except SlackApiError as error:
            logger.warning("%s cannot be looked up: %s", what, reason(error))
            return None

    return said
