"""Finds headings among the blocks of a document: lines in bold letters, questions with answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from retrieval.documents.loaders.blocks import Block
from retrieval.documents.loaders.typed_headings import MAX_CHARS, MAX_LEVEL

_SEVERAL = 2
"""One alone may be anything."""

_STOPS = re.compile(r"[.!;,。！；，、]\s*\Z")
_LEAST_TYPED_LEVEL = 2
"""What is typed in bold letters is a part of the document, not what it is called."""

_CAPTION = re.compile(
    r"(?:figure|fig\.|table|equation|example|listing|[图表例])\s*[\dA-Z][\d.]*\b", re.IGNORECASE
)
"""What stands above a picture or a table says nothing of the text that follows."""

_MAX_NAME_CHARS = 60
_MARKS = " :：–—.-"
_NAMED = re.compile(rf"(?P<mark>\s?[:：–—.-])?[{_MARKS}]*[^{_MARKS}]")

_ANSWER = r"(?:A|Answer|答|答案|回答)\s?\d{0,3}\s?[.:：、]\s*"
_QUESTION = re.compile(
    r"(?:Q|Question|问|问题)\s?\d{0,3}\s?[.:：、]\s*(?P<asked>[^\n]{2,200}?)\s*"
    rf"(?:(?<!\w){_ANSWER}(?P<said>.*))?",
    re.DOTALL,
)
_ANSWERS = re.compile(_ANSWER)


def with_bold_lines(blocks: Iterable[Block]) -> list[Block]:
    """The blocks, where words in bold letters above others are headings, if there are several.

    They stand below the heading before them that is one. Paragraphs next to each other that begin
    with such words each get them for a heading below that, and keep them.
    """
    found = list(blocks)
    lines = {n for n, block in enumerate(found) if block.bold and _is_above(found, n)}
    lines = lines if len(lines) >= _SEVERAL else set()
    names = {n for run in _runs_of_named(found, lines) for n in run}
    made: list[Block] = []
    above = own = 0
    for n, block in enumerate(found):
        if block.level:
            above, own = block.level, 0
        if n in lines:
            line, _, rest = block.text.partition("\n")
            own = _below(above)
            made.append(replace(block, text=line, level=own))
            made += [replace(block, text=rest.strip())] if rest.strip() else []
        elif n in names:
            name = block.bold.rstrip(_MARKS)
            made += [replace(block, text=name, level=_below(own or above)), block]
        else:
            made.append(block)
    return made


def with_questions(blocks: Iterable[Block]) -> list[Block]:
    """The blocks, where questions marked as such are headings of their answers: `Q: …` `A: …`."""
    found = list(blocks)
    asked = {n: match for n in range(len(found)) if (match := _asked(found, n))}
    if len(asked) < _SEVERAL:
        return found
    made: list[Block] = []
    above, is_own = 0, False
    for n, block in enumerate(found):
        if n in asked:
            made.append(replace(block, text=asked[n]["asked"], level=_below(above), is_tight=False))
            said, is_own = asked[n]["said"], True
            made += [replace(block, text=said.strip())] if said and said.strip() else []
            continue
        if block.level:
            above, is_own = block.level, False
        begins = _ANSWERS.match(block.text) if is_own and made[-1].level else None
        made.append(replace(block, text=block.text[begins.end() :]) if begins else block)
    return made


def _below(level: int) -> int:
    return max(_LEAST_TYPED_LEVEL, min(level + 1, MAX_LEVEL))


def _is_above(blocks: Sequence[Block], n: int) -> bool:
    """Whether the first line of a block is short and stands above text."""
    line, _, rest = blocks[n].text.partition("\n")
    if (
        _CAPTION.match(line)
        or not _is_line(blocks[n])
        or len(line) > MAX_CHARS
        or _STOPS.search(line)
    ):
        return False
    after = blocks[n + 1] if n + 1 < len(blocks) else None
    return bool(rest.strip()) or (after is not None and not (after.level or _is_line(after)))


def _is_line(block: Block) -> bool:
    """Whether the first line of a block is in bold letters throughout."""
    line = block.text.partition("\n")[0]
    return bool(block.bold) and not block.level and " ".join(line.split()) == block.bold


def _runs_of_named(blocks: Sequence[Block], lines: set[int]) -> Iterator[list[int]]:
    """The paragraphs next to each other that each begin with a name in bold letters.

    Where no colon or dash is behind the names, it takes more of them.
    """
    named = {n: mark for n, block in enumerate(blocks) if (mark := _NAMED.match(_rest(block)))}
    run: list[int] = []
    for n in range(len(blocks) + 1):
        if n in named and n not in lines:
            run.append(n)
            continue
        if len(run) >= (_SEVERAL if all(named[m]["mark"] for m in run) else _SEVERAL + 1):
            yield run
        run = []


def _rest(block: Block) -> str:
    """What stands in a block behind a few words in bold letters; empty if it begins with none."""
    is_name = 0 < len(block.bold) <= _MAX_NAME_CHARS and not block.level
    is_first = is_name and not _CAPTION.match(block.bold) and block.text.startswith(block.bold)
    return block.text[len(block.bold.rstrip(_MARKS)) :] if is_first else ""


def _asked(blocks: Sequence[Block], n: int) -> re.Match[str] | None:
    """The question that a block begins with, if its answer stands there or in the next one."""
    match = None if blocks[n].level else _QUESTION.fullmatch(blocks[n].text)
    if match is None or match["said"] is not None:
        return match
    after = blocks[n + 1].text if n + 1 < len(blocks) else ""
    return match if _ANSWERS.match(after) else None
