"""What is missing for Whimbrel to work here, and how to mend it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from retrieval.errors import (
    INSTALL,
    IndexCorruptError,
    ModelNotFoundError,
    RetrievalError,
    ToldError,
    explain_system_error,
)
from retrieval.linking import host_of, unlinked
from retrieval.models.endpoint import endpoint_of, is_endpoint
from retrieval.models.loading import Role, check_folder
from retrieval.settings import KEYS, Settings, load_settings

HOSTS_SHOWN = 5
FREE_GB = 4
"""Unpacked models, an index and its successor."""

_SENT: dict[Role, str] = {
    "generator": "questions, the threads they stand in, the passages found for them and approved "
    "answers to questions near them",
    "embedder": "questions and all passages",
    "reranker": "questions and the passages found for them",
    "teacher": "when `whimbrel distil` is run and confirmed, passages that everybody may read",
}
"""What an endpoint gets."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `mend` is what to do where it is not ok.

    `fix` does that, where it can be done without asking: it loses nothing that anybody has said,
    wrote or taught. It tells what it did, or raises RetrievalError or OSError.
    """

    name: str
    state: Literal["ok", "warning", "missing"]
    found: str
    mend: str = ""
    fix: Callable[[], str] | None = None


Check = Callable[[], Iterator[Finding]]
"""Packages register theirs in the entry-point group `whimbrel.checks`."""


def checks() -> Iterator[Finding]:
    """Look at Python, the settings, home, device, models, sources, index, links and judge.

    Endpoints are asked for a token, a vector or a score.
    """
    yield _python()
    try:
        settings = load_settings()
    except RetrievalError as error:
        yield Finding("settings", "missing", str(error), "correct the environment or whimbrel.toml")
        return
    yield Finding("settings", "ok", f"embedder {settings.embedder}, generator {settings.generator}")
    yield _home(settings)
    yield from _keys(settings)
    if not _is_without_models(settings):
        yield _looked("device", lambda: _device(settings))
    yield _looked("embedder", lambda: _model("embedder", settings.embedder, settings))
    yield _looked("generator", lambda: _model("generator", settings.generator, settings))
    if (reranker := settings.reranker) is not None:
        yield _looked("reranker", lambda: _model("reranker", reranker, settings))
    if (support := settings.support) not in (None, "generator"):
        yield _looked("support", lambda: _model("support", str(support), settings))
    yield _leaves(settings)
    for name in settings.sources:
        yield _looked("source", partial(_source, name, settings))
    yield _looked("index", lambda: _index(settings))
    yield _looked("links", lambda: _links(settings))
    yield _looked("judge", lambda: _judge(settings))


def whole(check: Check) -> Iterator[Finding]:
    """All findings of a package; what ends its look is one of them, so that others go on."""
    try:
        yield from check()
    except ToldError as error:
        yield Finding("doctor", "missing", f"{check.__module__} cannot look further", str(error))
    except OSError as error:
        mend = explain_system_error(error) or str(error)
        yield Finding("doctor", "missing", f"{check.__module__} cannot look further", mend)


def _looked(name: str, look: Callable[[], Finding]) -> Finding:
    """What `look` finds; where it fails, that, so that the rest is looked at too."""
    try:
        return look()
    except ImportError as error:
        return Finding(name, "missing", str(error), INSTALL)
    except RetrievalError as error:
        return Finding(name, "missing", "not usable", str(error))
    except OSError as error:
        return Finding(name, "missing", "not readable", explain_system_error(error) or str(error))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{version} in {sys.prefix}")


def _home(settings: Settings) -> Finding:
    folder = settings.home.resolve()
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    found = f"{settings.home.resolve()}, {free_gb:.0f} GB free"
    if not folder.is_dir():
        return Finding("home", "missing", f"{folder} is a file", "set WHIMBREL_HOME to a folder")
    if not os.access(folder, os.W_OK):
        return Finding("home", "missing", found, f"make {folder} writable or set WHIMBREL_HOME")
    if settings.home.is_dir() and settings.home.stat().st_mode & 0o077:
        mend = f"run `chmod 700 {settings.home}`"
        found += "; others on this machine may enter it"
        return Finding("home", "warning", found, mend, partial(close, settings.home))
    if free_gb < FREE_GB:
        return Finding("home", "warning", found, f"free {FREE_GB} GB or set WHIMBREL_HOME")
    return Finding("home", "ok", found)


def close(path: Path) -> str:
    """Let nobody but its owner enter a folder or read a file; what was done."""
    mode = 0o700 if path.is_dir() else 0o600
    path.chmod(mode)
    return f"{path} has the mode {mode:o}"


def _keys(settings: Settings) -> Iterator[Finding]:
    """Files of keys that others can read, which are refused."""
    for name in KEYS:
        key = getattr(settings, name)
        given = key.get_secret_value().strip() if key else ""
        path = Path(given.removeprefix("@")).expanduser()
        if given.startswith("@") and path.is_file() and path.stat().st_mode & 0o077:
            found = f"{path} can be read by others"
            yield Finding("key", "warning", found, f"run `chmod 600 {path}`", partial(close, path))


def _device(settings: Settings) -> Finding:
    from retrieval.models.device import choose_device

    device = choose_device(settings)
    return Finding("device", "ok", f"{device.name}, {device.dtype}, {device.threads} threads")


def _model(role: Role, name: str, settings: Settings) -> Finding:
    from retrieval.models.catalogue import PACKAGED, from_folder, located, stands, unpacked

    if name == "none":
        return Finding(role, "ok", "none: the documents are quoted")
    if is_endpoint(name):
        return _endpoint(role, settings)
    if Path(name).is_dir():
        from_folder(Path(name))
        check_folder(role, Path(name))
        return Finding(role, "ok", f"{name}, a folder; its model card tells the licence")
    if name.lower() not in PACKAGED:
        return _from_hub(role, name)
    model = PACKAGED[name.lower()]
    target = unpacked(name.lower(), settings.models_folder)
    if stands(name.lower(), target, thoroughly=True):
        return Finding(role, "ok", f"{name}, unpacked, licence {model.licence}")
    try:
        for file in model.files:
            located(name.lower(), file)
    except ModelNotFoundError as error:
        damaged = f" ({target} is damaged)" if target.is_dir() else ""
        return Finding(role, "warning", f"{name}, from the hub at first use{damaged}", str(error))
    if model.unpack and target.is_dir():
        found = f"{name}, unpacked; {target} is not what was unpacked"
        mend = "it is unpacked anew when it is loaded"
        return Finding(role, "warning", found, mend, partial(_unpack_anew, name, settings))
    state = "not yet unpacked" if model.unpack else "ready"
    return Finding(role, "ok", f"{name}, installed, {state}, licence {model.licence}")


def _unpack_anew(name: str, settings: Settings) -> str:
    from retrieval.models.catalogue import discard_damaged, resolve

    discard_damaged((name,), settings.models_folder, lambda _: None)
    return f"{resolve(name, models_folder=settings.models_folder).path} is unpacked anew"


def _endpoint(role: Role, settings: Settings) -> Finding:
    told: list[str] = []
    if role == "generator":
        from retrieval.llm.remote import load_remote

        found = load_remote(settings, on_progress=told.append).check()
    elif role == "embedder":
        from retrieval.search.remote_embedding import RemoteEmbedder

        found = RemoteEmbedder(endpoint_of(role, settings)).check()
    else:
        from retrieval.search.remote_reranking import RemoteReranker

        found = RemoteReranker(endpoint_of(role, settings)).check()
    if told:
        return Finding(role, "warning", found, "; ".join(told))
    return Finding(role, "ok", found)


def _leaves(settings: Settings) -> Finding:
    """What goes to whom besides Slack."""
    roles = [role for role in _SENT if is_endpoint(getattr(settings, role))]
    if not roles:
        return Finding("leaving", "ok", "nothing leaves this machine but what the bot says")
    sent = [f"{_SENT[role]} to {urlsplit(getattr(settings, role)).netloc}" for role in roles]
    if settings.endpoints == "anywhere":
        limit = "; WHIMBREL_ENDPOINTS=private keeps endpoints within this network"
    else:
        limit = f"; WHIMBREL_ENDPOINTS={settings.endpoints} is kept"
    return Finding("leaving", "ok", f"besides what the bot says: {', '.join(sent)}{limit}")


def _is_without_models(settings: Settings) -> bool:
    named = (settings.embedder, settings.generator, settings.reranker)
    return all(name in (None, "none") or is_endpoint(name) for name in named)


def _from_hub(role: Role, name: str) -> Finding:
    from retrieval.models.catalogue import HUB_ID, PACKAGED

    if HUB_ID.fullmatch(name):
        return Finding(role, "ok", f"{name}, from the hub at first use, under the licence it names")
    mend = f"set WHIMBREL_{role.upper()} to a folder, a hub id or one of {', '.join(PACKAGED)}"
    return Finding(role, "missing", f"{name} is no model", mend)


def _index(settings: Settings) -> Finding:
    from retrieval.documents.loaders import LOADERS_VERSION
    from retrieval.index.store import index_store

    try:
        manifest = index_store(settings).check()
    except IndexCorruptError as error:
        fix = None if settings.index else partial(_mend_index, settings)
        return Finding("index", "missing", "damaged", str(error), fix)
    found = f"{manifest.name}: {manifest.documents} documents, {manifest.passages} passages"
    if manifest.cells:
        found += f"; of the vectors {manifest.cells}"
    if manifest.recipe.loaders != LOADERS_VERSION:
        mend = "run `whimbrel index`: documents may be public that are refused by now"
        return Finding("index", "warning", f"{found}, read by another version's loaders", mend)
    return Finding("index", "ok", found)


def _mend_index(settings: Settings) -> str:
    from retrieval.index.generation import mend
    from retrieval.registry.folders import building

    with building(settings.index_folder):
        return f"{mend(settings.index_folder).name} is built of its own passages and vectors"


def _source(name: str, settings: Settings) -> Finding:
    """Whether a source's settings can be used, and how its last sync ended; it is not asked."""
    from retrieval.sources.connector import connect, sources_of
    from retrieval.sources.syncing import results

    source = sources_of(settings)[name]
    connect(source).close()
    pulled = next(result for result in results(settings) if result.name == name)
    found, mend = f"{name} ({source.kind}): synced {pulled.ended}", f"run `whimbrel sync {name}`"
    if not pulled.ended:
        return Finding("source", "warning", f"{name} ({source.kind}): not synced yet", mend)
    if pulled.error:
        return Finding("source", "warning", f"{found}, not to the end: {pulled.error}", mend)
    return Finding("source", "ok", f"{found}, {len(pulled.left_out)} documents left out")


