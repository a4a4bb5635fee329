"""Which process this is, so that another one on the same host can tell whether it has ended."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_ENDED = frozenset("ZX")
"""States of a process that does nothing any more, though somebody has yet to take note of it."""


def new_owner() -> str:
    """A name for a worker of this process; no other one, here or elsewhere, has the same."""
    return f"{_host()}/{os.getpid()}/{_start(os.getpid())}/{secrets.token_hex(4)}"


def has_ended(owner: str) -> bool:
    """Whether the process of an owner has surely ended; of another host's nobody here knows."""
    host, *rest = owner.split("/")
    if len(rest) != 3 or host != _host() or "?" in (host, rest[1]):
        return False
    pid, start, _ = rest
    return _start(int(pid)) not in (start, "?")


def _host() -> str:
    """This boot of this machine, as far as this process sees its processes."""
    try:
        return f"{_BOOT.read_text().strip()}:{_NAMESPACE.readlink()}"
    except OSError:
        return f"{socket.gethostname()}:?"


def _start(pid: int) -> str:
    """When a process began, in ticks since boot, so that a pid used again is told apart.

    Empty if there is none, or it has ended; `?` where the system does not tell.
    """
    if not _BOOT.exists():
        return "?"
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    except OSError:
        return "?"
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in _ENDED else fields[18]
