"""What it takes to ask a model."""

from __future__ import annotations

from dataclasses import dataclass

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """How often a model is asked, how many tokens it reads and writes, and what it takes in all."""

    calls: int = 0
    tokens_read: int = 0
    tokens_written: int = 0
    seconds: float = 0.0

    def of(self, price: tuple[float, float]) -> float:
        """What that costs at a price for a million tokens read, and a million written."""
        return (self.tokens_read * price[0] + self.tokens_written * price[1]) / MILLION
