"""Reads a page of a PDF: the words that can be seen on it, ruled lines, form values, comments."""

from __future__ import annotations

import ctypes
import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pypdfium2 as pdfium
import pypdfium2.raw as c

from retrieval.documents.loaders.pdf.annotations import Note, notes_on
from retrieval.documents.loaders.pdf.places import Handle, Place, Places
from retrieval.documents.loaders.pdf.ruled_tables import Line
from retrieval.documents.loaders.pdf.words import Word, spaced

_MAX_SIDE = 1_600
"""In pixels: pages are drawn no larger to find out what can be seen on them."""

_MIN_CONTRAST = 20
"""Of 255: letters that differ less from what is around them are not seen."""

_MIN_SIZE = 1.5
_LARGE = 0.15
"""Of a page: smaller pictures are taken for logos and icons."""

_FEW_LETTERS = 100
_MAX_OBJECTS = 20_000
_MAX_SEGMENTS = 2_000
_MAX_LINES = 5_000
_MAX_DEPTH = 8
_THIN = 3.0
_INVISIBLE = c.FPDF_TEXTRENDERMODE_INVISIBLE
_LIGATURES = range(0xFB00, 0xFB07)
_HYPHENS = frozenset((0x02, 0xAD, 0x2010, 0xFFFE))
_SPACES = frozenset((0x20, 0xA0, 0x09, 0x0A, 0x0D, 0x3000, 0x200B))

Pixels = npt.NDArray[np.uint8]  # shape (height, width, 3), red first


@dataclass(frozen=True, slots=True)
class Page:
    """What is on a page; `hidden` counts the words that are there but cannot be seen.

    `is_picture` where hardly anything on it is text. Letters of no known meaning are none.
    `has_picture` where a large one stands beside the text.
    """

    height: float
    words: list[Word] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hidden: int = 0
    is_picture: bool = False
    has_picture: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """A word where the page displays it; `turn` in quarters, against the clock, None if askew."""

    text: str
    place: Place
    turn: int | None
    size: float
    first: int

    def word(self, place: Place) -> Word:
        """It as a word at this place."""
        return Word(self.text, *place, size=self.size)


def read_page(page: pdfium.PdfPage, form: pdfium.PdfFormEnv | None) -> Page:
    """The page as it is seen, turned so that most of its text is upright."""
    places = Places(page)
    text = page.get_textpage()
    found = list(_words(text, places))
    eye = _Eye(page, text)
    seen = [word for word in found if eye.sees(word)]
    hidden = len(found) - len(seen)
    if _is_unmapped(text, found):
        seen = []
    turn = Counter(word.turn for word in seen).most_common(1)[0][0] if seen else 0
    upright = places.turned(turn or 0)
    words = [word.word(upright(word.place)) for word in seen if word.turn == turn]
    notes = [replace(note, place=upright(places(note.place))) for note in notes_on(page, form)]
    words = _linked(words, [note for note in notes if note.url])
    words += [Word(note.text, *note.place) for note in notes if note.is_value]
    # What is turned otherwise than the rest is in nobody's line.
    aside = spaced([word.word(upright(word.place)) for word in seen if word.turn != turn])
    comments = [note.text for note in notes if not note.is_value and not note.url]
    lines, pictures = _drawing(page, places)
    area = math.prod(places.size)
    is_sparse = sum(len(word.text) for word in words) < _FEW_LETTERS
    is_covered = not words or sum(map(_area, pictures)) > 0.5 * area
    is_picture = is_sparse and is_covered and not eye.is_blank
    large = [place for place in pictures if _area(place) >= _LARGE * area]
    return Page(
        places.size[((turn or 0) + 1) % 2],
        words,
        [_line(upright(place)) for place in lines],
        [*([aside] if aside else []), *comments],
        hidden,
        is_picture,
        not is_picture and any(not _holds_words(place, found) for place in large),
    )


