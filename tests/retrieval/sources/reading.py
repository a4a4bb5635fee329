"""What a connector lists, read to the end, as a test looks at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from retrieval.sources.connector import Connector, Omission, Readers, Remote


@dataclass
class Listing:
    """Documents and what was left out, by their keys, and the cursors in their order."""

    documents: dict[str, Remote] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    left_out: dict[str, Omission] = field(default_factory=dict)
    cursors: list[str | None] = field(default_factory=list)

    def readers(self) -> dict[str, Readers | None]:
        """Who may read each document, by its title."""
        return {document.title or "": document.readers for document in self.documents.values()}

    def reasons(self) -> dict[str, str]:
        return {key: left.reason for key, left in self.left_out.items()}


def listing(connector: Connector, cursor: str | None = None, *, steps: int = 1_000) -> Listing:
    """What the connector lists from a cursor on, in so many steps at most."""
    found = Listing()
    for page in connector.pages(cursor):
        found.documents |= {document.key: document for document in page.documents}
        found.gone += page.gone
        found.left_out |= {left.key: left for left in page.left_out}
        found.cursors.append(page.cursor)
        steps -= 1
        if not steps:
            break
    return found


def keys_in_steps(connect: Callable[[], Connector]) -> list[str]:
    """The keys that are listed where each step of the listing is another connector's."""
    step = listing(connect(), steps=1)
    keys = [*step.documents]
    while (cursor := step.cursors[0]) is not None:
        step = listing(connect(), cursor, steps=1)
        keys += step.documents
    return keys
