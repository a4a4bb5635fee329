"""Reads e-mail: who wrote what to whom, with the messages and files that hang on it."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from email.message import EmailMessage

from retrieval.documents.loaders.attachments import MailAttachments, is_stub
from retrieval.documents.loaders.blocks import Block, Loaded, counted, one_line, sections_of
from retrieval.documents.loaders.front_matter import refuse
from retrieval.documents.loaders.markup import blocks_of_html
from retrieval.documents.loaders.text import decode, unwrap
from retrieval.errors import RestrictedError, UnreadableError
from retrieval.labels import names_audience

SHOWN = ("From", "To", "Cc", "Date")

_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature")
_LOCKED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
# What is said to be in a narrow character set is often in the wider one that took its place.
_WIDER = {
    **dict.fromkeys(("gb2312", "gb_2312-80", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "x-sjis"), "cp932"),
    **dict.fromkeys(("ks_c_5601-1987", "euc-kr"), "cp949"),
    "iso-8859-1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "windows-874": "cp874",
}
_NARROW = re.compile(rb"=\?(?:gb_?2312(?:-80)?|x-gbk|gbk)\?", re.IGNORECASE)
_STARTS_MESSAGE = re.compile(rb"(?:\A|(?<=\n))From [^\n]*\d\d[^\n]*\n(?=[\w-]+:)")
_META = re.compile(rb"charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)


def load_mail(data: bytes) -> list[Loaded]:
    """One document, titled by the subject.

    Raises:
        UnreadableError: If there is no mail header.
        RestrictedError: If the header of a message, or an attachment, restricts its readers.
    """
    data = _NARROW.sub(b"=?gb18030?", data)
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not any(message.get_all(name) for name in SHOWN):
        raise UnreadableError("is not an e-mail: it has neither sender nor date")
    attached = MailAttachments()
    blocks = _Reading(attached).message(message)
    title = one_line(_value(message, "Subject")) or None
    return [Loaded(sections_of(blocks), title=title, gaps=tuple(attached.gaps))]


def load_mailbox(data: bytes) -> list[Loaded]:
    """A document for each message of a mailbox, named by the message's id.

    Raises:
        UnreadableError: If there is no message.
        RestrictedError: If a message restricts its readers.
    """
    found = list(_STARTS_MESSAGE.finditer(data))
    ends = [match.start() for match in found[1:]] + [len(data)]
    documents: dict[str, Loaded] = {}
    for number, (match, end) in enumerate(zip(found, ends, strict=False), 1):
        own = _ESCAPED.sub(rb"\1", data[match.end() : end])
        id_ = email.message_from_bytes(own.partition(b"\n\n")[0]).get("Message-ID", "")
        part = one_line(str(id_).strip("<> ")) or str(number)
        part = f"{part} {number}" if part in documents else part
        try:
            documents[part] = replace(load_mail(own)[0], part=part)
        except RestrictedError:
            raise
        except UnreadableError:
            continue
    if not documents:
        raise UnreadableError("is not a mailbox: no message begins with a line `From `")
    first, *others = documents.values()
    missing = counted(len(found) - len(documents), "message")
    return [replace(first, gaps=(*first.gaps, *missing)), *others]


def refuse_header(names: Iterable[str]) -> None:
    """Refuse a message if a line of its header, by its name, may say who reads it.

    Raises:
        RestrictedError: If one may.
    """
    refuse(filter(_restricts, names), where=" of its header")


def _restricts(name: str) -> bool:
    own = name.casefold().removeprefix("x-")
    return own in ("sensitivity", "classification") or names_audience(own)


class _Reading:
    """Reads a message and those in it."""

    def __init__(self, attached: MailAttachments) -> None:
        self._attached = attached

    def message(self, message: EmailMessage) -> list[Block]:
        refuse_header(message.keys())
        lines = [f"{name}: {_value(message, name)}" for name in SHOWN if message.get_all(name)]
        return [Block("\n".join(lines)), *self._part(message), *self._attached.blocks()]

    def _part(self, part: EmailMessage) -> list[Block]:
        """What a part adds to the message itself; attachments are kept for later."""
        kind = part.get_content_type()
        if kind in _LOCKED:
            self._attached.gaps.append("a part that is encrypted")
        elif kind == "message/rfc822":
            self._inner(part)
        elif kind == "multipart/alternative":
            return self._chosen(_children(part))
        elif kind == "multipart/related":
            children = _children(part)
            files = [own for own in children[1:] if own.get_filename() and not _is_image(own)]
            return [own for child in (*children[:1], *files) for own in self._part(child)]
        elif part.is_multipart():
            return [own for child in _children(part) for own in self._part(child)]
        elif kind not in _SIGNATURES:
            return self._leaf(part, kind)
        return []

    def _leaf(self, part: EmailMessage, kind: str) -> list[Block]:
        name = part.get_filename()
        if name or part.get_content_disposition() == "attachment":
            if not (part.get("Content-ID") and _is_image(part)):
                self._attach(part, name or "", kind)
        elif kind == "text/html":
            return blocks_of_html(_text(part))
        elif kind == "text/calendar":
            self._attach(part, "invitation.ics", kind)
        elif part.get_content_maintype() == "text" and kind != "text/css":
            text = unwrap(_text(part)).strip()
            return [Block(text)] if text else []
        return []

    def _chosen(self, children: Sequence[EmailMessage]) -> list[Block]:
        """The plain text, or what was sent with it if that says more."""
        plain = [child for child in children if child.get_content_type() == "text/plain"]
        others = [child for child in children if child not in plain]
        first = [block for child in plain for block in self._part(child)]
        rest = [block for child in others for block in self._part(child)]
        is_less = is_stub(_joined(first), _joined(rest))
        return rest if rest and is_less else first or rest

    def _inner(self, part: EmailMessage) -> None:
        """Add a message that lies in this one."""
        for message in _children(part):
            subject = one_line(_value(message, "Subject")) or "Forwarded message"
            if (inner := self._attached.inner(subject)) is not None:
                self._attached.add_blocks(subject, _Reading(inner).message(message))

    def _attach(self, part: EmailMessage, name: str, kind: str) -> None:
        usual = {"text/plain": ".txt", "text/html": ".html", "text/calendar": ".ics"}.get(kind, "")
        data = part.get_payload(decode=True)
        content = data if isinstance(data, bytes) else None
        if kind in ("text/plain", "text/html", "text/csv") and part.get_content_charset():
            content = _text(part).encode()
        self._attached.add(name or f"attachment{usual}", content)


def _children(part: EmailMessage) -> list[EmailMessage]:
    found = part.get_payload()
    return (
        [child for child in found if isinstance(child, EmailMessage)]
        if isinstance(found, list)
        else []
    )


def _is_image(part: EmailMessage) -> bool:
    return part.get_content_maintype() == "image"


def _joined(blocks: Sequence[Block]) -> str:
    return "\n".join(block.text for block in blocks)


def _value(message: EmailMessage, name: str) -> str:
    """A line of the header, also where its letters are not written as they should be."""
    raw = next((str(v) for key, v in message.raw_items() if key.casefold() == name.casefold()), "")
    if any("\udc80" <= letter <= "\udcff" for letter in raw):
        return _in_its_encoding(raw.encode("utf-8", "surrogateescape"), message)
    try:
        return str(message[name] or "")
    except (IndexError, LookupError, ValueError, AttributeError):
        return raw  # email's parser fails on some addresses


def _in_its_encoding(line: bytes, message: EmailMessage) -> str:
    """A line that names no encoding, in that of the message, else in the one that fits."""
    named = (message.get_content_charset() or "").lower()
    try:
        return line.decode(_WIDER.get(named, named)) if named else decode(line)
    except (LookupError, UnicodeDecodeError, UnreadableError):
        return line.decode("utf-8", "replace")


def _text(part: EmailMessage) -> str:
    """The words of a part, in the encoding that it names, else in one that fits.

    Raises:
        UnreadableError: If none fits.
    """
    data = part.get_payload(decode=True)
    content = data if isinstance(data, bytes) else b""
    meta = _META.search(content[:2_048]) if part.get_content_subtype() == "html" else None
    named = (part.get_content_charset() or (meta[1].decode() if meta else "utf-8")).lower()
    try:
        text = content.decode(_WIDER.get(named, named))
    except (LookupError, UnicodeDecodeError):
        return decode(content)
    return text.replace("\r\n", "\n").replace("\r", "\n")
