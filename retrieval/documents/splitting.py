"""Splits documents into passages: never across headings, rarely inside a sentence."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from retrieval.language import sentence_spans
from retrieval.records import Document, Passage, Section, Source

SPLITTER_VERSION = 2
"""Raised whenever the same document would be split in another way: old indexes are then refused."""

Span = tuple[int, int]
TokenSpans = Callable[[str], list[Span]]

_SEAM_TOKENS = 8

_BLOCK = re.compile(r"\S.*?(?=\n[ \t]*\n|\Z)", re.DOTALL)
_LINE = re.compile(r"\S[^\n]*+")
_INDENT = re.compile(r"^[ \t]*+(?=\S)", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*+(`{3,}+|~{3,}+)([^\n]*+)$", re.MULTILINE)


def split(document: Document, *, token_spans: TokenSpans, max_tokens: int) -> list[Passage]:
    """The passages of a document in reading order; together they hold all that is not white.

    No passage crosses a section, however small: a heading belongs to exactly what is below it,
    and a page number is exact. Within a section passages break between blocks (paragraphs,
    tables, code), where a block is too long between its lines, of which those that stand further
    in go with the one above, where a line is too long between sentences, and where a sentence is
    too long between tokens. The passages of a section are about equally long.

    Args:
        document: The document to split.
        token_spans: Gives the (start, end) character spans of a text's tokens.
        max_tokens: Most tokens of a passage's `indexed_text`. When title and headings would take
            more than half of it, outer headings are left out; a title that still does makes
            the passage longer, for half of `max_tokens` is always left to the text.
    """
    return [
        passage
        for section in document.sections
        if section.text.strip()
        for passage in _Splitter(document.source, section, token_spans, max_tokens).passages()
    ]


class _Splitter:
    """Splits one section."""

    def __init__(
        self, source: Source, section: Section, token_spans: TokenSpans, max_tokens: int
    ) -> None:
        self._source = source
        self._token_spans = token_spans
        self._section, header = self._with_short_trail(section, max_tokens // 2)
        self._max_tokens = max(max_tokens, header + max_tokens // 2)
        self._budget = self._max_tokens - header

    def passages(self) -> Iterator[Passage]:
        text = self._section.text
        ruler = _Ruler(text, self._token_spans)
        yield from self._cut(_trim(text, 0, len(text)), ruler, self._budget)

    def _cut(self, span: Span, ruler: _Ruler, budget: int) -> Iterator[Passage]:
        for piece in _even(list(_atoms(ruler, span, budget)), ruler, budget):
            passage = self._passage(piece)
            tokens = ruler.count(*piece)
            excess = self._excess(passage, tokens)
            if excess > 0 and budget > 1 and piece[1] - piece[0] > 1:
                yield from self._cut(piece, ruler, max(1, min(budget, tokens) - excess))
            else:
                yield passage

    def _excess(self, passage: Passage, tokens: int) -> int:
        # The tokens of headings and text add up, but for a few where a cut or a seam makes others;
        # so only what comes near the limit must be tokenized a second time.
        if tokens + _SEAM_TOKENS <= self._budget:
            return 0
        return len(self._token_spans(passage.indexed_text)) - self._max_tokens

    def _with_short_trail(self, section: Section, max_tokens: int) -> tuple[Section, int]:
        while True:
            trail = Passage("", self._source, "", 0, 0, section.headings).indexed_text
            tokens = len(self._token_spans(trail))
            if tokens <= max_tokens or not section.headings:
                return section, tokens
            section = replace(section, headings=section.headings[1:])

    def _passage(self, span: Span) -> Passage:
        section, (start, end) = self._section, span
        text = section.text[start:end]
        first = section.start + start
        passage = Passage(
            id=_hash(f"{self._source.id}\0{first}\0{text}")[:16],
            source=self._source,
            text=text,
            start=first,
            end=section.start + end,
            headings=section.headings,
            page=section.page,
            anchor=section.anchor,
        )
        return replace(passage, content_hash=_hash(passage.indexed_text)[:32])


@dataclass(frozen=True, slots=True, init=False)
class _Ruler:
    """Counts the tokens in any stretch of a text that is tokenized once."""

    text: str
    starts: list[int]

    def __init__(self, text: str, token_spans: TokenSpans) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "starts", [start for start, _ in token_spans(text)])

    def count(self, start: int, end: int) -> int:
        return bisect_left(self.starts, end) - bisect_left(self.starts, start)

    def after(self, start: int, tokens: int) -> int:
        """Where the text goes on after so many tokens; always beyond `start`."""
        first = bisect_left(self.starts, start)
        cut = bisect_right(self.starts, start, min(first + tokens, len(self.starts)))
        return self.starts[cut] if cut < len(self.starts) else len(self.text)


def _atoms(ruler: _Ruler, span: Span, budget: int, *, depth: int = 0) -> Iterator[Span]:
    """The largest blocks, groups of lines, lines, sentences or runs of tokens that fit."""
    for piece in _CUTS[depth](ruler.text, *span):
        if ruler.count(*piece) <= budget:
            yield piece
        elif depth + 1 < len(_CUTS):
            yield from _atoms(ruler, piece, budget, depth=depth + 1)
        else:
            yield from _windows(ruler, piece, budget)


def _blocks(text: str, start: int, end: int) -> Iterator[Span]:
    """Fenced blocks, whatever empty lines they have, and what runs to the next empty line."""
    for first, last in (*_fenced(text, start, end), (end, end)):
        for match in _BLOCK.finditer(text, start, first):
            yield _trim(text, *match.span())
        if first < last:
            yield _trim(text, first, last)
        start = last


def _fenced(text: str, start: int, end: int) -> list[Span]:
    """Where fences are that end, each in a line of as many or more of the same marks alone."""
    fences = [*_FENCE.finditer(text, start, end)]
    longest = {"`": 0, "~": 0}
    is_closed = []
    for fence in reversed(fences):
        mark, rest = fence.groups()
        is_closed.append(longest[mark[0]] >= len(mark) and "`" not in rest)
        if not rest.strip():
            longest[mark[0]] = max(longest[mark[0]], len(mark))
    spans: list[Span] = []
    opened: re.Match[str] | None = None
    for fence, has_end in zip(fences, reversed(is_closed), strict=True):
        if opened is None:
            opened = fence if has_end else None
        elif fence[1].startswith(opened[1]) and not fence[2].strip():
            spans.append((opened.start(), fence.end()))
            opened = None
    return spans


def _groups(text: str, start: int, end: int) -> Iterator[Span]:
    """Lines with those below them that stand further in: items of lists, blocks of code."""
    # The first line has lost its indent, and is above all others.
    indents = [indent for indent in _INDENT.finditer(text, start, end) if indent.start() > start]
    least = min((len(indent[0]) for indent in indents), default=0)
    starts = (indent.start() for indent in indents if len(indent[0]) == least)
    for first, last in pairwise((start, *starts, end)):
        yield _trim(text, first, last)


def _lines(text: str, start: int, end: int) -> Iterator[Span]:
    for line in _LINE.finditer(text, start, end):
        yield _trim(text, *line.span())


def _sentences(text: str, start: int, end: int) -> Iterator[Span]:
    for first, last in sentence_spans(text[start:end]):
        yield start + first, start + last


_CUTS = (_blocks, _groups, _lines, _sentences)


def _windows(ruler: _Ruler, span: Span, budget: int) -> Iterator[Span]:
    start, end = span
    while start < end:
        cut = min(end, ruler.after(start, budget))
        first, last = _trim(ruler.text, start, cut)
        if first < last:
            yield first, last
        start = cut


def _even(spans: Sequence[Span], ruler: _Ruler, budget: int) -> list[Span]:
    """As few passages as the budget allows, the longest of them as short as it can be.

    Filling one after the other would leave a last passage of a few words.
    """
    packed = _pack(spans, ruler, budget)
    low, high = 1, budget if len(packed) > 1 else 1
    while low < high:
        middle = (low + high) // 2
        tighter = _pack(spans, ruler, middle)
        if len(tighter) > len(packed):
            low = middle + 1
        else:
            packed, high = tighter, middle
    return packed


def _pack(spans: Iterable[Span], ruler: _Ruler, budget: int) -> list[Span]:
    packed: list[Span] = []
    for start, end in spans:
        if packed and ruler.count(packed[-1][0], end) <= budget:
            packed[-1] = packed[-1][0], end
        else:
            packed.append((start, end))
    return packed


def _trim(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, max(start, start + len(piece.strip()))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
