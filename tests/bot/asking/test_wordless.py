"""Questions whose words stand elsewhere: forwarded, in blocks, in a thread, posted by an app."""

from __future__ import annotations

from typing import Any

import pytest

from bot.slack.incoming.event_filter import APP_AN_HOUR
from bot.slack.incoming.intake import read
from bot.store.channels import ChannelConfig
from retrieval.records import PUBLIC
from tests.bot.conftest import House, settled
from tests.fakes import SentenceAnswerer
from tests.slack_asking import deleted, edited, message, shortcut
from tests.slack_server import BOT_ID, BOT_USER, direct_message, event, mention, reaction
from tests.slack_streams import Json

LEAVE = "How many days of paid leave are there?"


def forwarded(text: str, **more: Any) -> Json:
    shared = {"is_share": True, "author_name": "bo", "fallback": f"[x] bo: {text}", "ts": "0.5"}
    return {"attachments": [shared | {"text": text, "channel_id": "C999"} | more]}


def in_blocks(text: str) -> Json:
    elements = [{"type": "user", "user_id": BOT_USER}, {"type": "text", "text": f" {text}"}]
    section = {"type": "rich_text_section", "elements": elements}
    return {"text": "", "blocks": [{"type": "rich_text", "elements": [section]}]}


def post(text: str, *, ts: str, bot_id: str = "BFLOW", **more: Any) -> Json:
    """What a workflow posts, without a user."""
    said = {"type": "message", "subtype": "bot_message", "bot_id": bot_id, "channel": "C1"}
    return {**said, "text": f"<@{BOT_USER}> {text}", "ts": ts, **more}


async def asked(house: House, said: Json, *, done: int = 1) -> SentenceAnswerer:
    answerer = SentenceAnswerer()
    bot = await house.start(answerer)
    await house.slack.deliver(event(said, "Ev1"))
    await settled(bot, done=done)
    return answerer


@pytest.mark.parametrize(
    "said",
    [
        mention("", ts="1.0") | forwarded(LEAVE),
        mention("can you answer this?", ts="1.0") | forwarded(LEAVE),
        mention("Does anyone know?", ts="1.0") | forwarded(LEAVE, is_share=False, from_url="x"),
        mention("请看这个", ts="1.0") | forwarded("", blocks=[{"type": "markdown", "text": LEAVE}]),
        direct_message("", ts="1.0") | forwarded(LEAVE),
        mention("", ts="1.0") | in_blocks(LEAVE),
        message("", ts="1.0") | in_blocks(LEAVE),
        direct_message("", ts="1.0", attachments=[{"pretext": LEAVE}]),
        mention(LEAVE, ts="1.0", type="message", channel_type="mpim", channel="G1"),
    ],
)
async def test_the_question_is_found_wherever_it_stands(house: House, said: Json) -> None:
    answerer = await asked(house, said)
    assert [request.text for request in answerer.asked] == [LEAVE]
    assert answerer.asked[0].history == ()
    assert "30 days" in str(house.slack.posted(said["channel"])[0]["blocks"])


async def test_what_is_forwarded_beside_a_question_was_said_before_it(house: House) -> None:
    said = mention("Is it paid?", ts="1.0") | forwarded("You get 30 days of leave.")
    (request,) = (await asked(house, said)).asked
    assert request.text == "Is it paid?"
    assert [part.text for part in request.history] == ["You get 30 days of leave."]


async def test_what_is_forwarded_from_elsewhere_gives_nobody_more_to_read(house: House) -> None:
    house.slack.channels["C999"]["is_private"] = True
    settings = house.settings(channel_audiences={"C999": ("hr",)})
    answerer = SentenceAnswerer()
    bot = await house.start(answerer, settings=settings)
    said = mention("", ts="1.0") | forwarded("<!channel> What is the salary band of engineers?")
    await house.slack.deliver(event(said, "Ev1"))
    await settled(bot)
    assert answerer.asked[0].audience & {"hr", PUBLIC} == {PUBLIC}
    assert "E4" not in str(house.slack.calls)
    assert "<!channel>" not in str(house.slack.calls)


