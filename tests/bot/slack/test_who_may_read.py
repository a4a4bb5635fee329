"""People × places × labels, as Slack tells of them, and what becomes of changes and outages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import SlackSettings
from bot.slack.audience import Audiences
from bot.slack.directory import Directory
from bot.slack.incoming.payloads import Question
from bot.slack.outgoing.reaching import SlackUnreachableError
from retrieval.labels import label_of
from tests.bot.conftest import House, settled
from tests.fakes import SentenceAnswerer
from tests.slack_server import (
    BOT_TOKEN,
    BOT_USER,
    TEAM,
    Fault,
    SlackServer,
    direct_message,
    event,
    mention,
    slash,
)

FULL, NAMED, GUEST, ULTRA, STRANGER, PARTNER, GONE, ROBOT, HIDDEN = (f"U{n}" for n in range(1, 10))
"""The partner is of another organisation and named in the settings; Slack hides the last one."""

OPEN, MIXED, ROOM, SHARED, TURNED = "C1", "C2", "G1", "G2", "C5"
"""The second has a guest in it. The last four are granted `hr`; the very last is public now."""

PEOPLE: dict[str, dict[str, Any]] = {
    FULL: {"team_id": TEAM},
    NAMED: {},
    GUEST: {"is_restricted": True},
    ULTRA: {"is_restricted": True, "is_ultra_restricted": True},
    STRANGER: {"team_id": "T2", "is_stranger": True},
    PARTNER: {"team_id": "T2"},
    GONE: {"deleted": True},
    ROBOT: {"is_bot": True},
    BOT_USER: {"is_bot": True},
}
MEMBERS = {
    OPEN: [FULL, NAMED, GONE, ROBOT, BOT_USER],
    MIXED: [FULL, NAMED, ROBOT, GUEST, BOT_USER],
    ROOM: [FULL, NAMED, BOT_USER],
    SHARED: [FULL, BOT_USER],
    TURNED: [FULL, HIDDEN, BOT_USER],
}
ASKED_ALONE = ("dm", "ask")
NOBODY = ("", "", "")
"""What is held by itself, with labels for members, and with labels for members and guests."""

ALONE = {
    FULL: ("public", "public staff", "public staff"),
    NAMED: ("public hr", "public hr staff", "public hr staff"),
    GUEST: ("", "", "public visit"),
    ULTRA: ("", "", "public visit"),
    STRANGER: ("", "", "public visit"),
    PARTNER: ("public deal", "public deal", "public deal visit"),
    GONE: NOBODY,
    ROBOT: NOBODY,
    HIDDEN: NOBODY,
}
TOGETHER = {
    OPEN: ("public", "public staff", "public staff"),
    MIXED: ("public", "public", "public"),
    ROOM: ("public hr", "public hr staff", "public hr staff"),
    SHARED: ("public", "public", "public"),
    TURNED: ("public", "public", "public"),
}
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"member_audiences": ("staff",)},
    {"member_audiences": ("staff",), "guest_audiences": ("visit",)},
)


@dataclass
class Office:
    """What settings and Slack say together, without a bot around it."""

    slack: SlackServer
    directory: Directory
    client: AsyncWebClient

    def audiences(
        self, at_source: Mapping[str, Sequence[str]] = MappingProxyType({}), **settings: Any
    ) -> Audiences:
        granted = dict.fromkeys((ROOM, SHARED, TURNED), ("hr",))
        chosen = SlackSettings(
            channel_audiences=granted,
            user_audiences={NAMED: ("hr",), PARTNER: ("deal",), GONE: ("hr",), HIDDEN: ("hr",)},
            **settings,
        )

        def held(email: str) -> Sequence[str]:
            return at_source.get(email, ())

        return Audiences(chosen, self.client, self.directory, held_at_sources=held)

    async def labels(self, user: str, where: str, **settings: Any) -> str:
        url = self.slack.response_url("r") if where == "ask" else None
        question = Question("?", response_url=url, channel_type="im" if where == "dm" else None)
        channel = {"dm": f"D{user[1:]}", "ask": OPEN}.get(where, where)
        found = await self.audiences(**settings).of(question, channel=channel, user=user)
        return " ".join(sorted(found, key="public hr staff deal visit".find))

    def tell(self, type: str, **more: Any) -> None:  # noqa: A002 - as Slack calls it
        self.directory.notice(event({"type": type, **more}, "Ev"))


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with SlackServer() as slack:
        slack.users.update({id_: dict(facts) for id_, facts in PEOPLE.items()})
        slack.hidden_users.add(HIDDEN)
        slack.members.update({room: list(people) for room, people in MEMBERS.items()})
        for room in (ROOM, SHARED):
            slack.channels[room]["is_private"] = True
        slack.channels[SHARED]["is_ext_shared"] = True
        client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)
        yield Office(slack, Directory(client, team=TEAM), client)


async def test_each_person_holds_in_private_what_is_meant_for_them(office: Office) -> None:
    for person, expected in ALONE.items():
        for where in ASKED_ALONE:
            found = [await office.labels(person, where, **chosen) for chosen in SETTINGS]
            assert (person, where, tuple(found)) == (person, where, expected)


async def test_in_a_channel_everybody_reads_what_all_who_are_in_it_may(office: Office) -> None:
    for room, expected in TOGETHER.items():
        for person in PEOPLE:  # whoever asks
            found = [await office.labels(person, room, **chosen) for chosen in SETTINGS]
            assert (person, room, tuple(found)) == (person, room, expected)


async def test_somebody_of_another_workspace_of_our_organisation_is_a_member(
    office: Office,
) -> None:
    office.slack.users[FULL] = {"team_id": "T3", "enterprise_user": {"teams": ["T3", TEAM]}}
    assert await office.labels(FULL, "dm") == "public"


@pytest.mark.parametrize("type_", ["channel_shared", "message"])
async def test_a_channel_that_is_shared_reads_public_documents_at_once(
    office: Office, type_: str
) -> None:
    assert await office.labels(FULL, ROOM) == "public hr"
    office.slack.channels[ROOM]["is_ext_shared"] = True
    body = event({"type": type_, "channel": ROOM}, "Ev")
    office.directory.notice(body | {"is_ext_shared_channel": True})
    assert await office.labels(FULL, ROOM) == "public"


@pytest.mark.parametrize(
    "told",
    [
        {"type": "message", "subtype": "channel_convert_to_public"},
        {"type": "channel_convert_to_public"},
        {"type": "message", "channel_type": "channel"},
    ],
)
async def test_a_channel_that_turns_public_reads_public_documents_at_once(
    office: Office, told: dict[str, Any]
) -> None:
    assert await office.labels(FULL, ROOM) == "public hr"
    office.slack.channels[ROOM]["is_private"] = False
    office.tell(**told, channel=ROOM)
    assert await office.labels(FULL, ROOM) == "public"


async def test_talk_in_a_channel_is_no_reason_to_look_it_up_again(office: Office) -> None:
    for _ in range(2):
        assert await office.labels(FULL, ROOM) == "public hr"
        office.tell("message", channel=ROOM, channel_type="group")
    assert len(office.slack.called("conversations.info")) == 1


async def test_a_guest_who_joins_ends_what_is_for_members_at_once(office: Office) -> None:
    staff = SETTINGS[1]
    assert await office.labels(FULL, OPEN, **staff) == "public staff"
    office.slack.members[OPEN].append(GUEST)
    office.tell("member_joined_channel", channel=OPEN, user=GUEST)
    assert await office.labels(FULL, OPEN, **staff) == "public"
    office.slack.members[OPEN].remove(GUEST)
    office.tell("member_left_channel", channel=OPEN, user=GUEST)
    assert await office.labels(FULL, OPEN, **staff) == "public staff"


async def test_a_member_who_becomes_a_guest_is_one_at_once(office: Office) -> None:
    staff = SETTINGS[1]
    assert await office.labels(FULL, "dm", **staff) == "public staff"
    assert await office.labels(FULL, OPEN, **staff) == "public staff"
    office.slack.users[FULL]["is_restricted"] = True
    office.tell("user_change", user={"id": FULL, "is_restricted": True})
    assert await office.labels(FULL, "dm", **staff) == ""
    assert await office.labels(FULL, OPEN, **staff) == "public"


async def test_a_new_mood_is_no_reason_to_ask_for_everybody(office: Office) -> None:
    for _ in range(2):
        await office.labels(FULL, OPEN, **SETTINGS[1])
        office.tell("user_change", user={"id": FULL, "profile": {"status_text": "lunch"}})
    pages = len(office.slack.called("users.list"))
    office.tell("team_join", user={"id": "U20"})
    await office.labels(FULL, OPEN, **SETTINGS[1])
    assert len(office.slack.called("users.list")) == 2 * pages


@pytest.mark.parametrize("name", ["S1", "people-team", "@people-team"])
async def test_who_is_in_a_group_holds_its_labels_by_themselves(office: Office, name: str) -> None:
    office.slack.groups["S1"] = {"handle": "people-team", "users": [FULL, GUEST, PARTNER, GONE]}
    group: dict[str, Any] = {"group_audiences": {name: ("hr",)}}
    held = [await office.labels(person, "dm", **group) for person in (FULL, GUEST, PARTNER, GONE)]
    assert held == ["public hr", "", "public deal", ""]
    assert await office.labels(FULL, OPEN, **group) == "public"


@pytest.mark.parametrize("state", [{"date_delete": 1}, {"is_external": True}, {"handle": "other"}])
async def test_a_group_that_is_gone_or_not_ours_gives_nothing(
    office: Office, state: dict[str, Any]
) -> None:
    office.slack.groups["S1"] = {"handle": "people-team", "users": [FULL]} | state
    group: dict[str, Any] = {"group_audiences": {"people-team": ("hr",)}}
    assert await office.labels(FULL, "dm", **group) == "public"


@pytest.mark.parametrize(
    "told",
    [
        {"type": "subteam_members_changed", "subteam_id": "S1"},
        {"type": "subteam_updated", "subteam": {"id": "S1"}},
        {"type": "subteam_created", "subteam": {"id": "S1"}},
    ],
)
async def test_who_leaves_or_joins_a_group_is_out_or_in_at_once(
    office: Office, told: dict[str, Any]
) -> None:
    office.slack.groups["S1"] = {"handle": "people-team", "users": [FULL]}
    group: dict[str, Any] = {"group_audiences": {"S1": ("hr",)}}
    assert await office.labels(FULL, "dm", **group) == "public hr"
    office.slack.groups["S1"]["users"] = []
    assert await office.labels(FULL, "dm", **group) == "public hr"
    office.tell(**told)
    assert await office.labels(FULL, "dm", **group) == "public"


ROOM_AND_ALONE: dict[str, Any] = {"channel_audiences_in_private": True}


async def test_members_of_a_private_channel_may_hold_its_labels_by_themselves(
    office: Office,
) -> None:
    office.slack.members[ROOM] += [GUEST, PARTNER, GONE]
    people = (FULL, GUEST, PARTNER, GONE)
    held = [await office.labels(person, "ask", **ROOM_AND_ALONE) for person in people]
    assert held == ["public hr", "", "public deal", ""]
    assert await office.labels(FULL, "ask") == "public"


async def test_who_leaves_a_private_channel_loses_its_labels_at_once(office: Office) -> None:
    assert await office.labels(FULL, "dm", **ROOM_AND_ALONE) == "public hr"
    office.slack.members[ROOM].remove(FULL)
    office.tell("member_left_channel", channel=ROOM, user=FULL)
    assert await office.labels(FULL, "dm", **ROOM_AND_ALONE) == "public"


async def test_a_channel_that_is_shared_or_public_gives_its_members_nothing(
    office: Office,
) -> None:
    office.slack.members[ROOM].remove(FULL)
    assert await office.labels(FULL, "dm", **ROOM_AND_ALONE) == "public"


MAIL = {"profile": {"email": "Ada@Example.com"}}


@pytest.mark.parametrize(
    ("facts", "scopes", "is_held"),
    [
        (MAIL, {"users:read", "users:read.email"}, True),
        (MAIL, {"users:read"}, False),
        (MAIL | {"is_email_confirmed": False}, {"users:read", "users:read.email"}, False),
        (MAIL | {"is_restricted": True}, {"users:read", "users:read.email"}, False),
    ],
)
async def test_a_member_holds_the_labels_of_their_e_mail_address_by_themselves(
    office: Office, facts: dict[str, Any], scopes: set[str], is_held: bool
) -> None:
    office.slack.users[FULL] |= facts
    office.slack.scopes = scopes
    at_source = {"ada@example.com": ["wiki:3f2a"]}
    held = await office.audiences(at_source).of_person(FULL)
    assert (label_of("Person:ADA@example.com") in held) is is_held
    assert ("wiki:3f2a" in held) is is_held


@pytest.mark.parametrize(
    ("method", "where"),
    [
        ("users.info", "dm"),
        ("users.info", "ask"),
        ("conversations.info", ROOM),
        ("conversations.members", ROOM),
        ("users.list", ROOM),
        ("usergroups.list", "dm"),
        ("usergroups.users.list", "dm"),
        ("conversations.info", "ask"),
        ("conversations.members", "ask"),
    ],
)
async def test_where_slack_cannot_be_asked_nobody_is_told_anything(
    office: Office, method: str, where: str
) -> None:
    office.slack.groups["S1"] = {"handle": "people-team", "users": [NAMED]}
    chosen = SETTINGS[1] | ROOM_AND_ALONE | {"group_audiences": {"S1": ("hr",)}}
    office.slack.fail(method, Fault("broken"))
    with pytest.raises(SlackUnreachableError):
        await office.labels(NAMED, where, **chosen)
    assert await office.labels(NAMED, where, **chosen) == "public hr staff"


@pytest.mark.parametrize(
    ("scope", "where", "expected"),
    [
        ("users:read", "dm", ""),
        ("users:read", ROOM, "public hr"),
        ("groups:read", ROOM, "public"),
        ("usergroups:read", "dm", "public hr staff"),
    ],
)
async def test_what_slack_refuses_to_say_gives_nothing(
    office: Office, scope: str, where: str, expected: str
) -> None:
    office.slack.groups["S1"] = {"handle": "people-team", "users": [NAMED]}
    office.slack.scopes = {"users:read", "groups:read", "usergroups:read"} - {scope}
    chosen = SETTINGS[1] | {"group_audiences": {"S1": ("deal",)} if where == "dm" else {}}
    assert await office.labels(NAMED, where, **chosen) == expected


# With a bot around it

QUESTION = "How many days of leave?"


@pytest.mark.parametrize("where", ASKED_ALONE)
async def test_a_guest_is_told_in_private_to_ask_in_a_channel(house: House, where: str) -> None:
    house.slack.users["U1"]["is_restricted"] = True
    answerer = SentenceAnswerer()
    bot = await house.start(answerer)
    url = house.slack.response_url("r")
    await house.slack.deliver(
        event(direct_message(QUESTION, ts="1.0"), "Ev1")
        if where == "dm"
        else slash("/ask", QUESTION, trigger_id="1", url=url)
    )
    await settled(bot)
    told = str(house.slack.posted("D1") if where == "dm" else house.slack.responses["r"])
    assert "Here I answer members of the workspace only" in told
    assert answerer.asked == []


async def test_a_guest_is_answered_in_a_channel(house: House) -> None:
    house.slack.users["U1"]["is_restricted"] = True
    answerer = SentenceAnswerer()
    bot = await house.start(answerer)
    await house.slack.deliver(event(mention(QUESTION, ts="1.0"), "Ev1"))
    await settled(bot)
    assert answerer.asked[0].audience - {"in:C1"} == {"public"}


@pytest.mark.slow
async def test_a_question_waits_until_slack_says_who_asks(house: House) -> None:
    bot = await house.start(SentenceAnswerer())
    house.slack.fail("users.info", *[Fault("dropped")] * 5)
    await house.slack.deliver(event(direct_message(QUESTION, ts="1.0"), "Ev1"))
    await settled(bot)
    assert "30 days" in str(house.slack.posted("D1"))


async def test_an_event_changes_who_is_answered_without_a_restart(each_transport: House) -> None:
    house = each_transport
    answerer = SentenceAnswerer()
    bot = await house.start(answerer)
    await house.slack.deliver(event(direct_message(QUESTION, ts="1.0"), "Ev1"))
    await settled(bot)
    house.slack.users["U1"]["is_restricted"] = True
    changed = {"type": "user_change", "user": {"id": "U1", "is_restricted": True}}
    assert (await house.slack.deliver(event(changed, "Ev2"))).is_acked
    await house.slack.deliver(event(direct_message(QUESTION, ts="2.0"), "Ev3"))
    await settled(bot, done=2)
    assert len(answerer.asked) == 1
