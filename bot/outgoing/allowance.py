"""How many calls of a kind Slack still takes from us in this minute."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

PERIOD_S = 60.0


class Allowance:
    """At most so many calls in any minute, `gap_s` apart; who gets none does without."""

    def __init__(
        self, calls: int, *, gap_s: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._calls = calls
        self._gap_s = gap_s
        self._clock = clock
        self._taken: deque[float] = deque()

    def take(self) -> bool:
        """Whether one more call may be made now; it then counts as made."""
        now = self._clock()
        while self._taken and self._taken[0] <= now - PERIOD_S:
            self._taken.popleft()
        if len(self._taken) >= self._calls or (self._taken and now < self._taken[-1] + self._gap_s):
            return False
        self._taken.append(now)
        return True
