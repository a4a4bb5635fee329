"""Vectors computed for a generation that is not written yet: a kill costs a few of them at most."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import numpy as np

from retrieval.records import Vectors
from retrieval.registry.folders import telling_full_disk
from retrieval.search.embedding import Embedder

NAME = ".embedded.jsonl"


class Write(Protocol):
    """Keeps the vectors of texts, by the texts' hashes."""

    def __call__(self, hashes: list[str], vectors: Vectors, /) -> None:
        """Keep row i as the vector of the text with hash i."""


def read(home: Path, embedder: Embedder) -> Mapping[str, Vectors]:
    """The vectors that this embedder made for an update that did not end, by the texts' hashes."""
    try:
        lines = (home / NAME).read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    found: dict[str, Vectors] = {}
    if not lines or lines[0] != json.dumps(_maker(embedder)):
        return found
    for line in lines[1:]:
        with suppress(ValueError, TypeError):  # a kill may have cut it off
            hash_, data = json.loads(line)
            vector = np.frombuffer(b64decode(data, validate=True), np.float32)
            if len(vector) == embedder.dimension:
                found[hash_] = vector
    return found


@contextmanager
def journal(home: Path, embedder: Embedder, known: Mapping[str, Vectors]) -> Iterator[Write]:
    """Keeps vectors as they come, after those that `read` gave."""
    with telling_full_disk(home), (home / NAME).open("a" if known else "w") as file:
        # An empty line ends what a kill has cut off.
        print("" if known else json.dumps(_maker(embedder)), file=file)

        def write(hashes: list[str], vectors: Vectors, /) -> None:
            for hash_, vector in zip(hashes, vectors, strict=True):
                print(json.dumps([hash_, b64encode(vector.tobytes()).decode()]), file=file)
            file.flush()

        yield write


def clear(home: Path) -> None:
    """Forget what was kept: it is in a generation now, or not wanted."""
    (home / NAME).unlink(missing_ok=True)


def _maker(embedder: Embedder) -> list[object]:
    return [embedder.id, embedder.revision, embedder.dimension]