def _links(settings: Settings) -> Finding:
    from retrieval.index.store import index_store

    urls = [source.url for source in index_store(settings).sources()]
    limit = ", ".join(settings.link_hosts) or "any host over https, which is shown beside the link"
    mend = "name the hosts in WHIMBREL_LINK_HOSTS"
    if others := unlinked(urls, settings.links):
        found = f"{limit}; not linked: {', '.join(others[:HOSTS_SHOWN])}"
        return Finding("links", "warning", found, mend)
    hosts = sorted({host for url in urls if url and (host := host_of(url))})
    if hosts and not settings.link_hosts:
        found = f"{limit}; documents lead to: {', '.join(hosts[:HOSTS_SHOWN])}"
        return Finding("links", "warning", found, mend)
    return Finding("links", "ok", limit)


def _judge(settings: Settings) -> Finding:
    from retrieval.answering.judge import BEST_READ, find_judge
    from retrieval.registry.runs import base_of
    from retrieval.search.reading import readable

    readers = readable(settings.models_folder)
    can_read = any(id_.partition("@")[0] == settings.embedder for id_ in readers)
    judge = find_judge(settings.models_folder, can_read=can_read)
    if BEST_READ in judge.weights and base_of(judge.embedder) not in readers:
        found = f"it reads, and there is no reader for {judge.embedder}"
        return Finding("judge", "missing", found, "run `whimbrel calibrate FOLDER` again")
    reads = "reads the best hits, " if BEST_READ in judge.weights else ""
    found = f"{reads}answers from confidence {judge.threshold:.2f} on, calibrated on {judge.data}"
    if judge.embedder.partition("@")[0] != settings.embedder:
        mend = f"it was calibrated for {judge.embedder}; run `whimbrel calibrate FOLDER`"
        return Finding("judge", "warning", found, mend)
    return Finding("judge", "ok", found)
