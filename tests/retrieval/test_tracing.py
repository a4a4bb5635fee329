from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from retrieval import tracing
from retrieval.answering.evidence import Stopwatch
from retrieval.errors import SettingsError
from retrieval.tracing import span, trace_id, trace_of, traced, traceparent

TRACE = trace_of("Ev1")


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.start(SimpleSpanProcessor(exporter))
    yield exporter
    tracing.stop()


async def test_a_trace_reaches_threads_and_tasks_and_ends_with_its_block() -> None:
    with traced(TRACE):
        found = await asyncio.gather(asyncio.to_thread(trace_id), asyncio.to_thread(traceparent))
    assert [*found] == [TRACE, f"00-{TRACE}-{TRACE[:16]}-01"]
    assert trace_id() == traceparent() == ""


def test_spans_of_a_trace_have_its_id(spans: InMemorySpanExporter) -> None:
    with traced(TRACE):
        tracing.passed("claim", since=1.0)
        with span("answer"), span("search"):
            assert traceparent().startswith(f"00-{TRACE}-")
    found = spans.get_finished_spans()
    assert [done.name for done in found] == ["claim", "search", "answer"]
    assert {f"{done.context.trace_id:032x}" for done in found if done.context} == {TRACE}
    assert found[0].start_time == 1_000_000_000
    assert found[1].parent == found[2].context


def test_the_stages_of_an_answer_are_spans(spans: InMemorySpanExporter) -> None:
    watch = Stopwatch()
    with traced(TRACE), watch.stage("total"):
        for stage in ("search", "judge", "generate"):
            with watch.stage(stage):
                pass
    names = [done.name for done in spans.get_finished_spans()]
    assert names == ["search", "judge", "generate", "answer"]


def test_the_environment_asks_for_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not tracing.is_wanted()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert tracing.is_wanted()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert not tracing.is_wanted()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with pytest.raises(SettingsError, match="zipkin"):
        tracing.start()


@pytest.mark.slow
def test_the_bot_imports_no_opentelemetry_unless_it_is_asked_for() -> None:
    code = "import sys, bot.app.bot; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own
