"""Writes Markdown of what other markups say, so that all are read by one reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from retrieval.documents.loaders.blocks import Loaded, one_line
from retrieval.documents.loaders.markup import load_markdown


def table(rows: Sequence[Sequence[str]], *, has_header: bool) -> str:
    """A table; without a header its first row is empty."""
    width = max(map(len, rows), default=0)
    if not width:
        return ""
    filled = [[*row, *[""] * (width - len(row))] for row in rows]
    head, *body = filled if has_header else [[""] * width, *filled]
    lines = [head, ["---"] * width, *body]
    return "\n".join(
        f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in line)} |"
        for line in lines
    )


def read_markdown(
    lines: Sequence[str],
    *,
    title: str | None = None,
    audience: str | None = None,
    gaps: tuple[str, ...] = (),
) -> list[Loaded]:
    """The documents of lines of Markdown, with what is known of them besides."""
    loaded = load_markdown("\n".join(lines).encode("utf-8", "replace"))
    return [
        replace(
            document,
            title=one_line(title) if title else document.title,
            audience=audience or document.audience,
            gaps=(*document.gaps, *gaps),
        )
        for document in loaded
    ]
