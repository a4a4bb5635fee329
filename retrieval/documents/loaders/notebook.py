"""Reads Jupyter notebooks: text, code and what it printed, in their order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from retrieval.documents.loaders.as_markdown import read_markdown
from retrieval.documents.loaders.blocks import Loaded, fenced
from retrieval.documents.loaders.front_matter import other_names, refuse, told
from retrieval.documents.loaders.text import decode
from retrieval.errors import UnreadableError
from retrieval.labels import may_restrict, names_audience
from retrieval.records import PUBLIC

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def load_notebook(data: bytes) -> list[Loaded]:
    """One document; its own metadata, or front matter in its first cell, may name the audience.

    Raises:
        RestrictedError: If it may say who reads it, in a way that cannot be read for sure.
        UnreadableError: If it is no notebook.
    """
    try:
        notebook = json.loads(decode(data))
        cells, metadata = _cells(notebook), notebook.get("metadata") or {}
        language = str((metadata.get("language_info") or {}).get("name") or "")
    except (ValueError, AttributeError, TypeError) as error:
        raise UnreadableError("is not a notebook") from error
    refuse(filter(names_audience, other_names(metadata)))
    refuse(
        name
        for name, value in metadata.items()
        if name != "audience" and may_restrict(name) and isinstance(value, str) and value != PUBLIC
    )
    for cell in cells:
        refuse(filter(names_audience, [*other_names(cell), *(cell.get("metadata") or {})]))
    pieces = [piece for cell in cells for piece in _pieces(cell, language)]
    pictures = sum(_is_picture(output) for cell in cells for output in cell.get("outputs") or [])
    gaps = (f"{pictures} of its outputs are pictures only",) if pictures else ()
    label = told(metadata["audience"]) if "audience" in metadata else None
    return read_markdown(["\n\n".join(pieces)], audience=label, gaps=gaps)


def _cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    sheets = notebook.get("worksheets", [notebook])  # before version 4
    cells = [cell for sheet in sheets for cell in sheet.get("cells", [])]
    if "nbformat" not in notebook or not all(isinstance(cell, dict) for cell in cells):
        raise ValueError("no notebook")
    return cells


def _pieces(cell: dict[str, Any], language: str) -> Iterator[str]:
    source = _joined(cell.get("source", cell.get("input", "")))
    if cell.get("cell_type") == "heading":
        yield f"{'#' * int(cell.get('level', 1))} {source}"
    elif cell.get("cell_type") != "code":
        yield source
    elif source.strip():
        yield fenced(source, language)
    for output in cell.get("outputs") or []:
        if text := _printed(output).strip("\n"):
            yield fenced(text)


def _printed(output: dict[str, Any]) -> str:
    if "ename" in output:
        return f"{output['ename']}: {output.get('evalue', '')}"
    text = output.get("text") or (output.get("data") or {}).get("text/plain") or ""
    return "" if _is_picture(output) else _ESCAPES.sub("", _joined(text))


def _is_picture(output: dict[str, Any]) -> bool:
    kinds = [*(output.get("data") or output)]
    return any(kind.startswith("image/") or kind in ("png", "jpeg") for kind in kinds)


def _joined(text: object) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)
