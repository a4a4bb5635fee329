"""What Slack said a moment ago, so that it is not asked before every answer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """Facts by the id of what they are about; each holds for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._facts: dict[str, tuple[float, T]] = {}
        self._forgotten: Counter[str] = Counter()

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

    def forget(self, id_: str) -> None:
        """Let nothing hold that was said up to now, nor what Slack is being asked just now."""
        self._facts.pop(id_, None)
        self._forgotten[id_] += 1

    async def ask(self, id_: str, slack: Callable[[], Awaitable[T | None]]) -> T | None:
        """What holds now, from Slack where it is not known; None where Slack does not say."""
        while (fact := self.fresh(id_)) is None:
            before = self._forgotten[id_]
            said = await slack()
            if before != self._forgotten[id_]:
                continue  # it changed while we asked
            return None if said is None else self.keep(id_, said)
        return fact