@pytest.mark.parametrize("said", [mention("", ts="1.0"), direct_message(":wave:", ts="1.0")])
async def test_without_any_words_there_is_help(house: House, said: Json) -> None:
    assert (await asked(house, said)).asked == []
    assert len(house.slack.posted(said["channel"])) == 1


@pytest.mark.parametrize("call", ["", "can you help?", "any ideas?", "知道吗？"])
async def test_a_call_into_a_thread_asks_what_a_person_asked_last(house: House, call: str) -> None:
    said = [
        ("1.0", "The printer jams.", "U2", {}),
        ("2.0", LEAVE, "U3", {}),
        ("3.0", "No idea, sorry", "U4", {}),
        ("4.0", "Shall I look?", "U5", {"bot_id": "BOTHER"}),
    ]
    for ts, text, user, more in said:
        house.slack.add_message("C1", ts, text, user, thread_ts="1.0", **more)
    answerer = await asked(house, mention(call, ts="5.0", thread_ts="1.0"))
    (request,) = answerer.asked
    assert request.text == LEAVE
    assert LEAVE not in [part.text for part in request.history]


async def test_where_nobody_asks_what_began_the_thread_is_the_question(house: House) -> None:
    request_form = {"bot_id": "BFLOW", "ts": "1.0", "thread_ts": "1.0"} | {"text": ""}
    house.slack.messages["C1"].append(request_form | {"attachments": [{"text": "paid leave days"}]})
    house.slack.add_message("C1", "2.0", "Looking into it", "U2", thread_ts="1.0")
    answerer = await asked(house, mention("", ts="5.0", thread_ts="1.0"))
    assert [request.text for request in answerer.asked] == ["paid leave days"]


async def test_the_shortcut_and_the_reaction_ask_what_is_forwarded(house: House) -> None:
    answerer = SentenceAnswerer()
    bot = await house.start(answerer)
    said = message("", ts="1.0", user="U2") | forwarded(LEAVE)
    url = house.slack.response_url("r")
    await house.slack.deliver(shortcut(said, trigger_id="1", url=url))
    other = said | {"ts": "2.0"}
    house.slack.messages["C1"].append(other)
    await house.slack.deliver(event(reaction("bird", other, channel="C1"), "Ev2"))
    await settled(bot, done=4)
    assert [request.text for request in answerer.asked] == [LEAVE, LEAVE]


async def test_the_shortcut_asks_what_a_workflow_posted(house: House) -> None:
    answerer = SentenceAnswerer()
    bot = await house.start(answerer)
    said = post("", ts="1.0") | {"text": LEAVE}
    await house.slack.deliver(shortcut(said, trigger_id="1", url=house.slack.response_url("r")))
    await settled(bot, done=2)
    assert [request.text for request in answerer.asked] == [LEAVE]


async def test_a_forwarded_question_is_a_follow_up(house: House) -> None:
    answerer = SentenceAnswerer()
    bot = await house.start(answerer)
    await house.slack.deliver(event(mention("What is the printer called?", ts="1.0"), "Ev1"))
    await settled(bot)
    said = message("", ts="2.0", thread_ts="1.0") | forwarded(LEAVE)
    await house.slack.deliver(event(said, "Ev2"))
    await settled(bot, done=3)
    assert answerer.asked[-1].text == LEAVE


async def test_in_a_group_direct_message_only_what_mentions_us_is_for_us(house: House) -> None:
    bot = await house.start()
    said = message(LEAVE, ts="1.0", channel="G1", channel_type="mpim")
    assert (await house.slack.deliver(event(said, "Ev1"))).is_acked
    assert bot.inbox.counts() == {}


async def test_a_snippet_that_cannot_be_fetched_is_read_from_the_message(house: House) -> None:
    snippet = {"name": "q.txt", "mode": "snippet", "preview": LEAVE}
    answerer = await asked(house, mention("see file", ts="1.0", files=[snippet]))
    assert [request.text for request in answerer.asked] == [LEAVE]


