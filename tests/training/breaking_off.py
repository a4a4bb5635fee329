"""Learning that is broken off, as by a machine that goes down."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def break_off(learn: Callable[[Callable[[str], None]], object], at: str) -> None:
    """Let something learn until it tells of a line that begins like this."""

    def tell(line: str) -> None:
        if line.startswith(at):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(tell)
