"""Reads the text in pictures by OCR, where it is installed."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from importlib.util import find_spec
from statistics import fmean
from typing import TYPE_CHECKING

from retrieval.documents.loaders.pdf.words import Word

if TYPE_CHECKING:
    from faster_paddle import OcrEngine
    from PIL.Image import Image

MayRead = Callable[[], bool]
"""Asked before each page that is read by OCR, which takes seconds; whether there is time for it."""

IS_INSTALLED = find_spec("faster_paddle") is not None

MAX_SIDE = 3_000
"""In pixels: larger pictures are made smaller, which costs no letter that can be read."""

_MIN_CONFIDENCE = 0.5
_DOUBTFUL = 0.8
"""Below this confidence a page may be upside down."""


def words_in(picture: Image) -> list[Word]:
    """The lines of text in a picture, wherever is up, in pixels from its upper left corner."""
    words, confidence = _read(picture)
    is_sideways = sum(word.height > word.x1 - word.x0 for word in words) > len(words) / 2
    if is_sideways:
        turned = (_read(picture.rotate(degrees, expand=True)) for degrees in (90, 270))
        words, _ = max(turned, key=lambda found: found[1])
    elif confidence < _DOUBTFUL:
        upside_down = _read(picture.rotate(180))
        words = upside_down[0] if upside_down[1] > confidence else words
    return words


def _read(picture: Image) -> tuple[list[Word], float]:
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    encoded = io.BytesIO()
    picture.convert("RGB").save(encoded, "BMP")
    lines = list(_engine().ocr(encoded.getvalue())["bounds"].values())
    sure = [
        line for line in lines if line["confidence"] >= _MIN_CONFIDENCE and line["text"].strip()
    ]
    words = [
        Word(line["text"].strip(), float(x0), float(top), float(x1), float(bottom))
        for line in sure
        for (x0, top), (x1, bottom) in [(line["topLeftCoord"], line["bottomRightCoord"])]
    ]
    return words, fmean(line["confidence"] for line in lines) if lines else 1.0


@functools.cache
def _engine() -> OcrEngine:
    from faster_paddle import OcrEngine

    return OcrEngine(model_size="small", threads=1)
