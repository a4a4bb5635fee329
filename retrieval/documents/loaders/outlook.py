"""Reads messages that Outlook saved (MSG), with the messages and files in them."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from retrieval.documents.loaders.attachments import MailAttachments, is_stub
from retrieval.documents.loaders.blocks import Block, Loaded, one_line, sections_of
from retrieval.documents.loaders.mail import refuse_header
from retrieval.documents.loaders.markup import blocks_of_html
from retrieval.documents.loaders.text import decode
from retrieval.errors import RestrictedError, UnreadableError

if TYPE_CHECKING:
    import olefile

_SUBJECT, _BODY, _HTML, _HEADERS = "0037", "1000", "1013", "007D"
_SENDER, _ADDRESSES = "0C1A", ("5D01", "0C1F")
_SHOWN = {"To": "0E04", "Cc": "0E03"}
_FILE, _FILE_NAMES, _HIDDEN = "3701", ("3707", "3704", "3001"), 0x7FFE
_SENSITIVITY, _SENT, _CODE_PAGE = 0x0036, 0x0039, 0x3FFD
_STREAM, _PROPERTIES = "__substg1.0_", "__properties_version1.0"
_ROOT_HEADER, _INNER_HEADER, _FILE_HEADER = 32, 24, 8  # bytes before the properties
_KINDS = ("normal", "personal", "private", "confidential")

Path = list[str]


def load_outlook(data: bytes) -> list[Loaded]:
    """One document, titled by the subject.

    Raises:
        UnreadableError: If it is no message of Outlook's.
        RestrictedError: If a message, or an attachment, restricts its readers.
    """
    import olefile

    try:
        file = olefile.OleFileIO(io.BytesIO(data))
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise UnreadableError("is damaged or not really a message of Outlook's") from error
    if not file.exists(_PROPERTIES):
        raise UnreadableError("is damaged or not really a message of Outlook's")
    attached = MailAttachments()
    message = _Message(file, [], attached)
    blocks = message.blocks()
    title = one_line(message.text(_SUBJECT)) or None
    return [Loaded(sections_of(blocks), title=title, gaps=tuple(attached.gaps))]


class _Message:
    """A message in the file: the whole of it, or one that hangs on another."""

    def __init__(self, file: olefile.OleFileIO, path: Path, attached: MailAttachments) -> None:
        self._attached = attached
        self._file = file
        self._path = path
        self._fixed = self._properties(path, _INNER_HEADER if path else _ROOT_HEADER)
        page = self._fixed.get(_CODE_PAGE, b"")
        self._encoding = f"cp{int.from_bytes(page[:4], 'little')}" if page else "cp1252"

    def blocks(self) -> list[Block]:
        """Who wrote what to whom, and what hangs on it."""
        kind = int.from_bytes(self._fixed.get(_SENSITIVITY, b"")[:4], "little")
        if kind:
            said = _KINDS[kind] if kind < len(_KINDS) else str(kind)
            raise RestrictedError(f"is marked as {said}, which says who may read it")
        names = (line.partition(":")[0] for line in self.text(_HEADERS).splitlines())
        refuse_header(names)
        self._read_attachments()
        return [Block(self._head()), *self._body(), *self._attached.blocks()]

    def text(self, property_: str) -> str:
        """A property of the message that is text."""
        return self._text(self._path, property_)

    def _head(self) -> str:
        address = next(filter(None, map(self.text, _ADDRESSES)), "")
        sender = self.text(_SENDER)
        is_known = "@" in address and address != sender
        lines = [f"From: {sender} <{address}>" if is_known else f"From: {sender or address}"]
        lines += [f"{name}: {text}" for name, id_ in _SHOWN.items() if (text := self.text(id_))]
        sent = int.from_bytes(self._fixed.get(_SENT, b""), "little")
        lines += [f"Date: {_moment(sent)}"] if sent else []
        return "\n".join(lines)

    def _body(self) -> list[Block]:
        plain = self.text(_BODY).replace("\r\n", "\n").strip()
        html = self._read([*self._path, f"{_STREAM}{_HTML}0102"])
        page = decode(html) if html else self.text(_HTML)
        blocks = blocks_of_html(page) if page else []
        if blocks and is_stub(plain, "\n".join(block.text for block in blocks)):
            return blocks
        return [Block(plain)] if plain else []

    def _read_attachments(self) -> None:
        depth = len(self._path)
        storages = {entry[depth] for entry in self._file.listdir() if entry[:depth] == self._path}
        for name in sorted(own for own in storages if own.startswith("__attach_version1.0_")):
            path = [*self._path, name]
            titles = (self._text(path, property_) for property_ in _FILE_NAMES)
            title = next(filter(None, titles), "attachment")
            inner = [*path, f"{_STREAM}{_FILE}000D"]
            if self._file.exists([*inner, _PROPERTIES]):
                self._add_message(inner, title)
            elif not int.from_bytes(
                self._properties(path, _FILE_HEADER).get(_HIDDEN, b"")[:4], "little"
            ):
                self._attached.add(title, self._read([*path, f"{_STREAM}{_FILE}0102"]))

    def _add_message(self, path: Path, title: str) -> None:
        if (inner := self._attached.inner(title)) is not None:
            message = _Message(self._file, path, inner)
            self._attached.add_blocks(one_line(message.text(_SUBJECT)) or title, message.blocks())

    def _text(self, path: Path, property_: str) -> str:
        wide = self._read([*path, f"{_STREAM}{property_}001F"])
        if wide is not None:
            return wide.decode("utf-16-le", "replace").rstrip("\0")
        narrow = self._read([*path, f"{_STREAM}{property_}001E"]) or b""
        try:
            return narrow.decode(self._encoding).rstrip("\0")
        except (LookupError, UnicodeDecodeError):
            return decode(narrow.rstrip(b"\0"))

    def _read(self, path: Path) -> bytes | None:
        if not self._file.exists(path):
            return None
        content: bytes = self._file.openstream(path).read()
        return content

    def _properties(self, path: Path, header: int) -> dict[int, bytes]:
        """The values of fixed length, by their numbers."""
        data = (self._read([*path, _PROPERTIES]) or b"")[header:]
        rows = (data[n : n + 16] for n in range(0, len(data) - 15, 16))
        return {int.from_bytes(row[2:4], "little"): row[8:] for row in rows}


def _moment(ticks: int) -> str:
    """A count of 100 ns since 1601 as a date and time."""
    try:
        moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return ""
    return f"{moment:%a, %d %b %Y %H:%M:%S %z}"
