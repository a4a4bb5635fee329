"""Words appear as they are written, and whatever befalls the stream, one whole answer stands."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.incoming.payloads import Question
from bot.slack.outgoing.allowance import Allowance
from bot.slack.outgoing.cards import answer_cards, notice
from bot.slack.outgoing.outbox import Outbox
from bot.slack.outgoing.pages import split_markdown
from bot.slack.outgoing.reaching import SlackUnreachableError
from bot.slack.outgoing.reply import ReplyMessages
from bot.slack.outgoing.streaming import LiveText, StreamPlace
from bot.store.database import Database
from bot.store.inbox import Delivery, Inbox, Job
from retrieval.records import Answer
from tests.fakes import answer_to
from tests.slack_server import BOT_TOKEN, Fault, SlackServer

LONG = "\n\n".join(f"Paragraph {n} of the answer. " + "More words. " * 40 for n in range(40))
METHODS = (
    "chat.postMessage",
    "chat.update",
    "chat.delete",
    "chat.startStream",
    "chat.appendStream",
    "chat.stopStream",
    "conversations.replies",
)
FAULTS = [Fault("throttled"), Fault("broken"), Fault("dropped"), Fault("dropped_after")]


class Desk:
    """One question in a thread, and what its replies are made with."""

    def __init__(self, slack: SlackServer, inbox: Inbox, outbox: Outbox) -> None:
        self.slack = slack
        self.inbox = inbox
        self.outbox = outbox
        self.question = Question("leave?", ts="1.0", thread_ts="1.0")
        slack.add_message("C1", "1.0", "leave?", "U1")
        inbox.accept(Delivery("Ev1", "question", "T1", "C1", "U1", "t", {}))

    def claim(self) -> Job:
        job = self.inbox.claim("w", ("question",))
        assert job is not None
        return job

    async def begin(self, *, job: Job | None = None, has_status: bool = True) -> ReplyMessages:
        reply = ReplyMessages(self.inbox, self.outbox, job or self.claim(), self.question)
        await reply.begin(notice("Looking…"), has_status=has_status)
        return reply

    async def write(self, reply: ReplyMessages, text: str) -> None:
        """Text from the thread that answers, and time for it to be shown."""
        seen = len(self.slack.calls)
        await asyncio.to_thread(reply.on_text, text)
        await self.slack.until(lambda: len(self.slack.calls) > seen)

    async def finish(self, reply: ReplyMessages, answer: Answer) -> None:
        """Show the answer and check that it stands there once, whole, with its buttons."""
        cards = answer_cards(answer)
        shown = await reply.show(cards)
        messages = self.slack.posted("C1")
        assert [m["ts"] for m in messages] == list(shown)
        assert [m["blocks"] for m in messages] == [card.block_dicts() for card in cards]
        marks = [m["metadata"]["event_payload"] for m in messages]
        assert marks == [{"event_id": "Ev1", "part": part} for part in range(len(cards))]
        assert not any(self.slack.streams.is_live("C1", m["ts"]) for m in messages)


@asynccontextmanager
async def desk_in(folder: Path) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(SlackServer())
        session = await stack.enter_async_context(aiohttp.ClientSession())

        def client(retries: int) -> AsyncWebClient:
            patience = AsyncRateLimitErrorRetryHandler(max_retry_count=retries)
            return AsyncWebClient(
                BOT_TOKEN, slack.api_url, session=session, retry_handlers=[patience]
            )

        database = Database(folder / "whimbrel.db")
        stack.callback(database.close)
        outbox = Outbox(client(5), client(5), client(0), bot_user="UBOT")
        outbox.pace_s, outbox.appends = 0.0, Allowance(99)
        yield Desk(slack, Inbox(database, lease_s=0.0), outbox)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_in(tmp_path) as desk:
        yield desk


@pytest.fixture
def answer() -> Answer:
    return answer_to("How many days of paid leave are there?")


async def test_words_are_streamed_and_the_stream_ends_with_sources_and_buttons(
    desk: Desk, answer: Answer
) -> None:
    reply = await desk.begin()
    await desk.write(reply, "Every employee has ")
    assert desk.slack.posted("C1")[0]["blocks"][0]["text"] == "Every employee has"
    await desk.finish(reply, answer)
    (start,) = desk.slack.called("chat.startStream")
    assert (start["recipient_user_id"], start["recipient_team_id"]) == ("U1", "T1")
    assert desk.slack.called("chat.update") == desk.slack.called("chat.postMessage") == []


async def test_a_page_that_just_fits_is_ended_when_the_next_one_begins(
    desk: Desk, answer: Answer
) -> None:
    page = split_markdown(LONG)[0]
    reply = await desk.begin()
    await desk.write(reply, page)
    await desk.write(reply, "\n\nThe next page.")
    await desk.slack.until(lambda: len(desk.slack.called("chat.startStream")) == 2)
    first, _ = desk.slack.posted("C1")
    assert not desk.slack.streams.is_live("C1", first["ts"])
    await desk.finish(reply, replace(answer, text=f"{page}\n\nThe next page."))


async def test_where_a_stream_may_have_begun_unseen_no_second_one_begins(
    desk: Desk, answer: Answer
) -> None:
    desk.slack.fail("chat.startStream", Fault("dropped_after"))
    reply = await desk.begin()
    await desk.write(reply, "Every employee ")
    await asyncio.to_thread(reply.on_text, "has ")
    await desk.finish(reply, answer)
    assert len(desk.slack.called("chat.startStream")) == 1


async def test_white_space_alone_starts_no_stream(desk: Desk, answer: Answer) -> None:
    reply = await desk.begin()
    await asyncio.to_thread(reply.on_text, "\n\n")
    await asyncio.sleep(0)
    await desk.finish(reply, answer)
    assert desk.slack.called("chat.startStream") == []


async def test_what_was_checked_but_not_said_is_corrected(desk: Desk, answer: Answer) -> None:
    reply = await desk.begin()
    await desk.write(reply, "Something else altogether.")
    await desk.finish(reply, answer)


async def test_a_long_answer_goes_on_in_a_further_message(desk: Desk, answer: Answer) -> None:
    reply = await desk.begin()
    await desk.write(reply, LONG)
    await desk.finish(reply, replace(answer, text=LONG))
    assert len(desk.slack.posted("C1")) > 2
    assert desk.slack.called("chat.update") == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream", "chat.stopStream"])
async def test_a_bad_moment_of_slack_costs_no_word(
    desk: Desk, answer: Answer, method: str, fault: Fault
) -> None:
    desk.slack.fail(method, fault)
    reply = await desk.begin()
    await desk.write(reply, "Every employee ")
    if method == "chat.appendStream":
        await desk.write(reply, "has ")
        assert desk.slack.called(method)
    try:
        await desk.finish(reply, answer)
    except SlackUnreachableError:  # the job is done again
        await desk.finish(await desk.begin(), answer)


async def test_a_stream_that_died_is_finished_by_an_edit(desk: Desk, answer: Answer) -> None:
    reply = await desk.begin()
    await desk.write(reply, "Every employee ")
    desk.slack.streams.life_s = 0.0
    await desk.write(reply, "has ")
    await desk.finish(reply, answer)
    assert len(desk.slack.called("chat.startStream")) == 1


async def test_the_stop_button_stops_the_answer_and_keeps_what_was_written(
    desk: Desk, answer: Answer
) -> None:
    reply = await desk.begin()
    await desk.write(reply, "Every employee ")
    (message,) = desk.slack.posted("C1")
    desk.slack.streams.press_stop("C1", message["ts"])
    assert not reply.is_stopped()
    await desk.write(reply, "has ")
    await desk.finish(reply, replace(answer, text="Every employee has", stopped=True))
    assert reply.is_stopped()


async def test_without_a_stream_to_spare_one_message_is_edited(desk: Desk, answer: Answer) -> None:
    desk.outbox.starts = Allowance(0)
    reply = await desk.begin()
    await desk.write(reply, "Every employee ")
    assert desk.slack.posted("C1")[0]["blocks"][0]["text"] == "Every employee"
    await desk.finish(reply, answer)
    assert desk.slack.called("chat.startStream") == []


async def test_without_an_edit_to_spare_the_answer_is_simply_posted(
    desk: Desk, answer: Answer
) -> None:
    desk.outbox.starts = desk.outbox.edits = Allowance(0)
    reply = await desk.begin()
    await asyncio.to_thread(reply.on_text, "Every employee ")
    await desk.finish(reply, answer)
    assert len(desk.slack.called("chat.postMessage")) == 1


async def test_a_stream_takes_the_place_of_the_placeholder(desk: Desk, answer: Answer) -> None:
    reply = await desk.begin(has_status=False)
    assert desk.slack.posted("C1")[0]["text"] == "Looking…"
    await asyncio.to_thread(reply.on_text, "Every employee ")
    await desk.slack.until(lambda: bool(desk.slack.called("chat.delete")))
    await desk.finish(reply, answer)


async def test_an_answer_that_comes_at_once_needs_no_stream(desk: Desk, answer: Answer) -> None:
    desk.outbox.pace_s = 60.0
    reply = await desk.begin(has_status=False)
    await asyncio.to_thread(reply.on_text, answer.text)
    await desk.finish(reply, answer)
    assert desk.slack.called("chat.startStream") == []


async def test_without_a_stream_to_spare_words_grow_in_the_placeholder(
    desk: Desk, answer: Answer
) -> None:
    desk.outbox.starts = Allowance(0)
    reply = await desk.begin(has_status=False)
    await desk.write(reply, "Every employee ")
    assert desk.slack.posted("C1")[0]["blocks"][0]["text"] == "Every employee"
    await desk.finish(reply, answer)


@pytest.mark.parametrize("fault", FAULTS[1:], ids=lambda fault: fault.kind)
async def test_a_placeholder_that_could_not_be_deleted_goes_in_the_end(
    desk: Desk, answer: Answer, fault: Fault
) -> None:
    desk.slack.fail("chat.delete", fault)
    reply = await desk.begin(has_status=False)
    await asyncio.to_thread(reply.on_text, "Every employee ")
    await desk.slack.until(lambda: bool(desk.slack.called("chat.delete")))
    await desk.finish(reply, answer)


async def test_a_placeholder_that_stayed_to_the_end_goes_when_the_job_is_done_again(
    desk: Desk, answer: Answer
) -> None:
    desk.slack.fail("chat.delete", Fault("dropped"), Fault("dropped"))
    reply = await desk.begin(has_status=False)
    await asyncio.to_thread(reply.on_text, "Every employee ")
    await desk.slack.until(lambda: bool(desk.slack.called("chat.delete")))
    with pytest.raises(SlackUnreachableError):
        await reply.show(answer_cards(answer))
    await desk.finish(await desk.begin(), answer)


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "not written down"])
async def test_a_restart_leaves_neither_placeholder_nor_stream_beside_the_answer(
    desk: Desk, answer: Answer, is_known: bool
) -> None:
    desk.slack.fail("chat.delete", Fault("dropped"))
    killed = await desk.begin(has_status=False)
    await asyncio.to_thread(killed.on_text, "Every employee ")
    await desk.slack.until(lambda: bool(desk.slack.called("chat.delete")))
    await killed.close()
    assert len(desk.slack.posted("C1")) == 2
    if not is_known:
        desk.inbox.database.connection.execute("UPDATE inbox SET reply_ts = NULL")
    await desk.finish(await desk.begin(), answer)


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "not written down"])
async def test_a_restart_goes_on_with_the_stream_that_was_broken_off(
    desk: Desk, answer: Answer, is_known: bool
) -> None:
    killed = await desk.begin()
    await desk.write(killed, LONG[:9_000])
    await killed.close()
    if not is_known:
        desk.inbox.database.connection.execute("UPDATE inbox SET reply_ts = NULL")
    await desk.finish(await desk.begin(), answer)
    assert len(desk.slack.posted("C1")) == 1


async def test_a_reply_that_ended_shows_no_more_words(desk: Desk) -> None:
    reply = await desk.begin()
    await desk.write(reply, "Every employee ")
    await reply.show((notice("Sorry."),))
    await asyncio.to_thread(reply.on_text, "has thirty days.")
    await asyncio.sleep(0)
    assert [m["text"] for m in desk.slack.posted("C1")] == ["Sorry."]


async def test_after_four_minutes_a_stream_is_left_before_slack_ends_it(desk: Desk) -> None:
    now, begun = 0.0, asyncio.Event()

    async def note(_part: int, _ts: str) -> None:
        begun.set()

    place = StreamPlace("C1", "1.0", "T1", "U1", "Ev1")
    live = LiveText(desk.outbox, place, on_message=note, on_stopped=lambda: None, clock=lambda: now)
    live.feed("Every employee ")
    await begun.wait()
    now = 241.0
    live.feed("has thirty days. " * 30)
    await desk.slack.until(lambda: bool(desk.slack.called("chat.update")))
    await live.end()
    assert len(desk.slack.called("chat.stopStream")) == 1
    assert desk.slack.called("chat.appendStream") == []
    assert "thirty days" in desk.slack.posted("C1")[0]["blocks"][0]["text"]


@pytest.mark.parametrize("has_status", [True, False], ids=["status", "placeholder"])
@pytest.mark.parametrize("seed", range(8))
async def test_whatever_befalls_the_calls_one_whole_answer_stands(
    desk: Desk, answer: Answer, seed: int, has_status: bool
) -> None:
    chance = random.Random(seed)
    for method in METHODS:
        desk.slack.fail(method, *chance.choices(FAULTS, k=chance.randrange(4)))
    long = replace(answer, text=LONG[:9_000])
    while True:
        try:
            reply = await desk.begin(has_status=has_status)
            for start in range(0, 9_000, 1_500):
                await asyncio.to_thread(reply.on_text, LONG[start : start + 1_500])
            await desk.finish(reply, long)
        except SlackUnreachableError:
            continue  # the job is done again, as long as faults last
        return
