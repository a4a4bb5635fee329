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


class Harness:
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
async def harness_in(folder: Path) -> AsyncIterator[Harness]:
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
        yield Harness(slack, Inbox(database, lease_s=0.0), outbox)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    async with harness_in(tmp_path) as harness:
        yield harness


@pytest.fixture
def answer() -> Answer:
    return answer_to("How many days of paid leave are there?")


async def test_words_are_streamed_and_the_stream_ends_with_sources_and_buttons(
    harness: Harness, answer: Answer
) -> None:
    reply = await harness.begin()
    await harness.write(reply, "Every employee has ")
    assert harness.slack.posted("C1")[0]["blocks"][0]["text"] == "Every employee has"
    await harness.finish(reply, answer)
    (start,) = harness.slack.called("chat.startStream")
    assert (start["recipient_user_id"], start["recipient_team_id"]) == ("U1", "T1")
    assert harness.slack.called("chat.update") == harness.slack.called("chat.postMessage") == []


async def test_a_page_that_just_fits_is_ended_when_the_next_one_begins(
    harness: Harness, answer: Answer
) -> None:
    page = split_markdown(LONG)[0]
    reply = await harness.begin()
    await harness.write(reply, page)
    await harness.write(reply, "\n\nThe next page.")
    await harness.slack.until(lambda: len(harness.slack.called("chat.startStream")) == 2)
    first, _ = harness.slack.posted("C1")
    assert not harness.slack.streams.is_live("C1", first["ts"])
    await harness.finish(reply, replace(answer, text=f"{page}\n\nThe next page."))


async def test_where_a_stream_may_have_begun_unseen_no_second_one_begins(
    harness: Harness, answer: Answer
) -> None:
    harness.slack.fail("chat.startStream", Fault("dropped_after"))
    reply = await harness.begin()
    await harness.write(reply, "Every employee ")
    await asyncio.to_thread(reply.on_text, "has ")
    await harness.finish(reply, answer)
    assert len(harness.slack.called("chat.startStream")) == 1


async def test_white_space_alone_starts_no_stream(harness: Harness, answer: Answer) -> None:
    reply = await harness.begin()
    await asyncio.to_thread(reply.on_text, "\n\n")
    await asyncio.sleep(0)
    await harness.finish(reply, answer)
    assert harness.slack.called("chat.startStream") == []


async def test_what_was_checked_but_not_said_is_corrected(harness: Harness, answer: Answer) -> None:
    reply = await harness.begin()
    await harness.write(reply, "Something else altogether.")
    await harness.finish(reply, answer)


async def test_a_long_answer_goes_on_in_a_further_message(harness: Harness, answer: Answer) -> None:
    reply = await harness.begin()
    await harness.write(reply, LONG)
    await harness.finish(reply, replace(answer, text=LONG))
    assert len(harness.slack.posted("C1")) > 2
    assert harness.slack.called("chat.update") == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream", "chat.stopStream"])
async def test_a_bad_moment_of_slack_costs_no_word(
    harness: Harness, answer: Answer, method: str, fault: Fault
) -> None:
    harness.slack.fail(method, fault)
    reply = await harness.begin()
    await harness.write(reply, "Every employee ")
    if method == "chat.appendStream":
        await harness.write(reply, "has ")
        assert harness.slack.called(method)
    try:
        await harness.finish(reply, answer)
    except SlackUnreachableError:  # the job is done again
        await harness.finish(await harness.begin(), answer)


async def test_a_stream_that_died_is_finished_by_an_edit(harness: Harness, answer: Answer) -> None:
    reply = await harness.begin()
    await harness.write(reply, "Every employee ")
    harness.slack.streams.life_s = 0.0
    await harness.write(reply, "has ")
    await harness.finish(reply, answer)
    assert len(harness.slack.called("chat.startStream")) == 1


async def test_the_stop_button_stops_the_answer_and_keeps_what_was_written(
    harness: Harness, answer: Answer
) -> None:
    reply = await harness.begin()
    await harness.write(reply, "Every employee ")
    (message,) = harness.slack.posted("C1")
    harness.slack.streams.press_stop("C1", message["ts"])
    assert not reply.is_stopped()
    await harness.write(reply, "has ")
    await harness.finish(reply, replace(answer, text="Every employee has", stopped=True))
    assert reply.is_stopped()


async def test_without_a_stream_to_spare_one_message_is_edited(
    harness: Harness, answer: Answer
) -> None:
    harness.outbox.starts = Allowance(0)
    reply = await harness.begin()
    await harness.write(reply, "Every employee ")
    assert harness.slack.posted("C1")[0]["blocks"][0]["text"] == "Every employee"
    await harness.finish(reply, answer)
    assert harness.slack.called("chat.startStream") == []


async def test_without_an_edit_to_spare_the_answer_is_simply_posted(
    harness: Harness, answer: Answer
) -> None:
    harness.outbox.starts = harness.outbox.edits = Allowance(0)
    reply = await harness.begin()
    await asyncio.to_thread(reply.on_text, "Every employee ")
    await harness.finish(reply, answer)
    assert len(harness.slack.called("chat.postMessage")) == 1


async def test_a_stream_takes_the_place_of_the_placeholder(
    harness: Harness, answer: Answer
) -> None:
    reply = await harness.begin(has_status=False)
    assert harness.slack.posted("C1")[0]["text"] == "Looking…"
    await asyncio.to_thread(reply.on_text, "Every employee ")
    await harness.slack.until(lambda: bool(harness.slack.called("chat.delete")))
    await harness.finish(reply, answer)


