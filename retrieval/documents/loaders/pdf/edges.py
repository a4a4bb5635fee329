"""Finds the heads, feet and page numbers that run through a document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from statistics import median

from retrieval.documents.loaders.pdf.page import Page
from retrieval.documents.loaders.pdf.words import Row, rows_of

_MARGIN = 0.14
"""Of a page's height: running heads are nearer to the edge."""

_MAX_ROWS = 3
_MIN_PAGES = 3
_MIN_SHARE = 0.3
_NUMBER = re.compile(r"\d+|\b[ivxlc]+\b")
_ALONE = re.compile(r"(\d{1,4})(?: ?(?:/|of|von|sur|de) ?\d{1,4})?|[ivxlc]{1,8}")
_PAGE = "#"
"""The number of the page, and nothing that does not stand elsewhere."""
_CHAPTER = re.compile(r"^\W*(?:chapter|section|part|appendix)\W+(?=[\divxlc])")
_NO_TITLE = re.compile(r"[\W\d_]+")
_COUNTED = re.compile(
    r"(?:[\W\d_]|\b(?:[ivxlc]+|pages?|pag|pg|p|of|seite|s|von|página|pág|de|pagina|di|sur)\b|[第页頁共])++",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:section|chapter|part|step|appendix|annex|article|lesson|module|unit|exercise|question|"
    r"phase|stage|task|week|day|abschnitt|kapitel|teil|schritt|anhang|frage|aufgabe|lektion|étape|"
    r"chapitre|partie|capítulo|sección|paso|parte) (?:\d{1,3}|[ivxlc]{1,6})[.:]?|"
    r"第 ?\d{1,3} ?[章节節步条條部课課]",
    re.IGNORECASE,
)
"""What counts as pages do, and names what stands below it."""


def without_running_heads(pages: Sequence[Page], labels: Sequence[str]) -> list[Page]:
    """The pages without the lines at their edges that repeat; the first page with each keeps it.

    A line repeats where its text is the same, or differs in the page's own number alone. Numbers
    of pages are left out of the first page, too, by themselves and beside a title that stands
    elsewhere: heads that name a section hardly repeat.
    """
    read = list(pages)
    said = {_title(row.text) for page in pages for row in rows_of(page.words)[1:-1]}
    sizes = [median([word.size for word in page.words] or [0]) for page in pages]
    for is_head in (True, False):
        for _ in range(_MAX_ROWS):
            edges = [_edge(page, is_head=is_head) for page in read]
            again = Counter(row.text for row in edges if row)
            kinds = [
                row and _kind(row, n, labels[n], usual, said, is_again=again[row.text] > 1)
                for n, (row, usual) in enumerate(zip(edges, sizes, strict=True))
            ]
            counts = Counter(kind for kind in kinds if kind)
            running = {kind for kind, count in counts.items() if _runs(kind, count, len(pages))}
            if not running:
                break
            seen: set[tuple[str, int]] = set()
            for n, (kind, row) in enumerate(zip(kinds, edges, strict=True)):
                if row is None or kind not in running:
                    continue
                if kind in seen or kind[0] == _PAGE or _COUNTED.fullmatch(row.text):
                    read[n] = _without(read[n], row)
                seen.add(kind)
    return read


def _edge(page: Page, *, is_head: bool) -> Row | None:
    """The row at the edge, if it is in the margin and not all there is."""
    margin = _MARGIN * page.height
    if is_head:
        near = [word for word in page.words if word.middle < 2 * margin]
    else:
        near = [word for word in page.words if word.middle > page.height - 2 * margin]
    rows = rows_of(near)
    if not rows:
        return None
    row = rows[0] if is_head else rows[-1]
    middle = row.box.middle
    is_outside = middle < margin if is_head else middle > page.height - margin
    return row if is_outside else None


def _kind(
    row: Row, index: int, label: str, usual: float, said: Collection[str], *, is_again: bool
) -> tuple[str, int]:
    """What the row is on other pages too, if it runs through the document."""
    text, pieces = row.text, [piece.text for piece in row.pieces]
    numbers = _NUMBER.findall(text)
    for n in (0, len(pieces) - 1) if len(pieces) > 1 else ():
        if alone := _ALONE.fullmatch(pieces[n]):
            others = [*pieces[:n], *pieces[n + 1 :]]
            is_title = _title(" ".join(others)) in said
            kind = _PAGE if is_title else " ".join([*pieces[:n], "#", *pieces[n + 1 :]])
            return kind, _offset(alone[1], index)
    if _COUNTED.fullmatch(text) and numbers and (alone := _ALONE.fullmatch(numbers[0])):
        return _NUMBER.sub("#", text, count=1), _offset(alone[1], index)
    # Some lines are headings, whatever their number: `Step 1` on the first page.
    is_heading = row.box.size > usual or _HEADING.fullmatch(text) is not None
    # Where it stands elsewhere, the number is not the page's: `Release 12.18` on page 18.
    for own in () if is_heading or is_again else numbers[-1:] + numbers[:1]:
        if own in (str(index + 1), label):
            before, _, after = text.rpartition(own)
            return f"{before}#{after}", 0
    return text, 0


def _title(text: str) -> str:
    """What a heading and the mention of it have in common."""
    return _NO_TITLE.sub("", _CHAPTER.sub("", text.casefold()))


def _offset(number: str | None, index: int) -> int:
    return int(number) - index if number else 0


def _runs(kind: tuple[str, int], count: int, pages: int) -> bool:
    if _COUNTED.fullmatch(kind[0].replace("#", "0")):
        return count >= max(2, _MIN_SHARE * pages)
    # The head of a chapter is on its pages only; the number beside it tells what it is.
    return count >= (_MIN_PAGES if "#" in kind[0] else max(_MIN_PAGES, _MIN_SHARE * pages))


def _without(page: Page, row: Row) -> Page:
    box = row.box
    left = [
        word
        for word in page.words
        if not (box.top <= word.middle <= box.bottom and box.x0 <= word.x0 and word.x1 <= box.x1)
    ]
    return replace(page, words=left) if left else page
