"""What Slack said a moment ago, so that it is not asked before every answer."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """Facts by the id of what they are about; each holds for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._facts: dict[str, tuple[float, T]] = {}

    def keep(self, id_: str, fact: T) -> T:
        """Let this hold from now on, and give it back."""
        self._facts[id_] = (time.monotonic() + self._seconds, fact)
        return fact

    def fresh(self, id_: str) -> T | None:
        """What holds now; None if Slack is to be asked."""
        until, fact = self._facts.get(id_, (0.0, None))
        return fact if time.monotonic() < until else None

    def latest(self, id_: str) -> T | None:
        """What Slack said last, however long ago."""
        return self._facts[id_][1] if id_ in self._facts else None
