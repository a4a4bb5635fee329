"""How an installation does, on one screen: read from its files, also while the bot serves."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from bot.settings import load_api_settings, read_slack_settings
from bot.store.connection import StoreError
from bot.store.inbox import Inbox
from bot.store.log import ConversationLog, utc
from bot.store.opening import has_database, open_database
from retrieval.errors import RetrievalError
from retrieval.index.served_embedder import served_runs
from retrieval.index.store import index_store
from retrieval.models.endpoint import endpoint_of, is_endpoint
from retrieval.models.loading import Role
from retrieval.registry.rounds import all_rounds
from retrieval.registry.trials import under_way
from retrieval.settings import Settings
from retrieval.sources.syncing import results

ERRORS_SHOWN = 5
ASK_S = 2.0

Part = Mapping[str, Any]


def read_status(settings: Settings) -> dict[str, Any]:
    """What serves and how it goes, by part; what cannot be read has an `error` in its place.

    It tells nothing that anybody asked, and no name of a document.
    """
    found: dict[str, Any] = {}
    for name, read_part in PARTS.items():
        try:
            found[name] = read_part(settings)
        except (RetrievalError, StoreError, OSError) as error:
            found[name] = {"error": str(error)}
    return found


def lines_of(parts: Mapping[str, Any]) -> Iterator[str]:
    """The parts for people to read, each with its name in front."""
    for name, part in parts.items():
        rows = part if isinstance(part, list) else [part]
        for number, row in enumerate(rows or [{}]):
            told = [_told(key, value) for key, value in row.items() if value not in ("", None, [])]
            yield f"{'' if number else name:<10}{', '.join(told) or 'none'}"


def _told(key: str, value: object) -> str:
    words = key.replace("_", " ")
    if isinstance(value, Mapping):
        return f"{words} ({', '.join(f'{name} {size}' for name, size in value.items()) or 'none'})"
    if isinstance(value, list):
        return "; ".join([words, *(" ".join(map(str, row.values())) for row in value)])
    return f"{words} {value}"


def _versions(_: Settings) -> Part:
    return {"whimbrel": version("whimbrel"), "python": platform.python_version()}


def _bot(_: Settings) -> Part:
    """Whether it takes questions, as its health port says."""
    slack = read_slack_settings()
    if not slack.health_port:
        return {"state": "unknown", "why": "SLACK_HEALTH_PORT is 0"}
    return _listening(slack.health_host, slack.health_port)


def _api(_: Settings) -> Part:
    """Whether the API takes calls, of `whimbrel api` or of a bot that serves it, too."""
    api = load_api_settings()
    if not api.listen_port:
        return {"state": "unknown", "why": "WHIMBREL_API_LISTEN_PORT is 0"}
    return _listening(api.listen_host, api.listen_port)


def _listening(host: str, port: int) -> Part:
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
    address = f"http://{host}:{port}/readyz"
    try:
        with build_opener(ProxyHandler({})).open(address, timeout=ASK_S):
            return {"state": "serving"}
    except HTTPException:
        return {"state": "not running", "why": "something else listens there", "asked": address}
    except URLError as error:
        is_there = hasattr(error, "code")
        return {"state": "not ready" if is_there else "not running", "asked": address}


def _models(settings: Settings) -> Part:
    roles: tuple[Role, ...] = ("embedder", "generator", "reranker")
    named: dict[str, str | None] = {role: getattr(settings, role) for role in roles}
    for role in roles:
        if is_endpoint(named[role]):
            endpoint_of(role, settings)  # an address that cannot be used may hold a password
    learned = {kind: run.id for kind, run in served_runs(settings).items()}
    return {**named, "learned": learned}


def _index(settings: Settings) -> Part:
    manifest, other = index_store(settings).generations()
    return {
        "generation": manifest.name,
        "made": manifest.created,
        "documents": manifest.documents,
        "passages": manifest.passages,
        "before": other.name if other else None,
    }


def _queue(settings: Settings) -> Part:
    if not has_database(settings):
        return {"questions": 0}
    with closing(open_database(settings, is_read_only=True)) as database:
        inbox = Inbox(database)
        counts = inbox.counts()
        # What an error says may quote what was asked: the log has it.
        errors = [
            {"kind": job.kind, "at": utc(job.created), "error": job.error.partition(":")[0]}
            for job in inbox.given_up(ERRORS_SHOWN)
        ]
        return {
            "questions": ConversationLog(database).count(),
            "waiting": counts.get("todo", 0),
            "doing": counts.get("doing", 0),
            "given_up": counts.get("dead", 0),
            "last_errors": errors,
        }


def _sources(settings: Settings) -> list[Part]:
    return [
        {
            "name": pulled.name,
            "synced": pulled.ended or "never",
            "new": pulled.new,
            "changed": pulled.changed,
            "gone": pulled.gone,
            "left_out": len(pulled.left_out),
            "error": pulled.error,
        }
        for pulled in results(settings)
    ]


def _learning(settings: Settings) -> Part:
    rounds = all_rounds(settings.runs_folder)
    if not rounds:
        return {}
    return {"round": rounds[-1].at, **{t.learner: t.state for t in rounds[-1].tries}}


def _trial(settings: Settings) -> Part:
    trial = under_way(settings.runs_folder)
    if trial is None:
        return {}
    return {"run": trial.run, "mode": trial.mode, "share": trial.share, "since": trial.since}


def _disk(settings: Settings) -> Part:
    home = settings.home
    parts = {part.name: _size_mb(part) for part in sorted(home.glob("[!.]*"))}
    there = next(folder for folder in (home, *home.resolve().parents) if folder.exists())
    return {"free_gb": round(shutil.disk_usage(there).free / 1e9), "used_mb": parts}


def _size_mb(path: Path) -> int:
    size = 0
    for file in (path, *path.rglob("*")):
        with suppress(OSError):  # it has gone meanwhile
            size += 0 if file.is_dir() else file.lstat().st_size
    return round(size / 1e6)


PARTS: Mapping[str, Callable[[Settings], Part | list[Part]]] = {
    "versions": _versions,
    "bot": _bot,
    "api": _api,
    "models": _models,
    "index": _index,
    "queue": _queue,
    "sources": _sources,
    "learning": _learning,
    "trial": _trial,
    "disk": _disk,
}
"""What is told, in this order."""
