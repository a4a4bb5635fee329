"""Immutable folders, made beside each other and published by one rename of a pointer.

Nothing here knows what the folders hold. A folder appears whole or not at all, whenever the power
fails; its name is never used again; readers follow the pointer and are never shown a mixture.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from retrieval.errors import BusyError, DiskFullError
from retrieval.private import make_private

POINTER = "current"
LOCK = "lock"
MOMENT = ".changing"

FULL_BYTES = 1 << 20
"""A disk with less space than this is full: files take whole blocks, and some are kept back."""

_UNFIT = re.compile(r"[^\w-]", re.ASCII)


@contextmanager
def building(home: Path) -> Iterator[None]:
    """Hold the right to change `home`; it is given back when the process ends, however it ends.

    Raises:
        BusyError: If another process or thread holds it.
    """
    # What is built may come from documents that not everybody may read.
    make_private(home)
    with (home / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"{home} is being built already; try again when that is done") from None
        yield


@contextmanager
def changing(home: Path) -> Iterator[None]:
    """Hold the right to read and rewrite what `home` notes, once nobody else does.

    For a moment: others wait, also a thread that holds it already.
    """
    make_private(home)
    with (home / MOMENT).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def new_folder(home: Path, *, name: str = "") -> Iterator[Path]:
    """A folder to fill; on leaving, it is flushed to the disk and takes its place in `home`.

    `name` is for what has one already, and was made elsewhere.

    The name that it is filled under is the later name with a dot in front. If filling fails, it is
    removed; what a process that was killed has left is removed by the next one.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    beside = home / f".{name or f'{stamp}-{secrets.token_hex(3)}'}"
    home.mkdir(parents=True, exist_ok=True)
    sweep(home)
    try:
        with _opened(home) as filling, telling_full_disk(home):
            fcntl.flock(filling, fcntl.LOCK_SH)
            beside.mkdir()
            yield beside
            for path in (*sorted(beside.rglob("*")), beside):
                _sync(path)
            beside.rename(home / beside.name[1:])
            _sync(home)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def sweep(home: Path) -> None:
    """Delete the half-filled folders in `home`, unless a process is filling one at the moment."""
    with _opened(home) as filling, suppress(OSError):  # the next one will
        fcntl.flock(filling, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in home.glob(f".{'?' * 21}-{'?' * 6}"):
            shutil.rmtree(path)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def telling_full_disk(folder: Path) -> Iterator[None]:
    """Replace what libraries make of a full disk, each in its own words, by what it is.

    Raises:
        DiskFullError: If the block fails and the disk of `folder` has no space left.
    """
    try:
        yield
    except Exception as error:
        is_told = os.strerror(errno.ENOSPC) in str(error)
        if not is_told and shutil.disk_usage(folder).free >= FULL_BYTES:
            raise
        raise DiskFullError(
            f"the disk of {folder} is full; free some space or set WHIMBREL_HOME to another disk"
        ) from error


def served(home: Path) -> Path | None:
    """The folder that the pointer names; None if nothing was published."""
    try:
        name = (home / POINTER).read_bytes().decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        name = ""
    # A damaged pointer names a folder that does not exist, and never one elsewhere.
    return home / (_UNFIT.sub("_", name) or "_")


def publish(home: Path, name: str) -> None:
    """Point at the folder `name`, keep the one served so far, and delete all the others."""
    previous = served(home)
    point(home, name)
    for path in home.iterdir():
        if path.is_dir() and path.name != name and path != previous:
            shutil.rmtree(path)


def point(home: Path, name: str) -> None:
    """Serve the folder `name` from now on and delete nothing."""
    if (home / POINTER).is_dir():  # somebody's mistake; no folder of ours is called so
        shutil.rmtree(home / POINTER)
    replace_text(home / POINTER, name + "\n")


def replace_text(path: Path, text: str) -> None:
    """Write a file that readers see either as it was or whole, whenever the power fails."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(text, encoding="utf-8")
    _sync(beside)
    beside.replace(path)
    _sync(path.parent)


def kept(home: Path) -> Path | None:
    """The newest folder that is not served and could be; None if there is none."""
    return max(others(home), default=None)


def drop_kept(home: Path) -> list[str]:
    """Delete every folder but the one that is served; the names of what was there."""
    dropped = sorted(others(home))
    for path in dropped:
        shutil.rmtree(path)
    return [path.name for path in dropped]


def others(home: Path) -> list[Path]:
    """Every folder but the one that is served, in no order."""
    not_others = (served(home), home / POINTER)
    return [path for path in home.glob("[!.]*") if path.is_dir() and path not in not_others]


def checksums(folder: Path) -> dict[str, str]:
    """The sha256 of every file below a folder, by its path with `/` separators."""
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with _opened(path) as descriptor:
        os.fsync(descriptor)
