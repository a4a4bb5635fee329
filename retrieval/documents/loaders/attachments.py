"""What hangs on a message: read as its type is, or named where that cannot be."""

from __future__ import annotations

import re
from pathlib import Path

from retrieval.documents.loaders.blocks import Block, Loaded, one_line
from retrieval.errors import RestrictedError, UnreadableError
from retrieval.language import words
from retrieval.records import PUBLIC

_MAX_DEPTH = 8
"""How deep messages may lie in each other; those below are named, not read."""

_MAX_LEVEL = 6
_MAX_PLACEHOLDER = 40  # words
_PLACEHOLDER = re.compile(
    r"html|browser|navigat|view .{0,20}online|(?:e-?mail|mail).?(?:program|client|reader|app)|"
    r"浏览器|网页|客户端|ブラウザ",
    re.IGNORECASE,
)


class MailAttachments:
    """The attachments of a message, in their order."""

    def __init__(self, gaps: list[str] | None = None, depth: int = 0) -> None:
        self.gaps = [] if gaps is None else gaps
        self._depth = depth
        self._read: list[Block] = []
        self._unread: list[str] = []

    def add(self, name: str, data: bytes | None) -> None:
        """Read a file; what cannot be read is named and a gap.

        Raises:
            RestrictedError: If it may restrict its readers.
        """
        from retrieval.documents.loaders import is_readable, load

        name = one_line(name)
        path = Path(Path(name).name)
        # A day of a Slack export is read with the files that lie beside it.
        if data is None or not is_readable(path) or path.suffix.lower() == ".json":
            self._leave(name, "is of a type that is not read")
            return
        try:
            documents = load(path, data, may_read=lambda: False)  # OCR has no time of its own here
        except RestrictedError:
            raise
        except UnreadableError as error:
            self._leave(name, str(error))
            return
        for document in documents:
            if document.audience not in (None, PUBLIC):
                raise RestrictedError(f"has an attachment, {name}, for {document.audience!r} alone")
        self.gaps += [f"{gap} in {name}" for document in documents for gap in document.gaps]
        self.add_blocks(name, [own for document in documents for own in _lowered(document)])

    def inner(self, name: str) -> MailAttachments | None:
        """For what hangs on a message among these; None, and a gap, where that lies too deep."""
        if self._depth == _MAX_DEPTH:
            self.gaps.append(f"message {name!r}, which lies too deep")
            return None
        return MailAttachments(self.gaps, self._depth + 1)

    def add_blocks(self, name: str, blocks: list[Block]) -> None:
        """Add what was read already, such as a message, under its name."""
        self._read += [Block(name, level=2), *blocks]

    def blocks(self) -> list[Block]:
        """The names of what is not read, then all that is."""
        named = [Block(f"Attachments: {', '.join(self._unread)}")] if self._unread else []
        return [*named, *self._read]

    def _leave(self, name: str, reason: str) -> None:
        self._unread.append(name)
        self.gaps.append(f"attachment {name} {reason}")


def is_stub(plain: str, full: str) -> bool:
    """Whether plain text only stands for the page that was sent with it."""
    said, meant = set(words(plain)), set(words(full))
    is_other = 2 * len(said & meant) < len(meant)
    is_placeholder = len(said) < _MAX_PLACEHOLDER and _PLACEHOLDER.search(plain) is not None
    return not said or (is_other and (is_placeholder or len(said) < len(meant)))


def _lowered(document: Loaded) -> list[Block]:
    """The sections of a document as blocks, its headings below that of an attachment."""
    blocks: list[Block] = []
    above: tuple[str, ...] = ()
    for section in document.sections:
        shared = sum(1 for a, b in zip(above, section.headings, strict=False) if a == b)
        for depth, heading in enumerate(section.headings[shared:], shared):
            blocks.append(Block(heading, level=min(depth + 3, _MAX_LEVEL)))
        above = section.headings
        if section.text.strip() != (above[-1] if above else None):
            blocks.append(Block(section.text.strip()))
    return blocks
