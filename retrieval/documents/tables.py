"""Rows of tables as a person reads them out: each cell after the head of its column."""

from __future__ import annotations

import re
from itertools import groupby

from retrieval.language import CJK

_ROW = re.compile(r"\s*\|.*\|\s*")
_RULE = re.compile(r"\s*\|(?:\s*:?-+:?\s*\|)+\s*")
_CELL_END = re.compile(r"(?<!\\)\|")
_LABELLED = re.compile(r"[^|:：]+[:：] [^|]*(?: \| [^|:：]+[:：] [^|]*)+")
_NUMBER = re.compile(r"\d")
_IS_CJK = re.compile(f"[{CJK}]")


def read_out(quote: str, text: str) -> str:
    """A quote of `text` with its table rows as `head: cell; head: cell`; the rest as it is.

    Rows whose table has no head in the text are their cells alone. A head that is quoted with its
    rows is not said by itself.
    """
    lines = quote.split("\n")
    heads = heads_of(text)
    with_rows = {heads[line.strip()] for line in lines if line.strip() in heads}
    said = []
    is_code = False
    for line in lines:
        row = line.strip()
        is_code ^= row.startswith("```")
        if is_labelled(line) and not is_code:
            said.append(line.replace(" | ", "；" if _IS_CJK.search(line) else "; "))
        elif not _ROW.fullmatch(line):
            said.append(line)
        elif not _RULE.fullmatch(line) and row not in with_rows:
            said.append(_row(row, heads.get(row, "")))
    return "\n".join(said)


def is_labelled(line: str) -> bool:
    """Whether a line is a row that names its columns, as those of long tables do."""
    return _ROW.fullmatch(line) is None and _LABELLED.fullmatch(line) is not None


def heads_of(text: str) -> dict[str, str]:
    """The head of each row's table, by the row.

    Loaders draw no rule below a head. There, a row is taken for one that has words where others
    have numbers, or nothing above the names of the rows.
    """
    heads: dict[str, str] = {}
    for is_row, lines in groupby(map(str.strip, text.split("\n")), key=_is_row):
        rows = [line for line in lines if is_row]
        is_ruled = any(map(_RULE.fullmatch, rows[1:2]))
        first, *others = [row for row in rows if not _RULE.fullmatch(row)] or [""]
        has_numbers = any(map(_NUMBER.search, others)) and not _NUMBER.search(first)
        if is_ruled or has_numbers or (first and not _cells(first)[0]):
            heads |= {row: first for row in others if row not in heads}
    return heads


def _is_row(line: str) -> bool:
    return _ROW.fullmatch(line) is not None


def as_sentences(text: str) -> str:
    """A text whose table rows end in a full stop: models read cells between bars for no sentence.

    Rows are as a loader draws them, between bars or with their columns named. Heads are not
    repeated, so that it is about as long as it was.
    """
    return "\n".join(map(_as_sentence, text.split("\n")))


def _as_sentence(line: str) -> str:
    if _RULE.fullmatch(line):
        return ""
    cells = cells_of(line)
    if not (_ROW.fullmatch(line) or is_labelled(line)):
        return line
    comma, stop = ("，", "。") if _IS_CJK.search(line) else (", ", ".")
    return comma.join(filter(None, cells)) + stop


def _row(row: str, head: str) -> str:
    cells, names = _cells(row), _cells(head)
    names += [""] * (len(cells) - len(names))
    colon, semicolon = ("：", "；") if _IS_CJK.search(row + head) else (": ", "; ")
    pairs = zip(names, cells, strict=False)
    return semicolon.join(f"{name}{colon}{cell}" if name else cell for name, cell in pairs if cell)


def cells_of(line: str) -> list[str]:
    """The cells of a row, with the names of their columns where it has them."""
    return _cells(line) if _ROW.fullmatch(line) else line.split(" | ")


def _cells(row: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(row)[1:-1]]
