"""Reads zip archives file by file, and unpacks nothing to the disk. Runs inside the sandbox."""

from __future__ import annotations

import io
import re
import stat
import unicodedata
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import IO

from retrieval.documents.loaders import why_left_out
from retrieval.documents.loaders.blocks import storable
from retrieval.documents.loaders.corpus import NAMES as CORPORA
from retrieval.documents.loaders.encodings import encoding_of
from retrieval.documents.loaders.zips import BROKEN, is_encrypted, open_zip
from retrieval.errors import UnreadableError

SUFFIX = ".zip"

MAX_FILES = 100_000
MAX_DEPTH = 3
"""Exports hold archives in archives; none holds one in one in one in one."""

MAX_INNER_BYTES = 512 * 2**20
"""An archive in an archive is unpacked to memory."""

_DRIVE = re.compile(r"[A-Za-z]:")
_UTF8 = 0x800


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive, and why it is left out or refused, if it is.

    `names` lead to it, one for each archive that it is in. `size` is in bytes, unpacked;
    `modified` is ISO 8601, the archive's clock taken for UTC.
    """

    names: tuple[str, ...]
    size: int
    modified: str
    left_out: str | None = None
    refused: str | None = None


class Archive:
    """An open zip archive."""

    def __init__(self, file: IO[bytes], *, depth: int = 1) -> None:
        """Reads the list of what is in it.

        Raises:
            UnreadableError: If it is no archive, or looks like a zip bomb.
        """
        self._depth = depth
        self._zip = open_zip(file, max_files=MAX_FILES)
        listed = self._zip.infolist()
        names = _names(listed)
        entries = zip(names, listed, strict=True)
        self._files = [(name, info) for name, info in entries if not name.endswith("/")]
        # Of two files of one name, every program that unpacks leaves the last.
        self._infos = dict(self._files)
        self._inner: tuple[str, Archive] | None = None

    def entries(self, text_types: Collection[str] = ()) -> Iterator[Entry]:
        """Every file in it and in the archives in it; a hidden folder is one entry."""
        corpora = {str(PurePosixPath(n).parent) for n in self._infos if _is_corpus(n)}
        hidden: set[str] = set()
        for name, info in self._files:
            if (folder := _hidden_folder(name)) is not None:
                if folder not in hidden:
                    hidden.add(folder)
                    yield Entry((folder,), 0, _modified(info), left_out="hidden folder")
                continue
            left_out, refused = (
                self._why_left_out(name, info, corpora, text_types),
                _why_refused(name, info),
            )
            entry = Entry((name,), info.file_size, _modified(info), left_out, refused)
            if not (left_out or refused) and name.lower().endswith(SUFFIX):
                yield from self._inner_entries(entry, text_types)
            else:
                yield entry

    def member(self, *names: str) -> Member:
        """The file to which the names lead.

        Raises:
            UnreadableError: If there is none any more.
        """
        if len(names) > 1:
            return self._open(names[0]).member(*names[1:])
        member = Member(self, PurePosixPath(names[0]))
        if not member.is_file():
            raise UnreadableError("is not in its archive any more")
        return member

    def has(self, name: str) -> bool:
        """Whether there is a file of this name that may be read."""
        info = self._infos.get(name)
        return info is not None and _why_refused(name, info) is None and not _is_link(info)

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            UnreadableError: If they are not what was packed.
        """
        try:
            with self._zip.open(self._infos[name]) as file:
                return file.read()
        except NotImplementedError as error:
            raise UnreadableError("is packed in a way that is not read; pack it as zip") from error
        except BROKEN as error:
            raise UnreadableError("is damaged in its archive") from error

    def _why_left_out(
        self, name: str, info: zipfile.ZipInfo, corpora: set[str], text_types: Collection[str]
    ) -> str | None:
        if self._infos[name] is not info:
            return "file that another one of its name replaces"
        if _is_link(info):
            return "link in an archive"
        if str(PurePosixPath(name).parent) in corpora and not _is_corpus(name):
            return "file beside a corpus"
        return why_left_out(Member(self, PurePosixPath(name)), text_types)

    def _inner_entries(self, entry: Entry, text_types: Collection[str]) -> Iterator[Entry]:
        try:
            for inner in self._open(entry.names[0]).entries(text_types):
                yield Entry(
                    (*entry.names, *inner.names),
                    inner.size,
                    inner.modified,
                    inner.left_out,
                    inner.refused,
                )
        except UnreadableError as error:
            yield Entry(entry.names, entry.size, entry.modified, refused=str(error))

    def _open(self, name: str) -> Archive:
        if self._inner is None or self._inner[0] != name:
            self._inner = None  # before the next one is in memory
            if self._depth == MAX_DEPTH:
                raise UnreadableError(f"is an archive in {MAX_DEPTH} others; unpack those first")
            if not self.has(name):
                raise UnreadableError("is not in its archive any more")
            if self._infos[name].file_size > MAX_INNER_BYTES:
                size = MAX_INNER_BYTES // 2**20
                raise UnreadableError(f"is an archive in another, and larger than {size} MB")
            inner = Archive(io.BytesIO(self.read(name)), depth=self._depth + 1)
            self._inner = name, inner
        return self._inner[1]


