from __future__ import annotations

from bot.slack.outgoing.allowance import Allowance


def test_no_minute_has_more_calls_than_are_allowed() -> None:
    now = 0.0
    allowance = Allowance(3, clock=lambda: now)
    granted = []
    for _ in range(2_000):
        now += 0.1
        if allowance.take():
            granted.append(now)
    assert len(granted) == 12
    assert all(
        later - earlier >= 59.9 for earlier, later in zip(granted, granted[3:], strict=False)
    )


def test_calls_can_be_kept_apart() -> None:
    now = 0.0
    allowance = Allowance(99, gap_s=0.7, clock=lambda: now)
    assert allowance.take()
    now = 0.6
    assert not allowance.take()
    now = 0.8
    assert allowance.take()