def _area(place: Place) -> float:
    x0, y0, x1, y1 = place
    return max(x1 - x0, 0) * max(y1 - y0, 0)


def _holds_words(picture: Place, found: Sequence[_Found]) -> bool:
    """Whether text stands on a picture, as a scanner puts it behind one, or on a background."""
    x0, y0, x1, y1 = picture
    return any(
        x0 <= (word.place[0] + word.place[2]) / 2 <= x1
        and y0 <= (word.place[1] + word.place[3]) / 2 <= y1
        for word in found
    )


def drawn(page: pdfium.PdfPage, scale: float) -> Pixels:
    """The page as a picture, `scale` pixels for each point."""
    bitmap = page.render(scale=scale, rev_byteorder=True)
    return np.ascontiguousarray(bitmap.to_numpy()[:, :, :3])


def _words(text: pdfium.PdfTextPage, places: Places) -> Iterator[_Found]:
    codes: list[int] = []
    box: list[float] = []
    first = 0
    rect = c.FS_RECTF()
    for n in range(c.FPDFText_CountChars(text)):
        code = c.FPDFText_GetUnicode(text, n)
        is_space = code in _SPACES or (code < 0x20 and code not in _HYPHENS)
        if not is_space and c.FPDFText_GetLooseCharBox(text, n, rect):
            if codes and _is_apart(box, rect):
                yield _found(text, places, codes, box, first)
                codes = []
            if not codes:
                first, box = n, [rect.left, rect.bottom, rect.right, rect.top]
            codes.append(0x2D if code in _HYPHENS else code)
            box = [
                min(box[0], rect.left),
                min(box[1], rect.bottom),
                max(box[2], rect.right),
                max(box[3], rect.top),
            ]
        elif codes:
            yield _found(text, places, codes, box, first)
            codes = []
    if codes:
        yield _found(text, places, codes, box, first)


def _is_apart(box: Sequence[float], rect: Handle) -> bool:
    # Along whichever way the text runs, a letter stands beside the word or it is of another.
    height = min(rect.top - rect.bottom, rect.right - rect.left, 1_000) + 1
    size = max(rect.top - rect.bottom, rect.right - rect.left)
    across = max(rect.left - box[2], box[0] - rect.right)
    along = max(rect.bottom - box[3], box[1] - rect.top)
    return bool(max(across, along) > 0.5 * max(height, 0.6 * size))


def _found(
    text: pdfium.PdfTextPage, places: Places, codes: list[int], box: list[float], first: int
) -> _Found:
    units = b"".join(
        code.to_bytes(2, "little") if code < 0x10000 else chr(code).encode("utf-16-le")
        for code in codes
    )
    word = units.decode("utf-16-le", "replace")
    word = "".join(
        unicodedata.normalize("NFKC", letter) if ord(letter) in _LIGATURES else letter
        for letter in word
    )
    quarters = c.FPDFText_GetCharAngle(text, first) / (math.pi / 2)
    is_askew = abs(quarters - round(quarters)) > 0.1
    turn = None if is_askew else (-round(quarters) - places.rotation) % 4
    matrix = c.FS_MATRIX()
    c.FPDFText_GetMatrix(text, first, matrix)
    size = c.FPDFText_GetFontSize(text, first) * math.hypot(matrix.c, matrix.d)
    return _Found(word, places((box[0], box[1], box[2], box[3])), turn, size, first)


