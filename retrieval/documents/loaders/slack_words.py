"""The words of a Slack message, wherever they stand: its text, blocks, attachments and files."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from retrieval.documents.loaders.blocks import table_text

SlackJson = Mapping[str, Any]
"""A message, or a part of one, as Slack has it in events, answers and exports."""

MAX_DEPTH = 8
"""What is forwarded within what is forwarded, so often, is read no more."""

_FORWARDED = (
    "is_share",
    "is_msg_unfurl",
    "is_reply_unfurl",
    "is_thread_root_unfurl",
    "message_blocks",
    "channel_id",
    "from_url",
)
"""Whatever attachment has one of these was written elsewhere, and is only shown here."""

_INSTEAD = frozenset(
    (
        "[no preview available]",
        "This content can't be displayed.",
        "This message contains interactive elements.",
    )
)
"""What Slack writes where a program could not show the message itself."""

_PARTS = (
    "title",
    "subtitle",
    "header",
    "text",
    "body",
    "description",
    "details",
    "output",
    "fields",
    "elements",
    "blocks",
    "tasks",
    "accessory",
    "alt_text",
)
"""Where blocks have words, in the order in which they are read."""

_MARKUP = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_EMOJI = re.compile(r":[a-z0-9_+'-]+:", re.IGNORECASE)
_ITEM = re.compile(r"^[ \t]*(?:[-•◦▪]|\w{1,3}[.)])[ \t]+", re.MULTILINE)
_WORD = re.compile(r"[^\W_]+")


def message_words(message: SlackJson) -> str:
    """All words of a message as Slack's mrkdwn, each thing once; who wrote what is forwarded."""
    shown = (_quoted(attachment) for attachment in _forwarded(message))
    files = (file_words(file) for file in files_of(message))
    return _distinct((own_words(message), *shown, *files))


def own_words(message: SlackJson) -> str:
    """What a message says itself, as Slack's mrkdwn: not what is forwarded, nor its files."""
    said = _merged(_text(message, "text"), _blocks(message.get("blocks")))
    comment = message.get("comment")
    commented = _text(comment, "comment") if isinstance(comment, Mapping) else ""
    attached = (_attachment(attachment) for attachment in _attachments(message, is_ours=True))
    return _distinct((said, commented, *attached))


def forwarded_words(message: SlackJson) -> tuple[str, ...]:
    """What was written elsewhere and is shown in a message, as Slack's mrkdwn."""
    return tuple(filter(None, map(_attachment, _forwarded(message))))


def files_of(message: SlackJson) -> list[SlackJson]:
    """The files in a message that are still there."""
    files = [*_listed(message.get("files")), *_listed([message.get("file")])]
    return [file for file in files if file.get("mode") not in ("tombstone", "hidden_by_limit")]


def file_words(file: SlackJson) -> str:
    """What a file is called, and as much of it as the message holds, as Slack's mrkdwn."""
    name = _text(file, "title") or _text(file, "name")
    comment = file.get("initial_comment")
    said = _text(comment, "comment") if isinstance(comment, Mapping) else ""
    return _joined((said, *(html.escape(text, quote=False) for text in (name, preview(file)))))


def preview(file: SlackJson) -> str:
    """As much of a file's own text as a message holds, which is not mrkdwn."""
    heard = file.get("transcription") or {}
    heard = heard.get("preview") if isinstance(heard, Mapping) else None
    texts = [_text(file, key) for key in ("plain_text", "preview_plain_text", "preview")]
    texts += [_text(heard, "content") if isinstance(heard, Mapping) else "", _text(file, "alt_txt")]
    body = next(filter(None, texts), "")
    subject = _text(file, "subject")
    return f"{subject}\n{body}".strip() if subject not in body else body


def is_whole(file: SlackJson) -> bool:
    """Whether a message holds the whole text of one of its files."""
    return bool(preview(file)) and not file.get("preview_is_truncated")


def _forwarded(message: SlackJson) -> Iterator[SlackJson]:
    return _attachments(message, is_ours=False)


def _attachments(message: SlackJson, *, is_ours: bool) -> Iterator[SlackJson]:
    for attachment in _listed(message.get("attachments")):
        if is_ours != any(attachment.get(key) for key in _FORWARDED):
            yield attachment


def _quoted(attachment: SlackJson) -> str:
    words = _attachment(attachment)
    author = _text(attachment, "author_name") or _text(attachment, "author_subname")
    return f"{author}: {words}" if words and author else words


def _attachment(attachment: SlackJson, depth: int = 1) -> str:
    if depth > MAX_DEPTH:
        return ""
    fields = (
        ": ".join(filter(None, (_text(field, "title"), _text(field, "value"))))
        for field in _listed(attachment.get("fields"))
    )
    blocks = _distinct((_message_blocks(attachment), _blocks(attachment.get("blocks"), depth)))
    said = _merged(_text(attachment, "text"), blocks)
    words = _joined(
        (
            _distinct((_text(attachment, "pretext"), _text(attachment, "title"), said)),
            *fields,
            *(_attachment(inner, depth + 1) for inner in _listed(attachment.get("attachments"))),
            *map(file_words, files_of(attachment)),
        )
    )
    fallback = _text(attachment, "fallback")
    return words or ("" if fallback in _INSTEAD else fallback)