async def test_an_answer_that_comes_at_once_needs_no_stream(
    harness: Harness, answer: Answer
) -> None:
    harness.outbox.pace_s = 60.0
    reply = await harness.begin(has_status=False)
    await asyncio.to_thread(reply.on_text, answer.text)
    await harness.finish(reply, answer)
    assert harness.slack.called("chat.startStream") == []


async def test_without_a_stream_to_spare_words_grow_in_the_placeholder(
    harness: Harness, answer: Answer
) -> None:
    harness.outbox.starts = Allowance(0)
    reply = await harness.begin(has_status=False)
    await harness.write(reply, "Every employee ")
    assert harness.slack.posted("C1")[0]["blocks"][0]["text"] == "Every employee"
    await harness.finish(reply, answer)


@pytest.mark.parametrize("fault", FAULTS[1:], ids=lambda fault: fault.kind)
async def test_a_placeholder_that_could_not_be_deleted_goes_in_the_end(
    harness: Harness, answer: Answer, fault: Fault
) -> None:
    harness.slack.fail("chat.delete", fault)
    reply = await harness.begin(has_status=False)
    await asyncio.to_thread(reply.on_text, "Every employee ")
    await harness.slack.until(lambda: bool(harness.slack.called("chat.delete")))
    await harness.finish(reply, answer)


async def test_a_placeholder_that_stayed_to_the_end_goes_when_the_job_is_done_again(
    harness: Harness, answer: Answer
) -> None:
    harness.slack.fail("chat.delete", Fault("dropped"), Fault("dropped"))
    reply = await harness.begin(has_status=False)
    await asyncio.to_thread(reply.on_text, "Every employee ")
    await harness.slack.until(lambda: bool(harness.slack.called("chat.delete")))
    with pytest.raises(SlackUnreachableError):
        await reply.show(answer_cards(answer))
    await harness.finish(await harness.begin(), answer)


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "not written down"])
async def test_a_restart_leaves_neither_placeholder_nor_stream_beside_the_answer(
    harness: Harness, answer: Answer, is_known: bool
) -> None:
    harness.slack.fail("chat.delete", Fault("dropped"))
    killed = await harness.begin(has_status=False)
    await asyncio.to_thread(killed.on_text, "Every employee ")
    await harness.slack.until(lambda: bool(harness.slack.called("chat.delete")))
    await killed.close()
    assert len(harness.slack.posted("C1")) == 2
    if not is_known:
        harness.inbox.database.connection.execute("UPDATE inbox SET reply_ts = NULL")
    await harness.finish(await harness.begin(), answer)


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "not written down"])
async def test_a_restart_goes_on_with_the_stream_that_was_broken_off(
    harness: Harness, answer: Answer, is_known: bool
) -> None:
    killed = await harness.begin()
    await harness.write(killed, LONG[:9_000])
    await killed.close()
    if not is_known:
        harness.inbox.database.connection.execute("UPDATE inbox SET reply_ts = NULL")
    await harness.finish(await harness.begin(), answer)
    assert len(harness.slack.posted("C1")) == 1


async def test_a_reply_that_ended_shows_no_more_words(harness: Harness) -> None:
    reply = await harness.begin()
    await harness.write(reply, "Every employee ")
    await reply.show((notice("Sorry."),))
    await asyncio.to_thread(reply.on_text, "has thirty days.")
    await asyncio.sleep(0)
    assert [m["text"] for m in harness.slack.posted("C1")] == ["Sorry."]


async def test_after_four_minutes_a_stream_is_left_before_slack_ends_it(harness: Harness) -> None:
    now, begun = 0.0, asyncio.Event()

    async def note(_part: int, _ts: str) -> None:
        begun.set()

    place = StreamPlace("C1", "1.0", "T1", "U1", "Ev1")
    live = LiveText(
        harness.outbox, place, on_message=note, on_stopped=lambda: None, clock=lambda: now
    )
    live.feed("Every employee ")
    await begun.wait()
    now = 241.0
    live.feed("has thirty days. " * 30)
    await harness.slack.until(lambda: bool(harness.slack.called("chat.update")))
    await live.end()
    assert len(harness.slack.called("chat.stopStream")) == 1
    assert harness.slack.called("chat.appendStream") == []
    assert "thirty days" in harness.slack.posted("C1")[0]["blocks"][0]["text"]


@pytest.mark.slow
@pytest.mark.parametrize("has_status", [True, False], ids=["status", "placeholder"])
@pytest.mark.parametrize("seed", range(8))
async def test_whatever_befalls_the_calls_one_whole_answer_stands(
    harness: Harness, answer: Answer, seed: int, has_status: bool
) -> None:
    chance = random.Random(seed)
    for method in METHODS:
        harness.slack.fail(method, *chance.choices(FAULTS, k=chance.randrange(4)))
    long = replace(answer, text=LONG[:9_000])
    while True:
        try:
            reply = await harness.begin(has_status=has_status)
            for start in range(0, 9_000, 1_500):
                await asyncio.to_thread(reply.on_text, LONG[start : start + 1_500])
            await harness.finish(reply, long)
        except SlackUnreachableError:
            continue  # the job is done again, as long as faults last
        return
