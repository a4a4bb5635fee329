"""One trace for each question, from its event to its card: the id in logs, and spans of the way."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from retrieval.errors import SettingsError, install

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer

_ASKED_FOR = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
)
"""Any of these in the environment asks for spans; their meaning is OpenTelemetry's own."""

_trace: ContextVar[str] = ContextVar("trace", default="")
_tracer: Tracer | None = None


def trace_of(event_id: str) -> str:
    """The trace of an event: 32 hexadecimal digits, the same after any restart."""
    return hashlib.sha256(event_id.encode()).hexdigest()[:32]


def trace_id() -> str:
    """The trace that this code runs for; empty where it runs for none."""
    return _trace.get()


def traceparent() -> str:
    """The header of W3C's Trace Context that tells an endpoint the trace; empty without one."""
    trace = trace_id()
    span_id = trace[:16]
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        span_id = f"{get_current_span().get_span_context().span_id or int(span_id or '0', 16):016x}"
    return f"00-{trace}-{span_id}-01" if trace else ""


@contextmanager
def traced(trace: str) -> Iterator[None]:
    """What runs in the block belongs to a trace, also what it starts in threads and tasks."""
    token = _trace.set(trace)
    try:
        with ExitStack() as stack:
            if _tracer is not None:
                from opentelemetry.context import attach, detach

                stack.callback(detach, attach(_parent(trace)))
            yield
    finally:
        _trace.reset(token)


@contextmanager
def span(name: str) -> Iterator[None]:
    """A step of the way; costs nothing where nobody wants spans."""
    if _tracer is None:
        yield
        return
    with _tracer.start_as_current_span(name):
        yield


def passed(name: str, *, since: float) -> None:
    """A step that began at a Unix time and has ended now."""
    if _tracer is not None:
        begun = _tracer.start_span(name, start_time=int(since * 1e9))
        begun.end(end_time=time.time_ns())


def is_wanted() -> bool:
    """Whether the environment asks for spans."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(os.environ.get(name) for name in _ASKED_FOR)


def start(processor: SpanProcessor | None = None) -> None:
    """Give spans to a processor from now on; without one, as OTEL_… in the environment says.

    Raises:
        SettingsError: If OpenTelemetry is not installed.
    """
    global _tracer
    try:
        from opentelemetry.sdk.trace import TracerProvider
    except ImportError as error:
        mend = install("'.[telemetry]'")
        raise SettingsError(f"OTEL_… is set, but OpenTelemetry is missing; {mend}") from error
    os.environ.setdefault("OTEL_SERVICE_NAME", "whimbrel")
    provider = TracerProvider()
    provider.add_span_processor(processor or _exporting())
    _tracer = provider.get_tracer("whimbrel")


def _exporting() -> SpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    exporter = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if exporter == "console":
        return SimpleSpanProcessor(ConsoleSpanExporter())
    if exporter != "otlp":
        raise SettingsError(f"OTEL_TRACES_EXPORTER is {exporter}; wanted otlp, console or none")
    return BatchSpanProcessor(OTLPSpanExporter())


def stop() -> None:
    """Give no spans any more."""
    global _tracer
    _tracer = None


def _parent(trace: str) -> Context:
    """What makes the next span one of this trace."""
    from opentelemetry import trace as api

    flags = api.TraceFlags(api.TraceFlags.SAMPLED)
    context = api.SpanContext(
        int(trace, 16), int(trace[:16], 16), is_remote=True, trace_flags=flags
    )
    return api.set_span_in_context(api.NonRecordingSpan(context))