class _Eye:
    """Sees what is on a page once it is drawn."""

    def __init__(self, page: pdfium.PdfPage, text: pdfium.PdfTextPage) -> None:
        self._text = text
        self._size = page.get_size()
        self._scale = min(1.0, _MAX_SIDE / max(*self._size, 1))
        self._pixels = drawn(page, self._scale).astype(np.int16)

    @property
    def is_blank(self) -> bool:
        """Whether nothing is drawn on the page."""
        return int(self._pixels.max()) - int(self._pixels.min()) < _MIN_CONTRAST

    def sees(self, word: _Found) -> bool:
        """Whether a reader can see the word."""
        x0, top, x1, bottom = word.place
        x, y = (x0 + x1) / 2, (top + bottom) / 2
        if not (0 <= x <= self._size[0] and 0 <= y <= self._size[1]):
            return False
        if max(bottom - top, word.size) < _MIN_SIZE:
            return False
        if not any(map(str.isalnum, word.text)):
            return True
        can_draw, is_painted = self._paint(word)
        # Fonts that are not in the file may be missing here, and then draw nothing.
        return self._differs(word.place) if can_draw or not is_painted else True

    def _paint(self, word: _Found) -> tuple[bool, bool]:
        shown = c.FPDFText_GetTextObject(self._text, word.first)
        if not shown:
            return False, True
        font = c.FPDFTextObj_GetFont(shown)
        can_draw = c.FPDFFont_GetIsEmbedded(font) == 1 or max(map(ord, word.text)) < 0x250
        red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
        c.FPDFPageObj_GetFillColor(shown, red, green, blue, alpha)
        is_painted = (
            c.FPDFTextObj_GetTextRenderMode(shown) != _INVISIBLE
            and alpha.value > 40
            and min(red.value, green.value, blue.value) < 225
        )
        return can_draw, is_painted

    def _differs(self, place: Place) -> bool:
        x0, top, x1, bottom = (side * self._scale for side in place)
        inset = 0.2 * (bottom - top) if bottom - top < x1 - x0 else 0
        rows = slice(max(int(top + inset), 0), max(math.ceil(bottom - inset), int(top) + 1))
        columns = slice(max(int(x0), 0), max(math.ceil(x1), int(x0) + 1))
        pixels = self._pixels[rows, columns].reshape(-1, 3)
        return len(pixels) > 0 and int((pixels.max(0) - pixels.min(0)).max()) >= _MIN_CONTRAST


def _is_unmapped(text: pdfium.PdfTextPage, words: Sequence[_Found]) -> bool:
    odd = sum(c.FPDFText_HasUnicodeMapError(text, word.first) == 1 for word in words)
    return bool(odd > 0.5 * len(words))


def _linked(words: list[Word], links: Sequence[Note]) -> list[Word]:
    """The words, of which the last of each link is followed by where it leads."""
    for n, link in enumerate(links):
        goes_on = n + 1 < len(links) and links[n + 1].url == link.url
        x0, top, x1, bottom = link.place
        inside = [
            number
            for number, word in enumerate(words)
            if x0 - 1 <= (word.x0 + word.x1) / 2 <= x1 + 1 and top - 1 <= word.middle <= bottom + 1
        ]
        said = "".join(words[number].text for number in inside)
        if inside and not goes_on and said.strip("/") not in link.url:
            last = words[inside[-1]]
            where = f" ({link.url})"  # which another link in the same place may have said
            words[inside[-1]] = replace(last, text=last.text.removesuffix(where) + where)
    return words


def _drawing(page: pdfium.PdfPage, places: Places) -> tuple[list[Place], list[Place]]:
    """The straight lines, as places without a width or a height, and the pictures."""
    lines: list[Place] = []
    pictures: list[Place] = []
    box = [ctypes.c_float() for _ in range(4)]
    for n, (shown, matrix) in enumerate(_objects(page)):
        if n > _MAX_OBJECTS:
            break
        kind = c.FPDFPageObj_GetType(shown)
        if kind == c.FPDF_PAGEOBJ_PATH and len(lines) <= _MAX_LINES:
            lines += [places(_moved(place, matrix)) for place in _strokes(shown)]
        elif kind == c.FPDF_PAGEOBJ_IMAGE and c.FPDFPageObj_GetBounds(shown, *box):
            left, bottom, right, top = (side.value for side in box)
            pictures.append(places(_moved((left, bottom, right, top), matrix)))
    return lines if len(lines) <= _MAX_LINES else [], pictures


