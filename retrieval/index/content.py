"""What an index is made of: documents, passages, failures and vectors, and their files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from retrieval.documents.files import Failure
from retrieval.records import Passage, Source, Vectors


@dataclass(frozen=True, slots=True)
class Content:
    """What an index is made of. Row i of `vectors` belongs to `passages[i]`."""

    sources: Sequence[Source]
    passages: Sequence[Passage]
    failures: Sequence[Failure]
    vectors: Vectors

    def is_same(self, other: Content) -> bool:
        """Whether both have the same documents, passages and failures."""
        mine = (self.sources, self.passages, self.failures)
        return mine == (other.sources, other.passages, other.failures)


EMPTY = Content([], [], [], np.empty((0, 0), dtype=np.float32))

_SOURCES = TypeAdapter(Source)
_PASSAGES = TypeAdapter(Passage)
_FAILURES = TypeAdapter(Failure)


def write_content(folder: Path, content: Content) -> None:
    """Write documents.jsonl, passages.jsonl, failures.jsonl and vectors.npy into the folder."""
    _write_rows(folder / "documents.jsonl", map(asdict, content.sources))
    _write_rows(folder / "passages.jsonl", map(_passage_row, content.passages))
    _write_rows(folder / "failures.jsonl", map(_FAILURES.dump_python, content.failures))
    np.save(folder / "vectors.npy", content.vectors, allow_pickle=False)


def read_sources(generation: Path) -> list[Source]:
    """The documents that a generation was made from."""
    return [_SOURCES.validate_python(row) for row in _read_rows(generation / "documents.jsonl")]


def read_content(generation: Path) -> Content:
    """What `write_content` wrote into the folder of a generation, trusting every byte."""
    sources = read_sources(generation)
    by_id = {source.id: source for source in sources}
    rows = _read_rows(generation / "passages.jsonl")
    return Content(
        sources=sources,
        passages=[
            _PASSAGES.validate_python({**row, "source": by_id[row["source"]]}) for row in rows
        ],
        failures=[
            _FAILURES.validate_python(row) for row in _read_rows(generation / "failures.jsonl")
        ],
        vectors=np.load(generation / "vectors.npy", allow_pickle=False),
    )


def _passage_row(passage: Passage) -> dict[str, Any]:
    row: dict[str, Any] = _PASSAGES.dump_python(passage, exclude={"source"})
    return {**row, "source": passage.source.id}


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _read_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        yield from map(json.loads, file)
