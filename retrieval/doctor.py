"""What is missing for Whimbrel to work here, and how to mend it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from retrieval.errors import RetrievalError
from retrieval.settings import Settings, load_settings

FREE_GB = 4
"""Unpacked models, an index and its successor."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `mend` is what to do where it is not ok."""

    name: str
    state: Literal["ok", "warning", "missing"]
    found: str
    mend: str = ""


Check = Callable[[], Iterator[Finding]]
"""Packages register theirs in the entry-point group `whimbrel.checks`."""


def checks() -> Iterator[Finding]:
    """Look at Python, the settings, home, the device, the models, the index and the judge."""
    yield _python()
    try:
        settings = load_settings()
    except RetrievalError as error:
        yield Finding("settings", "missing", str(error), "correct the environment or whimbrel.toml")
        return
    yield Finding("settings", "ok", f"embedder {settings.embedder}, generator {settings.generator}")
    yield _home(settings)
    yield _device(settings)
    for role in ("embedder", "generator"):
        yield _model(role, getattr(settings, role), settings)
    yield _index(settings)
    yield _judge(settings)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{version} in {sys.prefix}")


def _home(settings: Settings) -> Finding:
    folder = settings.home.resolve()
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    found = f"{settings.home.resolve()}, {free_gb:.0f} GB free"
    if not os.access(folder, os.W_OK):
        return Finding("home", "missing", found, f"make {folder} writable or set WHIMBREL_HOME")
    if free_gb < FREE_GB:
        return Finding("home", "warning", found, f"free {FREE_GB} GB or set WHIMBREL_HOME")
    return Finding("home", "ok", found)


def _device(settings: Settings) -> Finding:
    from retrieval.models.device import choose_device

    device = choose_device(settings)
    return Finding("device", "ok", f"{device.name}, {device.dtype}, {device.threads} threads")


def _model(role: str, name: str, settings: Settings) -> Finding:
    from retrieval.models.catalogue import PACKAGED, located

    if name == "none":
        return Finding(role, "ok", "none: the documents are quoted")
    if Path(name).is_dir():
        return Finding(role, "ok", f"{name}, a folder")
    if name.lower() not in PACKAGED:
        return Finding(role, "ok", f"{name}, from the hub at first use")
    try:
        for file in PACKAGED[name.lower()].files:
            located(name, file)
    except RetrievalError as error:
        return Finding(role, "missing", name, str(error))
    unpacked = any(settings.models_folder.glob(f"{name}-*")) or PACKAGED[name].unpack is None
    return Finding(role, "ok", f"{name}, installed, {'' if unpacked else 'not yet '}unpacked")


def _index(settings: Settings) -> Finding:
    from retrieval.index import current, verify

    try:
        manifest = verify(current(settings.index_folder))
    except RetrievalError as error:
        return Finding("index", "missing", str(settings.index_folder), str(error))
    found = f"{manifest.name}: {manifest.documents} documents, {manifest.passages} passages"
    return Finding("index", "ok", found)


def _judge(settings: Settings) -> Finding:
    from retrieval.abstention import find_judge

    judge = find_judge(settings.models_folder)
    found = f"answers from confidence {judge.threshold:.2f} on, calibrated on {judge.data}"
    if judge.embedder.partition("@")[0] != settings.embedder:
        mend = f"it was calibrated for {judge.embedder}; run `whimbrel calibrate FOLDER`"
        return Finding("judge", "warning", found, mend)
    return Finding("judge", "ok", found)