def _message_blocks(attachment: SlackJson) -> str:
    """The blocks of the message that an attachment shows."""
    shown = (part.get("message") for part in _listed(attachment.get("message_blocks")))
    return _joined(_blocks(m.get("blocks")) for m in shown if isinstance(m, Mapping))


def _blocks(blocks: object, depth: int = 1) -> str:
    return _joined(_block(block, depth) for block in _listed(blocks))


def _block(block: SlackJson, depth: int) -> str:
    if depth > MAX_DEPTH or "action_id" in block:  # a button says nothing
        return ""
    match block.get("type"):
        case "rich_text":
            return "\n".join(filter(None, map(_rich, _listed(block.get("elements")))))
        case "table" | "data_table":
            rows = block.get("rows")
            listed = rows if isinstance(rows, list) else []
            cells = [[_block(cell, depth + 1) for cell in _listed(row)] for row in listed]
            return table_text(cells, has_header=True)
        case "raw_text" | "raw_number":
            return html.escape(str(block.get("text") or block.get("value") or ""), quote=False)
    together = _distinct if block.get("type") in ("image", "video") else _joined
    return together(
        said for key in _PARTS if key in block for said in _said(block[key], depth=depth + 1)
    )


def _said(part: object, *, depth: int) -> Iterable[str]:
    if isinstance(part, str):
        return (part,)
    if isinstance(part, Mapping):
        return (_block(part, depth),)
    return (_block(inner, depth) for inner in _listed(part))


def _rich(element: SlackJson, depth: int = 1) -> str:
    """A part of rich text: a paragraph, a quotation, code or a list."""
    if depth > MAX_DEPTH:
        return ""
    kind, elements = element.get("type"), _listed(element.get("elements"))
    if kind == "rich_text_list":
        indent = "    " * min(_number(element.get("indent")), MAX_DEPTH)
        first = _number(element.get("offset")) + 1
        is_ordered = element.get("style") == "ordered"
        return "\n".join(
            f"{indent}{f'{number}.' if is_ordered else '•'} {_rich(item, depth + 1)}"
            for number, item in enumerate(elements, first)
        )
    text = "".join(map(_inline, elements))
    if kind == "rich_text_preformatted":
        return f"```\n{text}\n```"
    if kind == "rich_text_quote":
        return "\n".join(f"&gt; {line}" for line in text.splitlines())
    return text


def _inline(element: SlackJson) -> str:
    """A piece of a line, in the mrkdwn that Slack has for it in a message's text."""
    text = html.escape(_text(element, "text", is_stripped=False), quote=False)
    match element.get("type"):
        case "user":
            return f"<@{element.get('user_id')}>"
        case "channel":
            return f"<#{element.get('channel_id')}>"
        case "usergroup":
            return f"<!subteam^{element.get('usergroup_id')}>"
        case "broadcast":
            return f"<!{element.get('range')}>"
        case "emoji":
            tone = element.get("skin_tone")
            return f":{element.get('name')}:" + (f":skin-tone-{tone}:" if tone else "")
        case "link":
            url = _text(element, "url")
            return f"<{url}|{text}>" if text else f"<{url}>"
        case "date":
            at = _number(element.get("timestamp"))
            return _text(element, "fallback") or datetime.fromtimestamp(at, UTC).date().isoformat()
        case "color":
            return _text(element, "value")
    style = element.get("style")
    return (
        f"`{text}`" if text.strip() and isinstance(style, Mapping) and style.get("code") else text
    )


def _merged(text: str, blocks: str) -> str:
    """A text and the blocks beside it, which nearly always say the same; then, only one of them.

    Beside blocks Slack shows no text; so that goes if its words are all among theirs.
    """
    if not blocks or not text:
        return blocks or ("" if text in _INSTEAD else text)
    of_text, of_blocks = _bare(text), _bare(blocks)
    if "".join(of_text) == "".join(of_blocks):
        return text  # as people are used to type it
    if text in _INSTEAD or set(of_text) <= set(of_blocks) or "".join(of_text) in "".join(of_blocks):
        return blocks
    return text if f" {' '.join(of_blocks)} " in f" {' '.join(of_text)} " else f"{text}\n{blocks}"


def _joined(pieces: Iterable[str]) -> str:
    return "\n".join(filter(str.strip, pieces))


def _distinct(pieces: Iterable[str]) -> str:
    """Pieces on lines of their own, without those that only repeat one before."""
    kept: dict[str, str] = {}
    for piece in pieces:
        kept.setdefault("".join(_bare(piece)) or piece, piece)
    return _joined(kept.values())


def _bare(text: str) -> list[str]:
    """The words that are left of mrkdwn without its marks, in small letters."""
    plain = _MARKUP.sub(_target, _ITEM.sub("", text))
    return _WORD.findall(_EMOJI.sub(" ", html.unescape(plain)).casefold())


def _target(match: re.Match[str]) -> str:
    """What is meant: a person, channel or group by its id, anything else by its label."""
    sign, target, label = match.groups()
    is_named = sign in ("@", "#") or target.startswith("subteam^")
    return f" {target} " if is_named or not label else str(label)


def _text(part: SlackJson, key: str, *, is_stripped: bool = True) -> str:
    value = part.get(key)
    text = value if isinstance(value, str) else ""
    return text.strip() if is_stripped else text


def _number(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**35 else 0


def _listed(value: object) -> list[SlackJson]:
    parts = value if isinstance(value, list | tuple) else ()
    return [part for part in parts if isinstance(part, Mapping)]
