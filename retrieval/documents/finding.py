"""Finds every file below folders: those to read, and those to leave out with the reason."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from retrieval.documents.loaders import why_left_out
from retrieval.documents.loaders.blocks import storable
from retrieval.documents.loaders.corpus import NAMES as CORPORA
from retrieval.errors import UnreadableError
from retrieval.records import LeftOut


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a document from where it comes, which goes before what the file says.

    None is what is not known there. The file may narrow the `audience` only where that is public.
    `sha256` is of the file's bytes.
    """

    title: str | None
    url: str | None
    owner: str | None
    audience: str
    sha256: str

    @property
    def stamp(self) -> str:
        """Differs whenever any of this does."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to index. `id` is as in `Source`, `modified` ISO 8601 in UTC.

    Where `path` is a link, `target` is the file itself and `own_id` would be its id. Of a file
    in an archive `target` is the archive, and `members` are the names that lead to it in there:
    one, and one more for each archive in an archive.
    """

    path: Path
    target: Path
    own_id: str
    id: str
    size: int
    modified: str
    members: tuple[str, ...] = ()
    description: Description | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Every file below some folders, ordered by id: each is to be read, or left out."""

    files: list[SourceFile]
    left_out: list[LeftOut]


def find_files(roots: Sequence[Path], *, text_types: Collection[str] = ()) -> Found:
    """The files below folders, and those that are named themselves; each once.

    Left out are hidden files and folders, links that lead out of the folder, and the pictures,
    styles and programs that come along with documents, but for those of `text_types`, which are
    suffixes. Of a folder with a `corpus.jsonl` it is that file alone: the others say what was asked
    about it. Files of other unknown types and folders that may not be opened are listed: reading
    one gives a `Failure`. Folders of one name are told apart by as many of their parents' names as
    it takes.

    Raises:
        UnreadableError: If a folder does not exist.
    """
    roots = list(dict.fromkeys(root.resolve() for root in roots))
    for root in roots:
        if not root.is_dir() and not root.is_file():
            raise UnreadableError(f"{root} is not a folder or a file")
    found: dict[Path, SourceFile] = {}
    left_out: dict[Path, LeftOut] = {}
    for root, name in zip(roots, _distinct_names(roots), strict=True):
        for path, kind in [(root, None)] if root.is_file() else _walk(root, text_types):
            target = path.resolve()
            ids = [_id(name, root, place) for place in (path, target)]
            if root.is_file():  # rules for its folder hold for it
                ids[1] = _id(f"{root.parent.name}/{root.name}", root, root)
            kind = kind or _why_not_followed(path, target, root, found)
            if kind is None:
                found.setdefault(target, _file(path, target, *reversed(ids)))
            elif target not in found or found[target].path != path:
                left_out.setdefault(path, LeftOut(ids[0], kind))
    return Found(
        sorted(found.values(), key=lambda file: file.id),
        sorted(left_out.values(), key=lambda file: file.id),
    )


def _distinct_names(roots: Sequence[Path]) -> list[str]:
    for depth in range(1, 1 + max((len(root.parts) for root in roots), default=0)):
        names = ["/".join(root.parts[-depth:]) for root in roots]
        if len(set(names)) == len(names):
            return names
    return [root.as_posix() for root in roots]


def _walk(root: Path, text_types: Collection[str]) -> Iterator[tuple[Path, str | None]]:
    """Every file, and why it is left out where it is, and the folders that are not looked into."""
    closed: list[Path] = []
    for folder, folders, names in os.walk(root, onerror=lambda e: closed.append(Path(e.filename))):
        if not os.access(folder, os.X_OK):  # its names may be listed, but nothing opened
            closed.append(Path(folder))
            folders.clear()
            continue
        for name in folders:
            path = Path(folder, name)
            if name.startswith("."):
                yield path, "hidden folder"
            elif path.is_symlink():
                yield path, "link to a folder"
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        corpora = CORPORA.intersection(names)
        for name in sorted(names):
            is_beside = bool(corpora) and name not in corpora
            path = Path(folder, name)
            yield path, "file beside a corpus" if is_beside else why_left_out(path, text_types)
    yield from ((path, None) for path in closed)


def _why_not_followed(
    path: Path, target: Path, root: Path, found: dict[Path, SourceFile]
) -> str | None:
    if not target.is_relative_to(root):
        return "link that leads out"
    if not target.exists() and path.is_symlink():
        return "link that leads nowhere"
    if target in found and found[target].path != path:
        return "second name of a file"
    return None if target.is_file() or target.is_dir() else "pipe or device"


def _id(name: str, root: Path, path: Path) -> str:
    # A link that leads out has no id of its own, and needs none.
    inner = path.relative_to(root).as_posix() if path.is_relative_to(root) else "."
    # macOS stores names decomposed; undecodable bytes cannot be stored as text.
    return unicodedata.normalize("NFC", storable(name if inner == "." else f"{name}/{inner}"))


def _file(path: Path, target: Path, own_id: str, id_: str) -> SourceFile:
    status = target.stat()
    modified = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds")
    return SourceFile(path, target, own_id, id_, status.st_size, modified)
