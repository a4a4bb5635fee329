"""Channels of a Slack on localhost, synced into a mirror by the engine that syncs every source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.privacy.forgotten import ForgottenPeople
from bot.sources.channels import MEMORY, SlackChannels, SlackOptions, connect
from bot.sources.slack_reader import SlackReader
from bot.store.channels import Channels
from bot.store.database import Database
from retrieval.errors import SettingsError
from retrieval.index.building import update_index
from retrieval.index.content import read_content
from retrieval.records import PUBLIC
from retrieval.registry.folders import served
from retrieval.settings import Settings, SourceTable
from retrieval.sources.connector import sources_of
from retrieval.sources.mirror import BODIES, Mirror, label_of, labels_held
from retrieval.sources.syncing import Pulled, pull_source
from tests.retrieval.word_embedder import WordEmbedder
from tests.slack_server import BOT_ID, BOT_TOKEN, BOT_USER, Fault, SlackServer

DAY_S = 86_400
NOW = 1_700_000_000.0  # 2023-11-14
TODAY, LONG_AGO = "1699990000", "1690000000"
ANN, BEN, GUEST, ELSEWHERE = "U1", "U2", "U3", "U4"
OPEN, CLOSED, OTHER = "C1", "G1", "C2"


class Desk:
    """A workspace with people and channels, and the mirror that is kept of it."""

    def __init__(self, slack: SlackServer, home: Path) -> None:
        self.slack, self.home = slack, home
        table = SourceTable(kind="slack", audience="public")
        self.settings = Settings(home=home, sources={"talk": table})
        self.source = sources_of(self.settings)["talk"]
        for id_, name in ((ANN, "Ann"), (BEN, "Ben"), (GUEST, "Gus"), (ELSEWHERE, "Eve")):
            profile = {"display_name": name, "email": f"{name}@Example.com"}
            slack.users[id_] = {"name": name.lower(), "profile": profile}
        slack.users[GUEST]["is_restricted"] = True
        slack.users[ELSEWHERE]["team_id"] = "T2"
        slack.channels[OPEN] = {"name": "general"}
        slack.channels[OTHER] = {"name": "random"}
        slack.channels[CLOSED] = {"name": "board", "is_private": True}
        slack.members[CLOSED] = [ANN, BEN, GUEST, ELSEWHERE, BOT_USER]

    def choose(self, channel: str, *, is_read: bool = True) -> None:
        with closing(Database(self.settings.database_file)) as database:
            config = replace(Channels(database).of(channel), reading=is_read)
            Channels(database).set(channel, config, by="U9")

    def say(self, ts: str, text: str, who: str = ANN, channel: str = OPEN, **more: Any) -> str:
        ts = ts if "." in ts else f"{ts}.000100"
        self.slack.messages[channel].append({"ts": ts, "text": text, "user": who, **more})
        return ts

    def edit(self, ts: str, text: str) -> None:
        for message in self.slack.messages[OPEN]:
            if message["ts"] == ts:
                message.update(text=text, edited={"ts": f"{NOW:.6f}"})

    def delete(self, ts: str, channel: str = OPEN) -> None:
        kept = [message for message in self.slack.messages[channel] if message["ts"] != ts]
        self.slack.messages[channel] = kept

    async def pull(self, **options: Any) -> Pulled:
        reader = SlackReader(BOT_TOKEN, api_url=self.slack.api_url, tries=0)
        channels = SlackChannels(
            SlackOptions(**options),
            reader,
            self.settings,
            self.source.folder,
            clock=lambda: NOW,
        )
        return await asyncio.to_thread(pull_source, self.settings, self.source, channels)

    def read(self) -> dict[str, str]:
        """The text of every document that is shown, by its id."""
        with closing(Mirror(self.settings.sources_folder / "talk", "talk")) as mirror:
            files, _ = mirror.files(self.source)
        return {file.id: file.path.read_text() for file in files}

    def audiences(self) -> set[str | None]:
        with closing(Mirror(self.settings.sources_folder / "talk", "talk")) as mirror:
            files, _ = mirror.files(self.source)
        return {file.description.audience for file in files if file.description}

    def replies_asked(self) -> int:
        return len(self.slack.called("conversations.replies"))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with SlackServer() as slack:
        yield Desk(slack, tmp_path)


async def test_nothing_is_read_unless_an_admin_chose_it(desk: Desk) -> None:
    desk.say(TODAY, "The lift is out of order.")
    assert (await desk.pull()).error is None
    assert desk.read() == {}
    assert desk.slack.called("conversations.history") == []


async def test_a_thread_and_the_rest_of_a_day_are_documents(desk: Desk) -> None:
    desk.choose(OPEN)
    root = desk.say(TODAY, "How do I get a key, <@U2>?")
    desk.say("1699990001", "Ask at the <#C2> desk &amp; sign.", BEN, thread_ts=root)
    desk.say("1699990002", "The lift is out of order.", BEN)
    desk.say("1699990003", "Again?", files=[{"id": "F1", "title": "Lift plan.pdf"}])
    desk.say(TODAY, "Not chosen.", channel=OTHER)
    pulled = await desk.pull()
    assert pulled.error is None
    assert desk.read() == {
        "talk/general/2023-11-14.txt": (
            "Ben: The lift is out of order.\n\nAnn: Again?\nLift plan.pdf\n"
        ),
        "talk/general/2023-11-14 How do I get a key, @Ben?.txt": (
            "Ann: How do I get a key, @Ben?\n\nBen: Ask at the #random desk & sign.\n"
        ),
    }
    with closing(Mirror(desk.settings.sources_folder / "talk", "talk")) as mirror:
        row = mirror.row(f"C1/{root}")
    assert row
    assert row.kept
    assert row.kept.url == "https://example.slack.com/archives/C1/p1699990000000100"
    assert row.kept.title == "#general: How do I get a key, @Ben?"
    assert desk.audiences() == {PUBLIC}


async def test_a_thread_is_not_called_by_the_address_of_a_link(desk: Desk) -> None:
    desk.choose(OPEN)
    root = desk.say(TODAY, "See <https://x.test/a|the page>?")
    desk.say("1699990001", "Yes.", BEN, thread_ts=root)
    await desk.pull()
    ((name, text),) = desk.read().items()
    assert name.endswith(" See the page?.txt")
    assert text.startswith("Ann: See the page (https://x.test/a)?")


async def test_edits_and_deletions_are_followed(desk: Desk) -> None:
    desk.choose(OPEN)
    root = desk.say(TODAY, "Where is the key?")
    reply = desk.say("1699990001", "In the drawer.", BEN, thread_ts=root)
    wrong = desk.say("1699990002", "In the cellar.", BEN, thread_ts=root)
    old = desk.say(LONG_AGO, "The code is four.")
    await desk.pull()
    desk.edit(reply, "In the safe.")
    desk.delete(wrong)
    desk.edit(old, "The code is five.")
    pulled = await desk.pull()
    assert pulled.changed == 2
    assert "".join(desk.read().values()) == (
        "Ann: The code is five.\nAnn: Where is the key?\n\nBen: In the safe.\n"
    )
    for ts in (root, reply, old):
        desk.delete(ts)
    pulled = await desk.pull()
    assert pulled.gone == 2
    assert desk.read() == {}


async def test_an_old_thread_is_asked_for_again_only_when_its_channel_shows_a_change(
    desk: Desk,
) -> None:
    desk.choose(OPEN)
    root = desk.say(LONG_AGO, "Where is the key?")
    reply = desk.say("1690000001", "In the drawer.", BEN, thread_ts=root)
    await desk.pull()
    await desk.pull()
    assert desk.replies_asked() == 1
    desk.say("1690000002", "In the safe now.", BEN, thread_ts=root)
    await desk.pull()
    assert "In the safe now." in "".join(desk.read().values())
    desk.delete(reply)
    await desk.pull()
    assert "drawer" not in "".join(desk.read().values())


async def test_what_this_disk_has_lost_is_read_again(desk: Desk) -> None:
    desk.choose(OPEN)
    root = desk.say(LONG_AGO, "Where is the key?")
    desk.say("1690000001", "In the drawer.", BEN, thread_ts=root)
    desk.say("1690000002", "The lift is out of order.")
    desk.say("1690100000", "The lift works.")
    await desk.pull()
    before = desk.read()
    assert len(before) == 3
    for body in (desk.settings.sources_folder / "talk" / BODIES).iterdir():
        body.unlink()
    await desk.pull()
    assert desk.read() == before
    (desk.source.folder / MEMORY).write_text("[1]")
    assert (await desk.pull()).unchanged == 3


async def test_a_private_channel_is_for_its_full_members(desk: Desk) -> None:
    desk.choose(CLOSED)
    root = desk.say(LONG_AGO, "We buy the boat.", channel=CLOSED)
    desk.say("1690000001", "At last.", BEN, channel=CLOSED, thread_ts=root)
    await desk.pull()
    both = label_of("talk", frozenset({"ann@example.com", "ben@example.com"}))
    assert desk.audiences() == {both}
    assert labels_held(desk.settings.sources_folder, "gus@example.com") == []
    desk.slack.members[CLOSED].remove(BEN)
    await desk.pull()
    assert desk.audiences() == {label_of("talk", frozenset({"ann@example.com"}))}
    assert labels_held(desk.settings.sources_folder, "ben@example.com") == []
    assert desk.replies_asked() == 1, "who left changes no text"


async def test_a_channel_that_turns_private_is_public_no_more_even_if_it_cannot_be_read(
    desk: Desk,
) -> None:
    desk.choose(OPEN)
    desk.say(TODAY, "We buy the boat.")
    await desk.pull()
    desk.slack.channels[OPEN]["is_private"] = True
    desk.slack.members[OPEN] = [ANN]
    desk.slack.fail("conversations.history", Fault("broken"))
    assert (await desk.pull()).error
    assert desk.read() == {}
    await desk.pull()
    assert desk.audiences() == {label_of("talk", frozenset({"ann@example.com"}))}


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({"is_archived": True}, "is archived"),
        ({"is_member": False}, "the bot is not in it; invite it there"),
        ({"is_mpim": True}, "direct messages are not read"),
    ],
)
async def test_a_channel_that_must_not_be_read_vanishes(
    desk: Desk, info: dict[str, bool], reason: str
) -> None:
    desk.choose(OPEN)
    desk.say(TODAY, "We buy the boat.")
    await desk.pull()
    desk.slack.channels[OPEN] |= info
    pulled = await desk.pull()
    assert desk.read() == {}
    assert [left.reason for left in pulled.left_out] == [reason]


async def test_a_channel_whose_readers_cannot_be_told_vanishes(desk: Desk) -> None:
    desk.choose(OPEN)
    desk.choose(CLOSED)
    desk.say(TODAY, "The lift is out of order.")
    desk.say(TODAY, "We buy the boat.", channel=CLOSED)
    await desk.pull()
    del desk.slack.members[CLOSED]
    pulled = await desk.pull()
    assert list(desk.read().values()) == ["Ann: The lift is out of order.\n"]
    (left,) = pulled.left_out
    assert left.reason == "cannot tell who may read it now: Slack says fetch_members_failed"


async def test_a_channel_whose_words_slack_refuses_vanishes_and_keeps_no_other_from_being_read(
    desk: Desk,
) -> None:
    for channel in (OPEN, OTHER):
        desk.choose(channel)
        desk.say(TODAY, f"The lift of {channel} works.", channel=channel)
    await desk.pull()
    desk.slack.unreadable.add(OPEN)
    desk.say("1699990001", "It broke.", channel=OTHER)
    pulled = await desk.pull()
    assert list(desk.read().values()) == ["Ann: The lift of C2 works.\n\nAnn: It broke.\n"]
    assert [left.reason for left in pulled.left_out] == ["Slack says not_in_channel"]


async def test_what_is_no_longer_chosen_vanishes_also_while_slack_is_down(desk: Desk) -> None:
    desk.choose(OPEN)
    desk.say(TODAY, "We buy the boat.")
    desk.say(TODAY, "The lift is out of order.", channel=OTHER)
    await desk.pull(channels=[OTHER])
    assert len(desk.read()) == 2
    desk.choose(OPEN, is_read=False)
    desk.slack.fail("auth.test", Fault("broken"))
    assert (await desk.pull(channels=[OTHER])).error
    assert list(desk.read().values()) == ["Ann: The lift is out of order.\n"]


async def test_the_bot_does_not_learn_from_itself(desk: Desk) -> None:
    desk.choose(OPEN)
    bot = {"who": BOT_USER, "bot_id": BOT_ID}
    asked = desk.say(TODAY, f"<@{BOT_USER}> how many days of leave?")
    desk.say("1699990001", "Thirty, I guess.", thread_ts=asked, **bot)
    desk.say("1699990002", "And for students?", thread_ts=asked)
    helped = desk.say("1699990003", f"<@{BOT_USER}> where is the key?")
    desk.say("1699990004", "I do not know.", thread_ts=helped, **bot)
    desk.say("1699990005", "In the safe.", BEN, thread_ts=helped)
    desk.say("1699990006", "Good morning, everybody.", **bot)
    desk.say("1699990007", f"<@{BOT_USER}> are you there?")
    await desk.pull()
    assert list(desk.read().values()) == [
        f"Ann: @{BOT_USER} where is the key?\n\nBen: In the safe.\n"
    ]


async def test_words_of_whoever_was_forgotten_go(desk: Desk) -> None:
    desk.choose(OPEN)
    root = desk.say(LONG_AGO, "My door code is nine.", BEN)
    desk.say("1690000001", "Do not tell it, <@U2>.", thread_ts=root)
    desk.say(TODAY, "I am ill.", BEN)
    shared = [{"is_share": True, "author_id": BEN, "author_name": "Ben", "text": "Nine."}]
    desk.say("1699990001", "See this.", attachments=shared)
    await desk.pull()
    ForgottenPeople(desk.home).note(BEN)
    await desk.pull()
    assert set(desk.read().values()) == {"Ann: Do not tell it, @someone.\n", "Ann: See this.\n"}
    own = (desk.source.folder / MEMORY).read_text()
    assert BEN not in own
    assert "nine" not in own


async def test_whoever_was_forgotten_is_left_out_though_slack_does_not_list_them(
    desk: Desk,
) -> None:
    desk.choose(OPEN)
    ForgottenPeople(desk.home).note("U77")
    desk.say(TODAY, "My door code is nine.", "U77")
    desk.say("1699990001", "Hello <@U77>.")
    await desk.pull()
    assert list(desk.read().values()) == ["Ann: Hello @someone.\n"]


async def test_other_private_channels_are_not_named_or_shown(desk: Desk) -> None:
    desk.choose(OPEN)
    unfurled = [{"is_msg_unfurl": True, "channel_id": CLOSED, "text": "We buy the boat."}]
    desk.say(TODAY, "See <#G1|board>.", attachments=unfurled)
    await desk.pull()
    assert list(desk.read().values()) == ["Ann: See a private channel.\n"]


async def test_what_slack_has_too_much_of_is_asked_again_when_it_wants(desk: Desk) -> None:
    desk.choose(OPEN)
    root = desk.say(TODAY, "Where is the key?")
    desk.say("1699990001", "In the safe.", BEN, thread_ts=root)
    desk.slack.fail("conversations.history", Fault("throttled", retry_after_s=0))
    desk.slack.fail("conversations.replies", Fault("throttled", retry_after_s=0))
    assert (await desk.pull()).error is None
    assert len(desk.read()) == 1


async def test_what_was_read_stays_while_slack_is_down(desk: Desk) -> None:
    desk.choose(OPEN)
    desk.say(TODAY, "The lift is out of order.")
    await desk.pull()
    desk.slack.fail("auth.test", Fault("broken"))
    pulled = await desk.pull()
    assert pulled.error == "Slack says internal_error"
    assert len(desk.read()) == 1


async def test_it_is_searched_with_its_audience(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHIMBREL_HOME", str(desk.home))
    monkeypatch.setenv("SLACK_API_URL", desk.slack.api_url)
    monkeypatch.setenv("SLACK_BOT_TOKEN", BOT_TOKEN)
    desk.choose(CLOSED)
    desk.say(TODAY, "We buy the boat.", channel=CLOSED)
    connector = connect(desk.source)
    await asyncio.to_thread(pull_source, desk.settings, desk.source, connector)
    update_index((), desk.settings, WordEmbedder())
    generation = served(desk.settings.index_folder)
    assert generation
    (passage,) = read_content(generation).passages
    assert "We buy the boat." in passage.text
    label = label_of("talk", frozenset({"ann@example.com", "ben@example.com"}))
    assert passage.source.audience == label


def test_public_channels_are_for_nobody_until_that_is_said(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, sources={"talk": SourceTable(kind="slack")})
    with pytest.raises(SettingsError, match="audience is not set"):
        connect(sources_of(settings)["talk"])
