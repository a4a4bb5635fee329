"""The manifest of a generation of the index: what it is, and what it was built from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from retrieval.errors import IndexCorruptError, IndexMismatchError
from retrieval.search.cells import CellSearch

SCHEMA: Literal[1] = 1
LAYOUT = 1
MANIFEST = "manifest.json"
SEAL = "manifest.sha256"
MEND = "run `whimbrel index --full`"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the passages and vectors of a file besides its bytes.

    `loaders` is 0 in what was written before the loaders had a version.
    """

    embedder: str
    revision: str
    splitter: int
    passage_tokens: int
    audiences: Mapping[str, str]
    loaders: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is.

    `competences` is how well the embedder knows each language, 0 to 1; `files` maps each file's
    path to the sha256 of its bytes. `closed` has the labels of the documents that are not for
    everybody, in case `documents.jsonl` is damaged; None in what older releases wrote. `cells` says
    how vectors are searched, None where all are compared. `layout` is of the files that make it
    faster to load; 0 in what older releases wrote.
    """

    schema: Literal[1]
    name: str
    created: str
    recipe: Recipe
    roots: tuple[str, ...]
    dimension: int
    documents: int
    passages: int
    competences: Mapping[str, float]
    probes: tuple[tuple[float, ...], ...]
    files: Mapping[str, str]
    closed: Mapping[str, str] | None = None
    cells: CellSearch | None = None
    layout: int = 0


_MANIFESTS = TypeAdapter(Manifest)


def read_manifest(generation: Path) -> Manifest:
    """The manifest of a generation.

    Raises:
        IndexCorruptError: If it is missing or is not what was written.
        IndexMismatchError: If another version of Whimbrel wrote it.
    """
    path = generation / MANIFEST
    try:
        body = path.read_bytes()
        seal = (generation / SEAL).read_bytes()
    except OSError as error:
        raise IndexCorruptError(f"{path} cannot be read ({error}); {MEND}") from error
    if seal != _seal(body):
        raise IndexCorruptError(f"{path} is not what was written; {MEND}")
    manifest = manifest_of(body, str(path))
    if manifest.name != generation.name:
        raise IndexCorruptError(f"{generation} holds the generation {manifest.name}; {MEND}")
    return manifest


def manifest_of(body: bytes, called: str) -> Manifest:
    """The manifest that was written as these bytes.

    Raises:
        IndexMismatchError: If another version of Whimbrel wrote it.
    """
    try:
        return _MANIFESTS.validate_python(json.loads(body))
    except ValueError as error:
        raise IndexMismatchError(f"{called} is of another version of Whimbrel; {MEND}") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest, and what tells whether it is as it was written."""
    told = json.dumps(asdict(manifest), ensure_ascii=False, indent=1)
    body = told.encode(errors="backslashreplace")  # a folder may be called what is no UTF-8
    (folder / MANIFEST).write_bytes(body)
    (folder / SEAL).write_bytes(_seal(body))


def _seal(body: bytes) -> bytes:
    return f"{hashlib.sha256(body).hexdigest()}  {MANIFEST}\n".encode()
