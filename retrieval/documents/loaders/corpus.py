"""Reads `corpus.jsonl`, a line of JSON for each document, as BEIR and rated logs have it."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from typing import Any

from retrieval.documents.loaders.blocks import FilePath, Loaded, storable
from retrieval.documents.loaders.front_matter import other_names, refuse
from retrieval.errors import DataError, RestrictedError, UnreadableError
from retrieval.jsonl import lines_of, made
from retrieval.labels import label_of, may_restrict
from retrieval.records import Section

_TOLD = ("title", "url", "owner", "lang")

NAMES = frozenset(("corpus.jsonl", "corpus.jsonl.gz"))


def is_corpus(path: FilePath) -> bool:
    """Whether a file holds documents, one a line."""
    return path.name in NAMES


def load_corpus(data: bytes) -> list[Loaded]:
    """A document for each line: `_id`, `title`, `text`, and perhaps `url`, `audience`, `owner`.

    The text is taken as it is, without any Markdown.

    Raises:
        RestrictedError: If a line may say who reads it, in a way that cannot be read for sure.
        UnreadableError: If a line is something else; the message names it.
    """
    file = io.BytesIO(data)
    plain = gzip.GzipFile(fileobj=file) if data.startswith(b"\x1f\x8b") else file
    try:
        return [made(where, line, _loaded) for where, line in lines_of(plain, "corpus.jsonl")]
    except DataError as error:
        raise UnreadableError(f"is not as documented: {error}") from error


def _loaded(row: Mapping[str, Any]) -> Loaded:
    text = storable(str(row["text"])).strip()
    told = {name: str(row[name]) if row.get(name) else None for name in _TOLD}
    where = f" of the document {row['_id']!r}"
    refuse(filter(may_restrict, other_names(row)), where=where)
    try:
        audience = label_of(row["audience"]) if "audience" in row else None
    except ValueError as error:
        raise RestrictedError(f"is not as documented: the {error}{where}") from error
    return Loaded(
        (Section(text, 0),) if text else (),
        title=told["title"],
        url=told["url"],
        audience=audience,
        owner=told["owner"],
        language=told["lang"],
        part=str(row["_id"]),
    )
