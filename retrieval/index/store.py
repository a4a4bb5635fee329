"""Where the generations of the index are: in a folder, or in a Postgres that workers share.

A generation is always built in the index's folder. Where the index is shared, that folder is a
workbench: whoever holds the right to build finds there what is served, and what is served there
when the right is given back is served to all.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from retrieval.errors import IndexNotFoundError
from retrieval.index.account import Account, read_account
from retrieval.index.generation import (
    current,
    generations,
    load_index,
    verify,
    whole_passages,
    whole_sources,
)
from retrieval.index.manifest import Manifest, read_manifest
from retrieval.index.searched import SearchedIndex
from retrieval.records import Passage, Source
from retrieval.registry.folders import building, kept
from retrieval.settings import Settings

if TYPE_CHECKING:
    from retrieval.search.embedding import Embedder


class IndexStore(Protocol):
    """The generation that is served, and the one before it. Threads may share one.

    All of it but `building` raises IndexNotFoundError if nothing has been published, and
    IndexUnreachableError if the server does not answer that has it.
    """

    def building(self) -> AbstractContextManager[None]:
        """The right to build in the index's folder, which then holds what is served.

        Raises:
            BusyError: If another process or thread holds it.
        """

    def served(self) -> str:
        """The name of the generation that is served."""

    def kept(self) -> str | None:
        """The name of the generation that a rollback would serve, if there is one."""

    def manifest(self) -> Manifest:
        """What is served.

        Raises:
            IndexCorruptError: If that is not what was written.
            IndexMismatchError: If another version of Whimbrel wrote it.
        """

    def check(self) -> Manifest:
        """What is served, after a look at all that it takes to search it; errors as `manifest`."""

    def generations(self) -> tuple[Manifest, Manifest | None]:
        """What is served, and what a rollback would serve; errors as `manifest`."""

    def sources(self) -> list[Source]:
        """The documents that are served; errors as `manifest`."""

    def passages(self) -> Sequence[Passage]:
        """The passages that are served, in order; errors as `manifest`."""

    def account(self) -> Account:
        """What became of every file below the indexed folders."""

    def load(self, embedder: Embedder) -> SearchedIndex:
        """What is served, to be searched with the embedder that made it.

        Raises:
            IndexCorruptError: If it is not what was written.
            IndexMismatchError: If it was built with another embedder or splitter version.
        """

    def copy(self, folder: Path) -> None:
        """Let a new folder serve what is served here."""


class FolderStore:
    """An index in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def building(self) -> AbstractContextManager[None]:
        """The right to build in the folder."""
        return building(self.folder)

    def served(self) -> str:
        """The name of the generation that is served."""
        return current(self.folder).name

    def kept(self) -> str | None:
        """The name of the generation that a rollback would serve, if there is one."""
        other = kept(self.folder)
        return other.name if other else None

    def manifest(self) -> Manifest:
        """What is served."""
        return read_manifest(current(self.folder))

    def check(self) -> Manifest:
        """What is served, after every byte of it has been checked."""
        return verify(current(self.folder))

    def generations(self) -> tuple[Manifest, Manifest | None]:
        """What is served, and what a rollback would serve."""
        return generations(self.folder)

    def sources(self) -> list[Source]:
        """The documents that are served."""
        generation = current(self.folder)
        return whole_sources(generation, read_manifest(generation))

    def passages(self) -> Sequence[Passage]:
        """The passages that are served, in order."""
        generation = current(self.folder)
        return whole_passages(generation, read_manifest(generation))

    def account(self) -> Account:
        """What became of every file below the indexed folders."""
        return read_account(current(self.folder))

    def load(self, embedder: Embedder) -> SearchedIndex:
        """What is served, in memory."""
        return load_index(self.folder, embedder)

    def copy(self, folder: Path) -> None:
        """Let a new folder serve what is served here."""
        shutil.copytree(self.folder, folder, symlinks=True)


def is_indexed(settings: Settings) -> bool:
    """Whether a generation is served."""
    try:
        return bool(index_store(settings).served())
    except IndexNotFoundError:
        return False


def index_store(settings: Settings) -> IndexStore:
    """Where the settings say that the index is."""
    if settings.index is None:
        return FolderStore(settings.index_folder)
    from retrieval.index.postgres.store import PostgresStore

    return PostgresStore(settings.index.get_secret_value(), settings.index_folder)
