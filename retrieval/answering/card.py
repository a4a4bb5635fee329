"""An answer as people read it in a terminal, and as machines read it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import asdict

import click
from rich.cells import cell_len

from retrieval.answering.phrases import phrase
from retrieval.documents.tables import read_out
from retrieval.language import CJK
from retrieval.records import Answer, Citation, Hit, Passage

_QUOTE_CHARS = 160

# What stays on one line: a word, or a CJK character with the punctuation that goes with it.
_PIECE = re.compile(rf"\s+|[（「『【《〈“]*[{CJK}][、。，．！？；：）」』】》〉”’…]*|[^\s{CJK}]+")


def terminal_width() -> int:
    """How many columns a line may have on standard output: no limit unless that is a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def wrap(text: str, width: int, *, column: int = 0) -> str:
    """Break lines at words, or between CJK characters, so that they fit into `width` columns.

    What is broken off keeps its line's indent. The text begins in `column`. A word that is longer
    than a line, such as an address, stays whole.
    """
    lines = []
    for line in text.split("\n"):
        indent = "" if column else line[: len(line) - len(line.lstrip(" "))]
        shown = ""
        for piece in _PIECE.findall(line):
            columns = cell_len(click.unstyle(piece))
            if column + columns <= width:
                shown, column = shown + piece, column + columns
            elif piece.isspace():
                column = width  # the next word breaks the line
            else:
                is_new = column <= len(indent)
                shown = shown + piece if is_new else f"{shown.rstrip(' ')}\n{indent}{piece}"
                column = len(indent) + columns
        lines.append(shown)
        column = 0
    return "\n".join(lines)


def render_card(answer: Answer) -> str:
    """The text, its sources with the supporting words, and one line on how it came about."""
    blocks = [answer.text]
    if answer.citations:
        lines = [_source(citation, answer.language) for citation in answer.citations]
        blocks.append("\n".join([_heading("sources", answer.language), *lines]))
    elif answer.nearest:
        lines = [f"  · {place(passage, answer.language)}" for passage in answer.nearest]
        blocks.append("\n".join([_heading("nearest", answer.language), *lines]))
    blocks.append(click.style(_footer(answer), dim=True))
    return "\n\n".join(blocks)


def place(passage: Passage, language: str) -> str:
    """Where a passage stands: title, headings, page, and its address or path."""
    trail = " › ".join(
        dict.fromkeys(part for part in (passage.source.title, *passage.headings) if part)
    )
    page = f", {phrase('page', language).format(passage.page)}" if passage.page else ""
    return f"{trail}{page} ({passage.link or passage.source.id})"


def render_hit(number: int, hit: Hit) -> str:
    """A hit of a search with its scores, by leg, and the beginning of its text."""
    legs = [
        f"{name} {score:.3f} (#{rank})"
        for name, score, rank in (
            ("dense", hit.dense, hit.dense_rank),
            ("lexical", hit.lexical, hit.lexical_rank),
        )
        if score is not None
    ]
    if hit.reranker is not None:
        legs.append(f"reranker {hit.reranker:.3f}")
    head = click.style(f"{number:>2}. {place(hit.passage, hit.passage.source.language)}", bold=True)
    return f"{head}\n    {hit.score:.4f} = {', '.join(legs)}\n    {_shorten(hit.passage.text)}"


def card_json(answer: Answer) -> str:
    """The whole answer as JSON, one line."""
    return json.dumps(asdict(answer), ensure_ascii=False)


def hit_json(hit: Hit) -> str:
    """A hit as JSON, one line."""
    return json.dumps(asdict(hit), ensure_ascii=False)


def _heading(name: str, language: str) -> str:
    return click.style(phrase(name, language), bold=True)


def _source(citation: Citation, language: str) -> str:
    return (
        f"  [{citation.number}] {place(citation.passage, language)}\n"
        f"      “{_shorten(read_out(citation.quote, citation.passage.text))}”"
    )


def _footer(answer: Answer) -> str:
    parts = [
        f"confidence {answer.confidence:.2f}",
        f"{answer.timings.get('total', 0):.1f} s",
        f"index {answer.generation}",
    ]
    if answer.method == "generated":
        parts.insert(0, f"written by {answer.generator}")
    elif answer.method == "extracted":
        parts.insert(0, "quoted from the documents")
    return " · ".join(parts)


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _QUOTE_CHARS else f"{line[: _QUOTE_CHARS - 1]}…"
