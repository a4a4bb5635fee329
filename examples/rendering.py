"""Slack messages and modals as plain text, the way a person sees them."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

WIDTH = 92
_LINK = re.compile(r"<(?:https?:)?//?[^|>]*\|([^>]*)>")
_ITALICS = re.compile(r"(?<!\w)_([^_\n]+)_(?!\w)")
_MENTION = re.compile(r"<@(\w+)>")

Json = dict[str, Any]


def render(message: Json, names: dict[str, str]) -> list[str]:
    """The lines of a message; `names` are people's by their ids."""
    blocks = message.get("blocks") or [
        {"type": "section", "text": {"type": "mrkdwn", "text": message["text"]}}
    ]
    return [line for block in blocks for line in _block(block, names)]


def render_view(view: Json, names: dict[str, str]) -> list[str]:
    """The lines of a modal, its title first and its buttons last; App Home has neither."""
    lines = [f"[ {view['title']['text']} ]"] if "title" in view else []
    lines += [line for block in view["blocks"] for line in _block(block, names)]
    ends = [view[end]["text"] for end in ("submit", "close") if end in view]
    return [*lines, " ".join(f"[{end}]" for end in ends)] if ends else lines


def _block(block: Json, names: dict[str, str]) -> Iterator[str]:
    kind = block["type"]
    if kind == "markdown":
        yield from _wrapped(block["text"])
    elif kind == "header":
        yield f"[ {block['text']['text']} ]"
    elif kind == "section":
        yield from _wrapped(_plain(block["text"]["text"], names))
        if "accessory" in block:
            yield f"[{block['accessory']['text']['text']}]"
    elif kind == "context":
        for element in block["elements"]:
            yield from _wrapped(_plain(element["text"], names))
    elif kind == "actions":
        yield " ".join(f"[{element['text']['text']}]" for element in block["elements"])
    elif kind == "context_actions":
        (buttons,) = block["elements"]
        good, bad = buttons["positive_button"], buttons["negative_button"]
        yield f"👍 {good['text']['text']}  👎 {bad['text']['text']}"
    elif kind == "input":
        yield from _input(block)


def _input(block: Json) -> Iterator[str]:
    yield block["label"]["text"]
    options: Sequence[Json] = block["element"].get("options", ())
    yield from _wrapped("  ".join(f"○ {option['text']['text']}" for option in options) or "____")


def _wrapped(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        indent = "  " if line.startswith(("- ", "> ")) else ""
        yield from textwrap.wrap(line, WIDTH, subsequent_indent=indent) or [""]


def _plain(mrkdwn: str, names: dict[str, str]) -> str:
    """Text as Slack shows it: links by their labels, people by their names."""
    text = _ITALICS.sub(r"\1", _LINK.sub(r"\1", mrkdwn))
    text = _MENTION.sub(lambda match: f"@{names.get(match[1], match[1])}", text)
    return html.unescape(text).replace("*", "").replace("`", "").replace("\u2060", "")
