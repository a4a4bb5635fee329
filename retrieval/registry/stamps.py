"""Remembers which files have been checked, so that whoever comes next need not read them again.

A file counts as the same while its size, its place on the disk and its times of change are: a
write, a copy or a replacement changes one of those, though it may give back the time that it shows.
What changes on a disk by itself is found by a full check alone.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

NOTE = ".checked"

SETTLED_NS = 2_000_000_000
"""What changed less long ago may change again at what is the same time for the system."""

Stamps = Mapping[str, Sequence[int]]
"""What tells whether files are the same later, by their names; nothing for one that is missing."""


def stamps(folder: Path, names: Iterable[str]) -> Stamps:
    """Those of some files below a folder."""
    return {name: _stamp(folder / name) for name in names}


def _stamp(path: Path) -> Sequence[int]:
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def are_noted(folder: Path, found: Stamps) -> bool:
    """Whether files that are like this have been checked."""
    try:
        noted = json.loads((folder.parent / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(noted == {"folder": folder.name, "files": found})


def note(folder: Path, found: Stamps, *, settled_ns: int = SETTLED_NS) -> None:
    """Note that files are whole, by their stamps from before they were checked.

    Nothing is noted where a file has changed less than `settled_ns` ago.
    """
    if any(not stamp or stamp[-1] > time.time_ns() - settled_ns for stamp in found.values()):
        return
    path = folder.parent / NOTE
    with suppress(OSError):  # whoever may not write here checks each time
        beside = path.with_name(f"{NOTE}.{os.getpid()}")
        beside.write_text(json.dumps({"folder": folder.name, "files": found}), encoding="utf-8")
        beside.replace(path)
