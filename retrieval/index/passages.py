"""The passages of a generation: a line of JSON each, read when it is asked for.

Beside the lines stands where each begins, of which document it is, and its id, so that an index of
any size is loaded in the time that it takes to read the file.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from retrieval.jsonl import read_rows, to_line, write_lines
from retrieval.records import Passage, Source

PASSAGES = "passages.jsonl"
LINES = "passages.npz"

_NAMES = ("id", "text", "start", "end", "headings", "page", "anchor", "content_hash")


class Lines(NamedTuple):
    """Of each line: where it begins, the row of its document, and its passage's id.

    `starts` is one longer than the others: the last line ends where another would begin.
    """

    starts: npt.NDArray[np.int64]
    source_of: npt.NDArray[np.int32]
    ids: npt.NDArray[np.bytes_]


class LazyPassages(Sequence[Passage]):
    """Passages that are made when they are asked for, anew each time."""

    @overload
    def __getitem__(self, row: int) -> Passage: ...
    @overload
    def __getitem__(self, row: slice) -> list[Passage]: ...
    def __getitem__(self, row: int | slice) -> Passage | list[Passage]:
        rows = range(len(self))[row]
        return self.at(rows) if isinstance(rows, int) else [self.at(number) for number in rows]

    @abstractmethod
    def at(self, row: int) -> Passage:
        """The passage of a row, counted from the first."""


class Passages(LazyPassages):
    """Those in a file."""

    def __init__(self, body: bytes, lines: Lines, sources: Sequence[Source]) -> None:
        self._body = body
        self._lines = lines
        self.sources = sources

    @property
    def source_of(self) -> npt.NDArray[np.int32]:
        """The row in `sources` of each passage's document."""
        return self._lines.source_of

    def row_of(self, passage_id: str) -> int | None:
        """The row of the passage with this id; None if there is none."""
        rows = np.flatnonzero(self._lines.ids == passage_id.encode(errors="backslashreplace"))
        return int(rows[0]) if rows.size else None

    def __len__(self) -> int:
        return len(self._lines.source_of)

    def at(self, row: int) -> Passage:
        """As `LazyPassages.at`."""
        start, end = self._lines.starts[row : row + 2].tolist()
        source = self.sources[self._lines.source_of[row]]
        return passage_of(json.loads(self._body[start:end]), source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]  # equal to lists, which have none


def write_passages(folder: Path, sources: Sequence[Source], passages: Sequence[Passage]) -> None:
    """Write passages of these documents, and what it takes to read one of them."""
    write_lines(folder / PASSAGES, map(to_line, map(_row, passages)))
    rows = _rows_of(sources)
    named = ((passage.id, rows[passage.source.id]) for passage in passages)
    np.savez(folder / LINES, **_lines((folder / PASSAGES).read_bytes(), named)._asdict())


def read_passages(
    generation: Path, sources: Sequence[Source], *, is_checked: bool = True
) -> Passages:
    """The passages that `write_passages` wrote; every line is looked at if they are not checked.

    So they are if an older release wrote them.

    Raises:
        DataError: If a line that is looked at holds no passage of these documents.
    """
    body = (generation / PASSAGES).read_bytes()
    if is_checked and (generation / LINES).exists():
        with np.load(generation / LINES, allow_pickle=False) as arrays:
            return Passages(body, Lines(*(arrays[name] for name in Lines._fields)), sources)
    rows = _rows_of(sources)

    def named(row: dict[str, Any]) -> tuple[str, int]:
        number = rows[row["source"]]
        return passage_of(row, sources[number]).id, number

    return Passages(body, _lines(body, read_rows(generation / PASSAGES, named)), sources)


def _rows_of(sources: Sequence[Source]) -> dict[str, int]:
    return {source.id: row for row, source in enumerate(sources)}


def _lines(body: bytes, named: Iterable[tuple[str, int]]) -> Lines:
    pairs = [(id_.encode(errors="backslashreplace"), row) for id_, row in named]
    ends = np.flatnonzero(np.frombuffer(body, np.uint8) == ord("\n")) + 1
    return Lines(
        starts=np.concatenate([[0], ends]),
        source_of=np.array([row for _, row in pairs], np.int32),
        ids=np.array([id_ for id_, _ in pairs], np.bytes_),
    )


def _row(passage: Passage) -> dict[str, Any]:
    row = {name: getattr(passage, name) for name in _NAMES}
    return {**row, "source": passage.source.id}


def passage_of(row: dict[str, Any], source: Source) -> Passage:
    """The passage that a row of `PASSAGES` is, of its document."""
    values = {name: row[name] for name in _NAMES}
    return Passage(source=source, **{**values, "headings": tuple(row["headings"])})
