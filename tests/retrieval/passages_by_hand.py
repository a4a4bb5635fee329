"""Passages and hits written out by hand, for tests that need a few exact ones."""

from __future__ import annotations

from retrieval.records import PUBLIC, Hit, Passage, Source


def passage(
    text: str,
    *,
    title: str = "Handbook",
    id: str = "",  # noqa: A002 (the record's own name)
    headings: tuple[str, ...] = (),
    audience: str = PUBLIC,
    url: str | None = None,
) -> Passage:
    source = Source(
        id=id or f"handbook/{title}.md",
        title=title,
        path="",
        language="en",
        sha256="",
        modified="",
        url=url,
        audience=audience,
    )
    return Passage(f"{title}:{text[:20]}", source, text, 0, len(text), headings=headings)


def hit(found: Passage, *, dense: float = 0.5, lexical: float = 1.0, rank: int = 1) -> Hit:
    return Hit(found, dense, dense, lexical, rank, rank)
