"""Reads `corpus.jsonl`, a line of JSON for each document, as BEIR and rated logs have it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrieval.documents.loaders.blocks import Loaded, storable
from retrieval.errors import UnreadableError
from retrieval.records import Section

_TOLD = ("title", "url", "audience", "owner", "lang")

NAMES = frozenset(("corpus.jsonl", "corpus.jsonl.gz"))


def is_corpus(path: Path) -> bool:
    """Whether a file holds documents, one a line."""
    return path.name in NAMES


def load_corpus(data: bytes) -> list[Loaded]:
    """A document for each line: `_id`, `title`, `text`, and perhaps `url`, `audience`, `owner`.

    The text is taken as it is, without any Markdown.

    Raises:
        UnreadableError: If a line is something else; the message names it.
    """
    try:
        body = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        lines = body.decode().split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UnreadableError(f"is not UTF-8 text, plain or gzipped ({error})") from error
    return [_document(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _document(number: int, line: str) -> Loaded:
    try:
        return _loaded(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        wanted = f"has no JSON object with _id and text in line {number}"
        raise UnreadableError(f"{wanted} ({error})") from error


def _loaded(row: Mapping[str, Any]) -> Loaded:
    text = storable(str(row["text"])).strip()
    told = {name: str(row[name]) if row.get(name) else None for name in _TOLD}
    return Loaded(
        (Section(text, 0),) if text else (),
        title=told["title"],
        url=told["url"],
        audience=told["audience"],
        owner=told["owner"],
        language=told["lang"],
        part=str(row["_id"]),
    )
