"""What an index is made of: documents, passages, vectors, what was not read; and their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from retrieval.index.passages import read_passages, write_passages
from retrieval.jsonl import read_rows, to_line, write_lines
from retrieval.records import Failure, LeftOut, Passage, Source, Vectors


@dataclass(frozen=True, slots=True)
class Content:
    """What an index is made of. Row i of `vectors` belongs to `passages[i]`."""

    sources: Sequence[Source]
    passages: Sequence[Passage]
    failures: Sequence[Failure]
    vectors: Vectors
    left_out: Sequence[LeftOut] = ()

    def is_same(self, other: Content) -> bool:
        """Whether both have the same documents and passages, and the same that was not read."""
        mine = (self.sources, self.passages, self.failures, [*self.left_out])
        return mine == (other.sources, other.passages, other.failures, [*other.left_out])


SOURCES = "documents.jsonl"
FAILURES = "failures.jsonl"
LEFT_OUT = "left_out.jsonl"
VECTORS = "vectors.npy"

EMPTY = Content([], [], [], np.empty((0, 0), dtype=np.float32))

_SOURCES = TypeAdapter(Source)
_FAILURES = TypeAdapter(Failure)
_LEFT_OUT = TypeAdapter(LeftOut)


def write_content(folder: Path, content: Content) -> None:
    """Write documents, passages, failures and what was left out as .jsonl, and vectors.npy."""
    for name, rows in (
        (SOURCES, map(asdict, content.sources)),
        (FAILURES, map(asdict, content.failures)),
        (LEFT_OUT, map(asdict, content.left_out)),
    ):
        write_lines(folder / name, map(to_line, rows))
    write_passages(folder, content.sources, content.passages)
    np.save(folder / VECTORS, content.vectors, allow_pickle=False)


def read_sources(generation: Path) -> list[Source]:
    """The documents that a generation was made from."""
    return list(read_rows(generation / SOURCES, source_of))


def read_failures(generation: Path) -> list[Failure]:
    """The files that could not be read for a generation."""
    return list(read_rows(generation / FAILURES, failure_of))


def read_left_out(generation: Path) -> list[LeftOut]:
    """The files that were not looked into for a generation; none of an old one."""
    path = generation / LEFT_OUT
    return list(read_rows(path, left_out_of)) if path.exists() else []


def read_content(generation: Path) -> Content:
    """What `write_content` wrote into the folder of a generation, trusting every byte."""
    sources = read_sources(generation)
    return Content(
        sources=sources,
        passages=[*read_passages(generation, sources)],
        failures=read_failures(generation),
        vectors=np.load(generation / VECTORS, allow_pickle=False),
        left_out=read_left_out(generation),
    )


def source_of(row: Mapping[str, Any]) -> Source:
    """The document that a row of `SOURCES` is."""
    return _SOURCES.validate_python(row)


def failure_of(row: Mapping[str, Any]) -> Failure:
    """What a row of `FAILURES` tells."""
    return _FAILURES.validate_python(row)


def left_out_of(row: Mapping[str, Any]) -> LeftOut:
    """What a row of `LEFT_OUT` tells."""
    return _LEFT_OUT.validate_python(row)
