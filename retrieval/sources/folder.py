"""Reads a folder as a source, so that it has an audience of its own and is read on schedule."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from retrieval.documents.finding import SourceFile, find_files
from retrieval.documents.sandbox import open_unlinked
from retrieval.errors import SourceError, UnreadableError
from retrieval.sources.connector import Omission, Options, Page, Remote, SourceSettings


class FolderOptions(Options):
    """Where the folder is; the bot may `watch` it and sync it when anything there changes."""

    path: Path
    watch: bool = False


def connect(settings: SourceSettings) -> Folder:
    """The connector of a folder."""
    return Folder(settings, settings.read(FolderOptions).path.expanduser())


def watched(settings: SourceSettings) -> Folder | None:
    """The connector of a source that is a folder to be watched; None for any other."""
    is_watched = settings.kind == "folder" and settings.options.get("watch")
    return connect(settings) if is_watched else None


class Folder:
    """The files below a folder, with the rules that `whimbrel index` has for folders."""

    def __init__(self, settings: SourceSettings, root: Path) -> None:
        self._settings, self._root = settings, root
        self._files: dict[str, SourceFile] = {}

    def pages(self, cursor: str | None) -> Iterator[Page]:  # noqa: ARG002 (it is always whole)
        """All files, in one page."""
        try:
            found = find_files([self._root], text_types=self._settings.text_types).files
        except UnreadableError as error:
            raise SourceError(str(error)) from error
        self._files = {file.id.partition("/")[2] or file.id: file for file in found}
        closed = [name for name, file in self._files.items() if file.path.is_dir()]
        yield Page(
            [_remote(name, file) for name, file in self._files.items() if name not in closed],
            left_out=[
                Omission(name, name, "is a folder that may not be opened") for name in closed
            ],
        )

    def stamp(self) -> str:
        """Differs whenever a file below the folder does; empty where the folder is not there."""
        try:
            found = [document for page in self.pages(None) for document in page.documents]
        except (SourceError, OSError):
            return ""
        return hashlib.sha256(repr(found).encode()).hexdigest()

    def body(self, document: Remote) -> bytes:
        """The file's bytes."""
        try:
            with open_unlinked(self._files[document.key].target) as file:
                self._settings.check_size(os.fstat(file.fileno()).st_size)
                return file.read()
        except UnreadableError as error:
            raise SourceError(str(error)) from error
        except KeyError as error:
            raise SourceError("is not there any more", status=404) from error

    def close(self) -> None:
        """Nothing is held."""


def _remote(name: str, file: SourceFile) -> Remote:
    status = file.target.stat()
    return Remote(name, f"{status.st_mtime_ns}-{status.st_size}", name, None, file.modified)
