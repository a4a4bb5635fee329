"""Reads the files that were found into documents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import PurePath
from types import TracebackType
from typing import Self

from retrieval.documents.archives import SUFFIX as ARCHIVE
from retrieval.documents.archives import Entry
from retrieval.documents.finding import Description, Found, SourceFile
from retrieval.documents.loaders import is_readable
from retrieval.documents.loaders.blocks import Loaded, one_line, storable
from retrieval.documents.sandbox import Sandbox
from retrieval.errors import NoDocumentError, RestrictedError, UnreadableError
from retrieval.language import language_of
from retrieval.records import PUBLIC, Document, Failure, LeftOut, Section, Source
from retrieval.settings import Settings

_NOTION_ID = re.compile(r"[ _-][0-9a-f]{32}(?:_all)?$")
_NOTION_VIEW = re.compile(r"(.*[ _-][0-9a-f]{32})\.csv")
_LANGUAGE_TAG = re.compile(r"([a-z]{2,3})(?:[-_].*)?")


UNKNOWN_TYPE = "is of a type that is not read"


class DocumentReader:
    """Reads files in a sandbox, which lives as long as the `with` block."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sandbox = Sandbox(
            timeout_s=settings.parse_seconds,
            memory_mb=settings.parse_memory_mb,
            text_types=settings.text_types,
            ocr_pages=settings.ocr_pages,
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

    def look_into_archives(self, found: Found) -> tuple[Found, list[Failure]]:
        """What was found, with the files in archives in place of those, and what cannot be read."""
        files: list[SourceFile] = []
        left_out, failures = list(found.left_out), []
        for file in found.files:
            if file.path.suffix.lower() != ARCHIVE:
                files.append(file)
                continue
            try:
                entries = self._sandbox.entries(file.target)
            except UnreadableError as error:
                failures.append(Failure(file.id, str(error)))
                continue
            for entry in entries:
                member = _member(file, entry)
                if entry.refused:
                    failures.append(Failure(member.id, entry.refused))
                elif entry.left_out:
                    left_out.append(LeftOut(member.id, entry.left_out))
                else:
                    files.append(member)
        views = _filtered_views(files)
        left_out += [LeftOut(id_, "view of a Notion table that is read whole") for id_ in views]
        return Found([file for file in files if file.id not in views], left_out), failures

    def digest(self, file: SourceFile) -> str | None:
        """The sha256 of the file's bytes; None if they cannot be read."""
        if file.description is not None and not file.members:
            return file.description.sha256
        try:
            return self._sandbox.digest(file.target, members=file.members)
        except UnreadableError:  # reading it will tell
            return None

    def read(self, file: SourceFile) -> list[Document] | Failure | LeftOut:
        """The file's documents, several only in a Slack export or corpus, or why there are none."""
        try:
            self._check(file)
            digest, loaded = self._sandbox.load(file.path, target=file.target, members=file.members)
            return [self._document(file, digest, document) for document in loaded]
        except NoDocumentError as error:
            return LeftOut(file.id, str(error))
        except UnreadableError as error:
            return Failure(file.id, str(error), isinstance(error, RestrictedError))

    def _check(self, file: SourceFile) -> None:
        if not file.members and file.path.is_dir():
            raise UnreadableError("is a folder that may not be opened")
        if not is_readable(file.path, self._settings.text_types):
            raise UnreadableError(unread_type(file.path))
        if file.size == 0:
            raise UnreadableError("is empty (0 bytes)")
        if file.size > self._settings.max_file_mb * 2**20:
            raise UnreadableError(f"is larger than {self._settings.max_file_mb} MB")

    def _document(self, file: SourceFile, sha256: str, loaded: Loaded) -> Document:
        part = f"#{storable(loaded.part)}" if loaded.part else ""
        id_, told = f"{file.id}{part}", file.description
        title = None if part or not told else told.title
        source = Source(
            id=id_,
            title=title or one_line(loaded.title or "") or _readable_name(PurePath(file.id)),
            path=storable(str(file.path)),
            language=_language(loaded.language) or language_of(_text(loaded.sections)),
            sha256=sha256,
            modified=file.modified,
            url=storable((told and told.url) or loaded.url or "") or None,
            audience=self._audience(loaded, told, id_, f"{file.own_id}{part}"),
            owner=storable((told and told.owner) or loaded.owner or "") or None,
            gaps=loaded.gaps,
            stamp=told.stamp if told else "",
        )
        return Document(source, loaded.sections)

    def _audience(self, loaded: Loaded, told: Description | None, *ids: str) -> str:
        own = loaded.audience or self._ruled_audience(*ids) or loaded.usual_audience
        if told is None or told.audience == PUBLIC:
            return own
        if own not in (PUBLIC, told.audience):
            raise RestrictedError(
                f'is for "{own}" by itself or by a rule in [audiences], and for other people where '
                "it comes from; only one of them can say"
            )
        return told.audience

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


def _filtered_views(files: Sequence[SourceFile]) -> set[str]:
    """The ids of tables that Notion exported both as they were filtered and with all rows."""
    ids = {file.id for file in files}
    views = (match for id_ in ids if (match := _NOTION_VIEW.fullmatch(id_)))
    return {match[0] for match in views if f"{match[1]}_all.csv" in ids}


def unread_type(path: PurePath) -> str:
    """Why a file of an unknown type is not read."""
    return f"{UNKNOWN_TYPE} ({path.suffix.lower() or 'no suffix'})"


def _member(file: SourceFile, entry: Entry) -> SourceFile:
    inner = "/".join(entry.names)
    return replace(
        file,
        path=file.path / inner,
        own_id=f"{file.own_id}/{inner}",
        id=f"{file.id}/{inner}",
        size=entry.size,
        modified=entry.modified,
        members=entry.names,
        description=file.description and replace(file.description, title=None),
    )


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


def _language(told: str | None) -> str | None:
    """The short code of a language tag, `zh` of `zh-CN`; None of what is none."""
    tag = _LANGUAGE_TAG.fullmatch((told or "").strip().lower())
    return tag[1] if tag else None


def _text(sections: Sequence[Section]) -> str:
    return "".join(section.text for section in sections)


def _readable_name(path: PurePath) -> str:
    stem = _NOTION_ID.sub("", unicodedata.normalize("NFC", path.stem))
    name = one_line(stem.replace("_", " ").replace("-", " ") if " " not in stem else stem)
    return name[:1].upper() + name[1:]
