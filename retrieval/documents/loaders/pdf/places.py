"""Where things on a page of a PDF are once the page is displayed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as c

Handle = Any
"""One of PDFium's pointers or structures, which have no types."""

Place = tuple[float, float, float, float]
"""Left, top, right and bottom, in points from the upper left corner of the page as displayed.

In the page's own space, whose origin is anywhere: left, bottom, right and top.
"""

_FINE = 100
"""PDFium answers in whole pixels; these many make a point."""


class Places:
    """Turns places in the page's own space into those where they are displayed."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        self.size: tuple[float, float] = page.get_size()
        self.rotation: int = page.get_rotation() // 90
        origin, right, up = (self._at(page, *point) for point in ((0, 0), (1000, 0), (0, 1000)))
        self._origin = origin
        self._right = tuple((a - b) / 1000 for a, b in zip(right, origin, strict=True))
        self._up = tuple((a - b) / 1000 for a, b in zip(up, origin, strict=True))

    def __call__(self, place: Place) -> Place:
        """Where a place in the page's own space is displayed."""
        corners = [
            [o + r * x + u * y for o, r, u in zip(self._origin, self._right, self._up, strict=True)]
            for x, y in ((place[0], place[1]), (place[2], place[3]))
        ]
        (ax, ay), (bx, by) = corners
        return min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)

    def turned(self, quarters: int) -> Callable[[Place], Place]:
        """Turns displayed places until text that runs `quarters` against the clock is upright."""
        width, height = self.size

        def upright(place: Place) -> Place:
            x0, top, x1, bottom = place
            if quarters == 1:
                return height - bottom, x0, height - top, x1
            if quarters == 2:
                return width - x1, height - bottom, width - x0, height - top
            if quarters == 3:
                return top, width - x1, bottom, width - x0
            return place

        return upright

    def _at(self, page: pdfium.PdfPage, x: float, y: float) -> tuple[float, float]:
        across, down = ctypes.c_int(), ctypes.c_int()
        width, height = (int(side * _FINE) for side in self.size)
        c.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, across, down)
        return across.value / _FINE, down.value / _FINE
