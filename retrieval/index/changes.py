"""What became of the documents from one generation of the index to another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from retrieval.records import PUBLIC, Source


@dataclass(frozen=True, slots=True)
class Changes:
    """The ids of the documents that are new, different or gone, each in alphabetical order.

    `closed` are those of all documents that are, or were, not for everybody.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0
    closed: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def compare(before: Iterable[Source], after: Iterable[Source]) -> Changes:
    """What happened to the documents; one that only moved or was touched is unchanged."""
    before, after = list(before), list(after)
    old = {source.id: _essence(source) for source in before}
    new = {source.id: _essence(source) for source in after}
    kept = old.keys() & new.keys()
    changed = sorted(id_ for id_ in kept if old[id_] != new[id_])
    return Changes(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(changed),
        removed=tuple(sorted(old.keys() - new.keys())),
        unchanged=len(kept) - len(changed),
        closed=frozenset(s.id for s in (*before, *after) if s.audience != PUBLIC),
    )


def _essence(source: Source) -> Source:
    return replace(source, path="", modified="")
