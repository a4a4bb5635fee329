"""Reads pictures: what is written on them, by OCR."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from retrieval.documents.loaders import ocr
from retrieval.documents.loaders.blocks import Block, Loaded, sections_of, table_text
from retrieval.documents.loaders.pdf.layout import Element, Text, elements_of
from retrieval.errors import UnreadableError

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURES = frozenset((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"))
"""The suffixes of pictures that OCR reads."""

SUFFIXES = PICTURES if ocr.IS_INSTALLED else frozenset()
"""Those that are read here."""

MAX_MEGAPIXELS = 80
_MIN_SIDE = 24


def load_picture(data: bytes, may_read: ocr.MayRead) -> list[Loaded]:
    """One document of what is written on a picture; those of several pages have a section for each.

    Raises:
        UnreadableError: If the picture is damaged, too large, or without any text.
    """
    blocks: list[Block] = []
    count = read = 0
    for count, page in enumerate(_pages(data), 1):
        if min(page.size) >= _MIN_SIDE and may_read():
            read += 1
            blocks += (_block(element, count) for element in elements_of(ocr.words_in(page)))
    if not blocks:
        raise UnreadableError("is a picture without any text that OCR can read")
    gap = "was read by OCR" if count == 1 else f"{read} of {count} pages were read by OCR"
    return [Loaded(sections_of(blocks), gaps=(gap,))]


def _block(element: Element, page: int) -> Block:
    if isinstance(element, Text):
        return Block(element.text, page=page, is_tight=element.is_tight)
    return Block(table_text(element.rows, has_header=True), page=page)


def _pages(data: bytes) -> Iterator[Image]:
    from PIL import Image, ImageOps, ImageSequence

    # The limit is ours, so that the reason is in our words.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(io.BytesIO(data)) as picture:
            for page in ImageSequence.Iterator(picture):
                megapixels = page.width * page.height / 1e6
                if megapixels > MAX_MEGAPIXELS:
                    raise UnreadableError(
                        f"is a picture of {megapixels:.0f} megapixels, more than {MAX_MEGAPIXELS}"
                    )
                yield ImageOps.exif_transpose(page)
    except (OSError, SyntaxError, ValueError) as error:
        raise UnreadableError(f"is a damaged picture ({error})") from error
