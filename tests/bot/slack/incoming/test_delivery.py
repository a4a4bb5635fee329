"""Several sockets, several processes, many answers at once: everything is acked and done once."""

from __future__ import annotations

import asyncio

import pytest

from tests.bot.conftest import House, settled
from tests.fakes import GatedAnswerer
from tests.slack_server import direct_message, event, mention, slash

LEAVE = "How many days of paid leave are there?"


async def test_several_sockets_are_open_at_once_and_each_brings_events(house: House) -> None:
    bot = await house.start(settings=house.settings(connections=3))
    assert house.slack.connections == 3
    for n in range(6):
        assert (await house.slack.deliver(event(mention(LEAVE, ts=f"{n}.0"), f"Ev{n}"))).is_acked
    await settled(bot, done=6)
    assert len(house.slack.posted("C1")) == 6


async def test_an_event_that_comes_again_over_another_socket_is_answered_once(
    house: House,
) -> None:
    bot = await house.start(settings=house.settings(connections=2))
    for retry_num in range(4):
        body = event(mention(LEAVE, ts="1.0"), "Ev1")
        assert (await house.slack.deliver(body, retry_num=retry_num)).is_acked
    await settled(bot)
    assert len(house.slack.posted("C1")) == 1


async def test_while_one_socket_is_renewed_another_takes_the_events(house: House) -> None:
    bot = await house.start(settings=house.settings(connections=2))
    await house.slack.disconnect()
    for n in range(4):
        body = event(mention(LEAVE, ts=f"{n}.0"), f"Ev{n}")
        while not (await house.slack.deliver(body)).is_acked:
            continue  # as Slack does
    await settled(bot, done=4)
    assert len(house.slack.posted("C1")) == 4


async def test_sockets_that_are_lost_without_a_word_are_opened_again(house: House) -> None:
    bot = await house.enter(house.bot(settings=house.settings(connections=2), ping_s=0.3))
    await house.slack.hang_up()
    await house.slack.until(lambda: house.slack.connections >= 4)
    while not (await house.slack.deliver(event(mention(LEAVE, ts="1.0"), "Ev1"))).is_acked:
        continue  # it may have come to one of those that were lost
    await settled(bot)
    assert len(house.slack.posted("C1")) == 1


async def test_every_socket_is_closed_in_the_end(house: House) -> None:
    bot = house.bot(settings=house.settings(connections=3))
    async with bot:
        sockets = [handler.client for handler in bot._sockets]
    assert len(sockets) == 3
    assert not any([await socket.is_connected() for socket in sockets])
    assert all(socket.aiohttp_client_session.closed for socket in sockets)


async def test_two_processes_behind_a_balancer_answer_each_question_once(http: House) -> None:
    slack = http.slack
    first = await http.start()
    first_url = slack.app_url
    await http.start()
    second_url = slack.app_url
    for n in range(8):
        body = event(mention(LEAVE, ts=f"{n}.0"), f"Ev{n}")
        for retry_num, slack.app_url in enumerate((first_url, second_url, first_url)):
            assert (await slack.deliver(body, retry_num=retry_num)).is_acked
    await slack.until(lambda: [s[-1] for s in slack.statuses.values()] == ["active"] * 8)
    assert len(slack.posted("C1")) == 8
    assert first.log.count() == 8


async def test_two_processes_take_one_delivery_at_the_same_moment_once(http: House) -> None:
    slack = http.slack
    await http.start()
    first_url = slack.app_url
    await http.start()
    body = event(direct_message(LEAVE, ts="1.0"), "Ev1")
    assert first_url is not None
    assert slack.app_url is not None
    taken = await asyncio.gather(
        *(slack._deliver_http(url, body, 0, "shh") for url in (first_url, slack.app_url) * 5)
    )
    assert all(delivered.is_acked for delivered in taken)
    await slack.until(lambda: slack.statuses["D1", "1.0"][-1:] == ["active"])
    assert len(slack.posted("D1")) == 1


@pytest.mark.slow
async def test_ask_is_acked_while_twenty_answers_are_written(each_transport: House) -> None:
    slack, answerer = each_transport.slack, GatedAnswerer()
    bot = await each_transport.start(answerer, settings=each_transport.settings(workers=20))
    for n in range(20):
        await slack.deliver(event(mention(LEAVE, ts=f"{n}.0", channel=f"C{n}"), f"Ev{n}"))
    await slack.until(lambda: len(slack.called("chat.postMessage")) == 20)
    acked = await slack.deliver(slash("/ask", LEAVE, trigger_id="1", url=slack.response_url("r")))
    assert acked.is_acked
    assert acked.payload["response_type"] == "ephemeral"
    assert not answerer.gate.is_set()
    answerer.gate.set()
    await settled(bot, done=21)
    assert "30 days" in str(slack.responses["r"])


async def test_an_answer_to_a_reply_comes_after_the_answer_to_what_it_replies_to(
    house: House,
) -> None:
    answerer = GatedAnswerer()
    bot = await house.start(answerer)
    await house.slack.deliver(event(direct_message(LEAVE, ts="1.0"), "Ev1"))
    await house.slack.deliver(event(direct_message("And paid?", ts="2.0", thread_ts="1.0"), "Ev2"))
    answerer.gate.set()
    await settled(bot, done=2)
    assert [request.text for request in answerer.asked] == [LEAVE, "And paid?"]


@pytest.mark.parametrize("bot_message", [{"bot_id": "BOTHER"}, {"subtype": "bot_message"}])
async def test_bots_cannot_start_a_loop(each_transport: House, bot_message: dict[str, str]) -> None:
    bot = await each_transport.start()
    said = mention(LEAVE, ts="1.0") | bot_message
    assert (await each_transport.slack.deliver(event(said, "Ev1"))).is_acked
    assert (await each_transport.slack.deliver(event(said | {"type": "message"}, "Ev2"))).is_acked
    assert bot.inbox.counts() == {}
