"""What long work tells of itself while it goes on."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and how much there is."""

Tell = Callable[[str], None]
"""Told in a line what is being done."""
