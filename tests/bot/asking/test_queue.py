"""What people are told of the queue, and how they leave it."""

from __future__ import annotations

from bot.app.bot import Bot
from bot.store.inbox import WORTH_TELLING
from tests.bot.conftest import House, settled
from tests.fakes import GatedAnswerer
from tests.slack_asking import deleted, message
from tests.slack_server import BOT_USER, Fault, click, event, mention, slash
from tests.slack_streams import Json

LEAVE = "How many days of paid leave are there?"


async def busy(house: House, answerer: GatedAnswerer, *, waiting: int) -> Bot:
    """A bot with one question in work and so many of other people behind it."""
    bot = await house.start(answerer, settings=house.settings(workers=1))
    for n in range(waiting + 1):
        await house.slack.deliver(event(mention(LEAVE, ts=f"1.{n:02}", user=f"U1{n}"), f"Ev{n}"))
        await house.slack.until(lambda: bool(house.slack.posted("C1")))
    return bot


def withdrawal(card: Json) -> Json:
    button: Json = card["blocks"][-1]["elements"][0]
    return button


async def test_who_waits_behind_many_is_told_in_private_and_may_withdraw(
    each_transport: House,
) -> None:
    slack, answerer = each_transport.slack, GatedAnswerer()
    bot = await busy(each_transport, answerer, waiting=WORTH_TELLING)
    await slack.deliver(event(mention(LEAVE, ts="2.0", user="U9"), "Ev99"))
    await slack.until(lambda: bool(slack.called("chat.postEphemeral")))
    (told,) = slack.called("chat.postEphemeral")
    assert told["user"] == "U9"
    assert f"about {WORTH_TELLING} others" in told["text"]
    url = slack.response_url("r")
    pressed = click(withdrawal(told), trigger_id="t", user="U9") | {"response_url": url}
    await slack.deliver(pressed)
    await slack.until(lambda: bool(slack.responses["r"]))
    assert slack.responses["r"][0]["text"] == "You have withdrawn your question."
    assert slack.responses["r"][0]["replace_original"] is True
    answerer.gate.set()
    await settled(bot, done=WORTH_TELLING + 4)
    assert "2.0" not in [posted["thread_ts"] for posted in slack.posted("C1")]


async def test_who_asks_with_the_command_is_told_where_the_answer_will_be(house: House) -> None:
    slack, answerer = house.slack, GatedAnswerer()
    bot = await busy(house, answerer, waiting=WORTH_TELLING)
    url = slack.response_url("r")
    await slack.deliver(slash("/ask", LEAVE, trigger_id="1", url=url, user="U9"))
    await slack.until(lambda: bool(slack.responses["r"]))
    assert "about 10 others" in slack.responses["r"][0]["text"]
    answerer.gate.set()
    await settled(bot, done=WORTH_TELLING + 3)
    assert "30 days" in str(slack.responses["r"][1])


async def test_a_question_deleted_while_it_waits_is_never_asked(house: House) -> None:
    slack, answerer = house.slack, GatedAnswerer()
    bot = await busy(house, answerer, waiting=0)
    said = message(f"<@{BOT_USER}> {LEAVE}", ts="2.0")
    await slack.deliver(event(mention(LEAVE, ts="2.0"), "Ev9"))
    await slack.deliver(event(deleted(said), "Ev10"))
    answerer.gate.set()
    await settled(bot, done=3)
    assert len(answerer.asked) == len(slack.posted("C1")) == 1


async def test_a_deletion_that_comes_before_its_question_counts(house: House) -> None:
    bot = await house.start()
    said = message(f"<@{BOT_USER}> {LEAVE}", ts="2.0")
    await house.slack.deliver(event(deleted(said), "Ev10"))
    await house.slack.deliver(event(mention(LEAVE, ts="2.0"), "Ev9"))
    await settled(bot, done=2)
    assert house.slack.posted("C1") == []


async def test_who_has_too_many_waiting_is_told_so_and_others_are_taken(house: House) -> None:
    slack, answerer = house.slack, GatedAnswerer()
    settings = house.settings(workers=1, max_waiting_per_person=1)
    bot = await house.start(answerer, settings=settings)
    await slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))
    await slack.until(lambda: len(slack.posted("C1")) == 1)
    slack.fail("chat.postMessage", Fault("broken"))
    for ts, user in (("2.0", "U1"), ("3.0", "U1"), ("4.0", "U2")):
        await slack.deliver(event(mention(LEAVE, ts=ts, user=user), f"Ev{ts}"))
    await slack.until(lambda: len(slack.posted("C1")) == 2)
    answerer.gate.set()
    await settled(bot, done=4)
    texts = {m["thread_ts"]: m["text"] for m in slack.posted("C1")}
    assert texts["3.0"].startswith("Many of your questions are waiting")
    assert all("30 days" in texts[ts] for ts in ("1.0", "2.0", "4.0"))
