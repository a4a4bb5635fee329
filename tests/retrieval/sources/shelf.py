"""A source in memory that says, and fails, as it is told to; with a connector that reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from retrieval.errors import ChangedError, CursorExpiredError, SourceError
from retrieval.sources.connector import Omission, Page, Readers, Remote


def remote(key: str, version: str = "1", **rest: object) -> Remote:
    fields: dict[str, object] = {
        "name": f"{key}.md",
        "title": key.capitalize(),
        "modified": "2026-11-01T00:00:00+00:00",
        **rest,
    }
    return Remote(key, version, **fields)  # type: ignore[arg-type]


@dataclass
class Shelf:
    """What is there: documents with their texts. `fetched` has the keys of bodies asked for."""

    documents: dict[str, Remote] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    left_out: list[Omission] = field(default_factory=list)
    page: int = 2
    breaks_after: int | None = None
    unreadable: Mapping[str, int] = field(default_factory=dict)
    has_changed: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)
    listed_from: list[str | None] = field(default_factory=list)
    has_cursors: bool = True
    is_closed: bool = False

    def put(self, key: str, text: str, version: str = "1", **rest: object) -> None:
        self.documents[key] = remote(key, version, **rest)
        self.texts[key] = text

    def restrict(self, key: str, version: str, readers: Readers | None) -> None:
        self.documents[key] = remote(key, version, readers=readers)

    def take(self, key: str) -> None:
        del self.documents[key]

    def pages(self, cursor: str | None) -> Iterator[Page]:
        self.listed_from.append(cursor)
        keys = sorted(self.documents)
        start = int(cursor or 0)
        starts = range(start, max(len(keys), 1), self.page)
        for number, at in enumerate(starts):
            if number == self.breaks_after:
                raise SourceError("the shelf fell down")
            end = at + self.page
            is_last = end >= len(keys)
            yield Page(
                [self.documents[key] for key in keys[at:end]],
                left_out=self.left_out if is_last else (),
                cursor=str(end) if self.has_cursors and not is_last else None,
            )

    def body(self, document: Remote) -> bytes:
        self.fetched.append(document.key)
        if document.key in self.has_changed:
            raise ChangedError
        if document.key in self.unreadable:
            status = self.unreadable[document.key]
            raise SourceError(f"answered with status {status}", status=status)
        return self.texts[document.key].encode()

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Feed(Shelf):
    """A source that tells what has changed since a cursor."""

    changes: list[tuple[str, Remote | None]] = field(default_factory=list)
    forgotten: int = 0
    """Cursors before this one are known no more."""

    def change(self, key: str, text: str | None, version: str = "1", **rest: object) -> None:
        if text is None:
            self.take(key)
            self.changes.append((key, None))
        else:
            self.put(key, text, version, **rest)
            self.changes.append((key, self.documents[key]))

    def pages(self, cursor: str | None) -> Iterator[Page]:
        self.listed_from.append(cursor)
        if cursor is None:
            yield Page(list(self.documents.values()), cursor=str(len(self.changes)))
            return
        if int(cursor) < self.forgotten:
            raise CursorExpiredError("that was too long ago")
        changes = self.changes[int(cursor) :]
        yield Page(
            [document for _, document in changes if document],
            gone=[key for key, document in changes if document is None],
            cursor=str(len(self.changes)),
        )


def bodies(folder: Path) -> Sequence[str]:
    """What is on the disk of a mirror, sorted."""
    return sorted(path.read_text() for path in (folder / "bodies").iterdir())
