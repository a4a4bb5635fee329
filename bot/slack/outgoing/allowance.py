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
        self._taken: deque[float] = deque(maxlen=calls)

    def take(self) -> bool:
        """Whether one more call may be made now; it then counts as made."""
        if not self.has_room():
            return False
        self.record()
        return True

    def has_room(self) -> bool:
        """Whether one more call may be made now."""
        now = self._clock()
        while self._taken and self._taken[0] <= now - PERIOD_S:
            self._taken.popleft()
        is_apart = not self._taken or now >= self._taken[-1] + self._gap_s
        return is_apart and len(self._taken) < self._calls

    def record(self) -> None:
        """A call is made, whether there is room for it or not."""
        self._taken.append(self._clock())
