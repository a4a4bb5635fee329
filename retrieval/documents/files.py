"""Finds the files below folders and reads them into documents."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import Self

from retrieval.documents.loaders import is_readable
from retrieval.documents.loaders.blocks import Loaded, one_line, storable
from retrieval.documents.loaders.corpus import NAMES as CORPORA
from retrieval.documents.loaders.slack_export import is_slack_day
from retrieval.documents.sandbox import Sandbox
from retrieval.errors import RestrictedError, UnreadableError
from retrieval.language import language_of
from retrieval.records import Document, Section, Source
from retrieval.settings import Settings

# fmt: off
IGNORED = frozenset((
    ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".bmp", ".ico", ".tif", ".tiff", ".heic",
    ".mp3", ".mp4", ".m4a", ".mov", ".wav", ".webm", ".avi", ".css", ".js", ".mjs", ".map",
    ".woff", ".woff2", ".ttf", ".otf", ".eot", ".json", ".lock", ".pyc", ".log",
))
# fmt: on
"""Files that come along with documents and hold no text of their own; nobody is told of them."""

_NOTION_ID = re.compile(r"[ _-][0-9a-f]{32}$")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file below an indexed folder. `id` is as in `Source`, `modified` ISO 8601 in UTC.

    Where `path` is a link, `target` is the file itself and `own_id` would be its id.
    """

    path: Path
    target: Path
    own_id: str
    id: str
    size: int
    modified: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read; the reason completes the sentence "the file ...".

    One that `is_restricted` may be meant for some people alone: what was read of it before must
    not be shown either.
    """

    id: str
    reason: str
    is_restricted: bool = False


def find_files(folders: Sequence[Path]) -> list[SourceFile]:
    """The files below the folders, ordered by id, each once.

    Left out are hidden files and folders, links that lead out of the folder, and the pictures,
    styles and data that come along with documents (`IGNORED`). Of a folder with a `corpus.jsonl`
    it is that file alone: the others say what was asked about it. Files of other unknown types
    and folders that may not be opened are listed: reading one gives a `Failure`. Folders of
    one name are told apart by as many of their parents' names as it takes.

    Raises:
        UnreadableError: If a folder does not exist.
    """
    roots = list(dict.fromkeys(folder.resolve() for folder in folders))
    for folder in roots:
        if not folder.is_dir():
            raise UnreadableError(f"{folder} is not a folder")
    found: dict[Path, SourceFile] = {}
    for root, name in zip(roots, _distinct_names(roots), strict=True):
        for path in _walk(root):
            target = path.resolve()
            if target.is_relative_to(root):
                ids = [f"{name}/{place.relative_to(root)}" for place in (path, target)]
                found.setdefault(target, _file(path, target, *ids))
    return sorted(found.values(), key=lambda file: file.id)


def _distinct_names(roots: Sequence[Path]) -> list[str]:
    for depth in range(1, 1 + max((len(root.parts) for root in roots), default=0)):
        names = ["/".join(root.parts[-depth:]) for root in roots]
        if len(set(names)) == len(names):
            return names
    return [root.as_posix() for root in roots]


def _walk(root: Path) -> Iterator[Path]:
    closed: list[Path] = []
    for folder, folders, names in os.walk(root, onerror=lambda e: closed.append(Path(e.filename))):
        if not os.access(folder, os.X_OK):  # its names may be listed, but nothing opened
            closed.append(Path(folder))
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(CORPORA.intersection(names) or names):
            path = Path(folder, name)
            if not name.startswith(".") and _is_wanted(path) and path.is_file():
                yield path
    yield from closed


def _is_wanted(path: Path) -> bool:
    return path.suffix.lower() not in IGNORED or is_slack_day(path)


def _file(path: Path, target: Path, *names: str) -> SourceFile:
    status = target.stat()
    modified = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds")
    # macOS stores names decomposed; undecodable bytes cannot be stored as text.
    id_, own_id = (unicodedata.normalize("NFC", storable(name)) for name in names)
    return SourceFile(path, target, own_id, id_, status.st_size, modified)


class DocumentReader:
    """Reads files in a sandbox, which lives as long as the `with` block."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sandbox = Sandbox(
            timeout_s=settings.parse_seconds, memory_mb=settings.parse_memory_mb
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sandbox.close()

    def read(self, file: SourceFile) -> list[Document] | Failure:
        """The file's documents, several only in a Slack export or corpus, or why there are none."""
        try:
            self._check(file)
            sha256, loaded = self._sandbox.load(file.path, target=file.target)
            return [self._document(file, sha256, document) for document in loaded]
        except UnreadableError as error:
            return Failure(file.id, str(error), isinstance(error, RestrictedError))

    def _check(self, file: SourceFile) -> None:
        if file.path.is_dir():
            raise UnreadableError("is a folder that may not be opened")
        if not is_readable(file.path):
            suffix = file.path.suffix.lower() or "no suffix"
            raise UnreadableError(f"is of a type that is not read ({suffix})")
        if file.size == 0:
            raise UnreadableError("is empty (0 bytes)")
        if file.size > self._settings.max_file_mb * 2**20:
            raise UnreadableError(f"is larger than {self._settings.max_file_mb} MB")

    def _document(self, file: SourceFile, sha256: str, loaded: Loaded) -> Document:
        part = f"#{loaded.part}" if loaded.part else ""
        id_ = f"{file.id}{part}"
        source = Source(
            id=id_,
            title=one_line(loaded.title or "") or _readable_name(file.path),
            path=storable(str(file.path)),
            language=loaded.language or language_of(_text(loaded.sections)),
            sha256=sha256,
            modified=file.modified,
            url=loaded.url,
            audience=loaded.audience
            or self._ruled_audience(id_, f"{file.own_id}{part}")
            or loaded.usual_audience,
            owner=loaded.owner,
            gaps=loaded.gaps,
        )
        return Document(source, loaded.sections)

    def _ruled_audience(self, *ids: str) -> str | None:
        """The label by the rules; a link does not lead out of those for what it leads to."""
        rules = {
            pattern: label
            for pattern, label in self._settings.audiences.items()
            if any(_is_ruled(id_, pattern) for id_ in ids)
        }
        if len(set(rules.values())) > 1:
            said = ", ".join(f'"{pattern}" = "{label}"' for pattern, label in rules.items())
            raise RestrictedError(f"has rules in [audiences] that disagree: {said}")
        return next(iter(rules.values()), None)


def idle_rules(patterns: Iterable[str], ids: Sequence[str]) -> list[str]:
    """The patterns of [audiences] that none of the files and folders has."""
    return [
        pattern
        for pattern in patterns
        if not any(_is_ruled(id_, pattern) or _is_ruled(f"{id_}/", pattern) for id_ in ids)
    ]


def _is_ruled(source_id: str, pattern: str) -> bool:
    # Not every file system tells cases apart, and a rule is meant for what reads like it.
    rule = unicodedata.normalize("NFC", pattern).casefold()
    return fnmatchcase(source_id.casefold(), rule)


def _text(sections: Sequence[Section]) -> str:
    return "".join(section.text for section in sections)


def _readable_name(path: Path) -> str:
    stem = _NOTION_ID.sub("", unicodedata.normalize("NFC", path.stem))
    name = one_line(stem.replace("_", " ").replace("-", " ") if " " not in stem else stem)
    return name[:1].upper() + name[1:]
