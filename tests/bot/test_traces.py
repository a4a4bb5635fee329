"""One trace from Slack's event to the card, in logs and spans."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bot.slack.incoming.intake import read
from bot.store.database import Database
from bot.store.inbox import Inbox
from retrieval import tracing
from tests.bot.conftest import House, settled
from tests.fakes import GatedAnswerer
from tests.slack_server import event, mention


class Traces(logging.Handler):
    """The trace of each record, as it was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append((record.getMessage().partition(" ")[0], tracing.trace_id()))


@pytest.fixture
def traces() -> Iterator[Traces]:
    logger, handler = logging.getLogger("bot"), Traces()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.start(SimpleSpanProcessor(exporter))
    yield exporter
    tracing.stop()


async def test_what_is_logged_of_a_question_has_the_trace_of_its_event(
    house: House, traces: Traces
) -> None:
    bot = await house.start()
    await house.slack.deliver(event(mention("How many days of leave?", ts="1.0"), "Ev1"))
    await settled(bot)
    assert ("answered", tracing.trace_of("Ev1")) in traces.seen


async def test_a_question_keeps_its_trace_when_the_bot_starts_anew(
    house: House, traces: Traces
) -> None:
    first = house.bot(GatedAnswerer(), grace_s=0)
    async with first:
        await house.slack.deliver(event(mention("How many days of leave?", ts="1.0"), "Ev1"))
        await house.slack.until(lambda: len(house.slack.posted("C1")) == 1)
    await settled(await house.start())
    assert ("answered", tracing.trace_of("Ev1")) in traces.seen


async def test_the_spans_of_a_question_are_one_trace(
    house: House, spans: InMemorySpanExporter
) -> None:
    bot = await house.start()
    await house.slack.deliver(event(mention("How many days of leave?", ts="1.0"), "Ev1"))
    await settled(bot)
    trace = tracing.trace_of("Ev1")
    names = [
        done.name
        for done in spans.get_finished_spans()
        if done.context and f"{done.context.trace_id:032x}" == trace
    ]
    assert {"receive", "claim", "post"} <= set(names)


def test_an_error_id_begins_the_trace(database: Database) -> None:
    delivery = read(event(mention("How many?", ts="1.0"), "Ev1"), bot_user="UBOT")
    assert delivery is not None
    inbox = Inbox(database)
    inbox.accept(delivery)
    job = inbox.claim("w1", ("question",))
    assert job is not None
    assert job.trace_id == delivery.trace_id
    assert job.trace_id.startswith(job.error_id)
