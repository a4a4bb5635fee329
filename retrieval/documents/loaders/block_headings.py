"""Finds headings among the blocks of a document: lines in bold letters, questions with answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from retrieval.documents.loaders.blocks import Block
from retrieval.documents.loaders.typed_headings import MAX_CHARS, MAX_LEVEL

_SEVERAL = 2
"""One alone may be anything."""

_STOPS = re.compile(r"[.!;,。！；，、]\s*\Z")
_LEAST_TYPED_LEVEL = 2
"""What is typed in bold letters is a part of the document, not what it is called."""

_ANSWER = r"(?:A|Answer|答|答案|回答)\s?\d{0,3}\s?[.:：、]\s*"
_QUESTION = re.compile(
    r"(?:Q|Question|问|问题)\s?\d{0,3}\s?[.:：、]\s*(?P<asked>[^\n]{2,200}?)\s*"
    rf"(?:(?<!\w){_ANSWER}(?P<said>.*))?",
    re.DOTALL,
)
_ANSWERS = re.compile(_ANSWER)


def with_bold_lines(blocks: Iterable[Block]) -> list[Block]:
    """The blocks, where lines in bold letters above others are headings, if there are several.

    They stand below the heading before them that is one.
    """
    found = list(blocks)
    bold = [n for n, block in enumerate(found) if block.is_bold and _is_above(found, n)]
    if len(bold) < _SEVERAL:
        return found
    made: list[Block] = []
    above = 0
    for n, block in enumerate(found):
        above = block.level or above
        if n in bold:
            line, _, rest = block.text.partition("\n")
            made.append(replace(block, text=line, level=_below(above)))
            made += [replace(block, text=rest.strip())] if rest.strip() else []
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
    if len(line) > MAX_CHARS or _STOPS.search(line) or blocks[n].level:
        return False
    after = blocks[n + 1] if n + 1 < len(blocks) else None
    return bool(rest.strip()) or (after is not None and not (after.level or after.is_bold))


def _asked(blocks: Sequence[Block], n: int) -> re.Match[str] | None:
    """The question that a block begins with, if its answer stands there or in the next one."""
    match = None if blocks[n].level else _QUESTION.fullmatch(blocks[n].text)
    if match is None or match["said"] is not None:
        return match
    after = blocks[n + 1].text if n + 1 < len(blocks) else ""
    return match if _ANSWERS.match(after) else None
