"""What the program logs: for people or as JSON, with the trace it belongs to, without secrets."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from retrieval.errors import PACKAGES
from retrieval.secret_forms import without_secrets
from retrieval.settings import Settings
from retrieval.tracing import trace_id

if TYPE_CHECKING:
    from structlog.typing import EventDict


def set_up_logs(settings: Settings, *, level: str = "warning", team: str | None = None) -> None:
    """Write what our packages log from a level on, and of the libraries what is wrong.

    `level` is for where the settings name none. Each line tells the `team`, where there is one.
    """
    import structlog

    stages: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        partial(_add_team, team),
        structlog.processors.format_exc_info,
        _scrub,
    ]
    renderer = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log == "json"
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, pad_level=False)
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=stages,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    for package in PACKAGES:
        logging.getLogger(package).setLevel((settings.log_level or level).upper())


def _add_trace(_logger: object, _method: str, event: EventDict) -> EventDict:
    if trace := trace_id():
        event["trace"] = trace
    return event


def _add_team(team: str | None, _logger: object, _method: str, event: EventDict) -> EventDict:
    return {**event, "team": team} if team else event


def _scrub(_logger: object, _method: str, event: EventDict) -> EventDict:
    return {k: without_secrets(v) if isinstance(v, str) else v for k, v in event.items()}
