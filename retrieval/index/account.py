"""What became of every file below the indexed folders, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval.index.content import read_failures, read_left_out, read_sources
from retrieval.records import Failure, LeftOut, Source

PLURALS = {
    "file": "files",
    "document was": "documents were",
    "document is shown as it was": "documents are shown as they were",
    "hidden file": "hidden files",
    "hidden folder": "hidden folders",
    "link that leads out": "links that lead out",
    "link that leads nowhere": "links that lead nowhere",
    "link to a folder": "links to folders",
    "link in an archive": "links in archives",
    "second name of a file": "second names of files",
    "pipe or device": "pipes or devices",
    "file beside a corpus": "files beside a corpus",
    "file that another one of its name replaces": "files that others of their names replace",
}


@dataclass(frozen=True, slots=True)
class Account:
    """How many files were read whole and in part, refused, and left out by kind."""

    read: int
    partial: int
    refused: int
    left_out: Mapping[str, int]

    @property
    def found(self) -> int:
        """How many there are; a folder that was not looked into counts as one."""
        return self.read + self.partial + self.refused + sum(self.left_out.values())


def account_of(
    sources: Sequence[Source], failures: Sequence[Failure], left_out: Iterable[LeftOut]
) -> Account:
    """The numbers of what an index is made of; the most frequent kind comes first."""
    files = {source.path for source in sources}
    partial = {source.path for source in sources if source.gaps}
    kinds = Counter(file.kind for file in left_out)
    return Account(
        len(files) - len(partial), len(partial), len(failures), dict(kinds.most_common())
    )


def read_account(generation: Path) -> Account:
    """The numbers of a generation of the index."""
    return account_of(
        read_sources(generation), read_failures(generation), read_left_out(generation)
    )


def counted(kind: str, count: int) -> str:
    """A number and what there are so many of: `3 .png`, `2 hidden files`."""
    return f"{count} {kind if count == 1 else PLURALS.get(kind, kind)}"