@pytest.mark.parametrize("kind", ["message", "app_mention"])
async def test_a_workflows_post_is_answered_where_the_channel_wants_it(
    house: House, kind: str
) -> None:
    bot = await house.start()
    await house.slack.deliver(event(post(LEAVE, ts="1.0", type=kind), "Ev1"))
    assert bot.inbox.counts() == {}
    bot.channels.set("C1", ChannelConfig(apps=True), by="UADMIN")
    await house.slack.deliver(event(post(LEAVE, ts="2.0", type=kind), "Ev2"))
    await house.slack.deliver(event(post(LEAVE, ts="2.0"), "Ev3"))
    await settled(bot)
    (answer,) = house.slack.posted("C1")
    assert answer["thread_ts"] == "2.0"
    assert "30 days" in str(answer["blocks"])
    assert house.slack.called("chat.startStream") == []


@pytest.mark.parametrize(
    "more",
    [
        {"bot_id": BOT_ID},
        {"user": BOT_USER},
        {"app_id": "AOURS"},
        {"text": LEAVE},
        {"text": LEAVE, **forwarded(f"<@{BOT_USER}> {LEAVE}")},
        {"bot_id": None},
        {"channel_type": "im", "channel": "D1"},
    ],
)
async def test_our_own_posts_and_those_that_do_not_call_us_are_left_alone(
    house: House, more: Json
) -> None:
    bot = await house.start()
    for channel in ("C1", "D1"):
        bot.channels.set(channel, ChannelConfig(apps=True), by="UADMIN")
    body = event(post(LEAVE, ts="1.0") | more, "Ev1") | {"api_app_id": "AOURS"}
    assert (await house.slack.deliver(body)).is_acked
    assert bot.inbox.counts() == {}


async def test_an_app_is_answered_once_in_a_thread(house: House) -> None:
    bot = await house.start()
    bot.channels.set("C1", ChannelConfig(apps=True), by="UADMIN")
    await house.slack.deliver(event(post(LEAVE, ts="1.0"), "Ev1"))
    await settled(bot)
    for n, bot_id in enumerate(("BFLOW", "BOTHER"), 2):
        again = post(LEAVE, ts=f"{n}.0", thread_ts="1.0", bot_id=bot_id)
        await house.slack.deliver(event(again, f"Ev{n}"))
    await house.slack.deliver(event(mention(LEAVE, ts="6.0"), "Ev6"))
    await settled(bot, done=2)
    await house.slack.deliver(event(post(LEAVE, ts="7.0", thread_ts="6.0"), "Ev7"))
    assert bot.inbox.counts() == {"done": 2}


async def test_an_app_is_answered_so_often_an_hour(house: House) -> None:
    bot = await house.start()
    bot.channels.set("C1", ChannelConfig(apps=True), by="UADMIN")
    for n in range(APP_AN_HOUR + 2):
        await house.slack.deliver(event(post(":wave:", ts=f"{n}.0"), f"Ev{n}"))
    await settled(bot, done=APP_AN_HOUR)
    assert house.slack.posted("C1") == []  # nobody is told how to ask


async def test_an_app_has_no_eyes_for_an_answer_of_its_own(house: House) -> None:
    bot = await house.start()
    bot.channels.set("C1", ChannelConfig(apps=True, visibility="asker"), by="UADMIN")
    assert (await house.slack.deliver(event(post(LEAVE, ts="1.0"), "Ev1"))).is_acked
    assert bot.inbox.counts() == {}


async def test_a_workflows_post_that_is_deleted_takes_its_answer_along(house: House) -> None:
    bot = await house.start()
    bot.channels.set("C1", ChannelConfig(apps=True), by="UADMIN")
    said = post(LEAVE, ts="1.0")
    await house.slack.deliver(event(said, "Ev1"))
    await settled(bot)
    await house.slack.deliver(event(deleted(said), "Ev2"))
    await settled(bot, done=2)
    assert house.slack.posted("C1") == []


def test_an_edit_that_adds_our_mention_in_blocks_asks() -> None:
    before = message("leave?", ts="1.0")
    found = read(event(edited(before | in_blocks("leave?"), before), "Ev1"), bot_user=BOT_USER)
    assert found is not None
    assert found.kind == "question"


def test_somebody_whose_id_begins_like_ours_is_not_us() -> None:
    said = message(f"<@{BOT_USER}2> leave?", ts="1.0")
    found = read(event(said, "Ev1"), bot_user=BOT_USER)
    assert found is not None
    assert found.kind == "overheard"
