"""Reads e-mail: who wrote what to whom; attachments are only named."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

from retrieval.documents.loaders.blocks import Block, Loaded, one_line, sections_of
from retrieval.documents.loaders.front_matter import refuse
from retrieval.documents.loaders.markup import blocks_of_html
from retrieval.documents.loaders.text import unwrap
from retrieval.errors import UnreadableError
from retrieval.labels import names_audience

_SHOWN = ("From", "To", "Cc", "Date")


def load_mail(data: bytes) -> list[Loaded]:
    """One document, titled by the subject.

    Raises:
        UnreadableError: If there is no mail header.
        RestrictedError: If the header restricts its readers.
    """
    message = email.message_from_bytes(data, policy=email.policy.default)
    refuse(filter(_restricts, message.keys()), where=" of its header")
    header = "\n".join(f"{name}: {message[name]}" for name in _SHOWN if message[name])
    if not header:
        raise UnreadableError("is not an e-mail: it has neither sender nor date")
    blocks = [Block(header), *_body(message), *_attachments(message)]
    return [Loaded(sections_of(blocks), title=one_line(str(message["Subject"] or "")) or None)]


def _restricts(name: str) -> bool:
    own = name.casefold().removeprefix("x-")
    return own in ("sensitivity", "classification") or names_audience(own)


def _body(message: EmailMessage) -> list[Block]:
    body = message.get_body(preferencelist=("plain", "html"))
    if body is None:
        return []
    try:
        text = body.get_content()
    except LookupError as error:
        raise UnreadableError(f"has an unknown text encoding ({error})") from error
    if body.get_content_subtype() == "html":
        return [block for block in blocks_of_html(text) if block.text]
    text = unwrap(text.replace("\r\n", "\n")).strip()
    return [Block(text)] if text else []


def _attachments(message: EmailMessage) -> list[Block]:
    names = [part.get_filename() for part in message.iter_attachments()]
    named = ", ".join(name for name in names if name)
    return [Block(f"Attachments: {named}")] if named else []