@dataclass(frozen=True, slots=True)
class Member:
    """A file or folder in an archive, with as much of a path as loaders ask for."""

    archive: Archive
    place: PurePosixPath

    def __hash__(self) -> int:
        """As the two together; an archive is equal to itself alone."""
        return hash((id(self.archive), self.place))

    def __truediv__(self, name: str) -> Member:
        """What has this name in the folder."""
        return Member(self.archive, self.place / name)

    @property
    def parent(self) -> Member:
        """The folder that it is in."""
        return Member(self.archive, self.place.parent)

    @property
    def name(self) -> str:
        """Its own name."""
        return self.place.name

    @property
    def stem(self) -> str:
        """Its own name without the suffix."""
        return self.place.stem

    @property
    def suffix(self) -> str:
        """What its name ends in, from the last dot on."""
        return self.place.suffix

    def is_file(self) -> bool:
        """Whether there is a file that may be read."""
        return self.archive.has(str(self.place))

    def read_bytes(self) -> bytes:
        """The bytes of the file."""
        return self.archive.read(str(self.place))


def _names(listed: list[zipfile.ZipInfo]) -> list[str]:
    """What the files are called; Windows and old programs do not say in which encoding."""
    untold = [info for info in listed if not info.flag_bits & _UTF8]
    encoding = _encoding(b"\n".join(info.orig_filename.encode("cp437") for info in untold))
    names = []
    for info in listed:
        name = info.orig_filename
        if not info.flag_bits & _UTF8:
            name = name.encode("cp437").decode(encoding)
        # Some programs of Windows part folders as Windows does.
        name = unicodedata.normalize("NFC", storable(name.replace("\\", "/")))
        names.append(name if name.endswith("/") else str(PurePosixPath(name)))
    return names


def _encoding(names: bytes) -> str:
    for encoding in ("utf-8", encoding_of(names) or "gb18030"):
        try:
            names.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "cp437"


def _hidden_folder(name: str) -> str | None:
    """The outermost hidden folder that the file is in."""
    parts = PurePosixPath(name).parts
    for depth, part in enumerate(parts[:-1], start=1):
        if (part.startswith(".") and part != "..") or part == "__MACOSX":
            return "/".join(parts[:depth])
    return None


def _why_refused(name: str, info: zipfile.ZipInfo) -> str | None:
    if name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/"):
        return "has a name that leads out of its archive"
    if is_encrypted(info):
        return "is protected with a password"
    return None


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def _is_corpus(name: str) -> bool:
    return PurePosixPath(name).name in CORPORA


def _modified(info: zipfile.ZipInfo) -> str:
    try:
        return datetime(*info.date_time, tzinfo=UTC).isoformat(timespec="seconds")
    except ValueError:  # a month 0 or a second 60
        return datetime(1980, 1, 1, tzinfo=UTC).isoformat(timespec="seconds")