_Matrix = tuple[float, float, float, float, float, float]


def _objects(page: pdfium.PdfPage) -> Iterator[tuple[Handle, _Matrix]]:
    """Every object on the page with the matrix of the forms that it is in."""
    waiting: list[tuple[Handle, _Matrix, int]] = [
        (c.FPDFPage_GetObject(page, n), (1, 0, 0, 1, 0, 0), 0)
        for n in range(min(c.FPDFPage_CountObjects(page), _MAX_OBJECTS))
    ]
    while waiting:
        shown, matrix, depth = waiting.pop()
        if c.FPDFPageObj_GetType(shown) != c.FPDF_PAGEOBJ_FORM:
            yield shown, matrix
        elif depth < _MAX_DEPTH:
            inner = _times(_matrix(shown), matrix)
            count = min(c.FPDFFormObj_CountObjects(shown), _MAX_OBJECTS - len(waiting))
            waiting += [(c.FPDFFormObj_GetObject(shown, n), inner, depth + 1) for n in range(count)]


def _strokes(path: Handle) -> Iterator[Place]:
    count = c.FPDFPath_CountSegments(path)
    mode, is_stroked = ctypes.c_int(), ctypes.c_int()
    c.FPDFPath_GetDrawMode(path, mode, is_stroked)
    if count > _MAX_SEGMENTS or not (mode.value or is_stroked.value):
        return
    matrix = _matrix(path)
    x, y = ctypes.c_float(), ctypes.c_float()
    points: list[tuple[float, float]] = []
    for n in range(count):
        segment = c.FPDFPath_GetPathSegment(path, n)
        c.FPDFPathSegment_GetPoint(segment, x, y)
        kind = c.FPDFPathSegment_GetType(segment)
        if kind == c.FPDF_SEGMENT_MOVETO:
            yield from _sides(points)
            points = []
        points.append(_point((x.value, y.value), matrix))
        if c.FPDFPathSegment_GetClose(segment):
            points.append(points[0])
        if kind == c.FPDF_SEGMENT_BEZIERTO:
            points = points[-1:]
    yield from _sides(points)


def _sides(points: Sequence[tuple[float, float]]) -> Iterator[Place]:
    if len(points) < 2:
        return
    xs, ys = zip(*points, strict=True)
    x0, y0, x1, y1 = min(xs), min(ys), max(xs), max(ys)
    # Programs draw lines as thin boxes.
    if x1 - x0 <= _THIN or y1 - y0 <= _THIN:
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        yield (x, y0, x, y1) if y1 - y0 > x1 - x0 else (x0, y, x1, y)
        return
    for (ax, ay), (bx, by) in pairwise(points):
        if abs(ax - bx) < 0.5 or abs(ay - by) < 0.5:
            yield min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)


def _line(place: Place) -> Line:
    x0, top, x1, bottom = place
    if bottom - top > x1 - x0:
        return Line(is_upright=True, at=x0, start=top, end=bottom)
    return Line(is_upright=False, at=top, start=x0, end=x1)


def _matrix(shown: Handle) -> _Matrix:
    matrix = c.FS_MATRIX()
    if not c.FPDFPageObj_GetMatrix(shown, matrix):
        return 1, 0, 0, 1, 0, 0
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _times(first: _Matrix, second: _Matrix) -> _Matrix:
    a, b = _point((first[0], first[1]), (*second[:4], 0, 0))
    d, e = _point((first[2], first[3]), (*second[:4], 0, 0))
    x, y = _point((first[4], first[5]), second)
    return a, b, d, e, x, y


def _point(point: tuple[float, float], matrix: _Matrix) -> tuple[float, float]:
    x, y = point
    a, b, d, e, f, g = matrix
    return a * x + d * y + f, b * x + e * y + g


def _moved(place: Place, matrix: _Matrix) -> Place:
    corners = [_point(corner, matrix) for corner in ((place[0], place[1]), (place[2], place[3]))]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
