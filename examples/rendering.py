"""Slack messages and modals as plain text, the way a person sees them."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

WIDTH = 92
_TOKEN = re.compile(
    r"<@(?P<person>\w+)>"
    r"|<(?:https?:)?//?[^|>]*\|(?P<label>[^>]*)>"
    r"|(?P<mark>\*+|`|(?<!\w)_(?=[^_\s])|(?<=[^_\s])_(?!\w))"
)
_STYLES = {"*": "bold", "`": "code", "_": "italic"}

Json = dict[str, Any]


class Piece(NamedTuple):
    """What a block shows: text in mrkdwn, labels of buttons, questions of a form."""

    kind: str
    texts: tuple[str, ...]


class Run(NamedTuple):
    """Text in one style; `styles` are of bold, italic, code, link and mention."""

    text: str
    styles: frozenset[str]


def render(message: Json, names: dict[str, str]) -> list[str]:
    """The lines of a message; `names` are people's by their ids."""
    return [line for piece in pieces(message) for line in _lines(piece, names)]


def render_view(view: Json, names: dict[str, str]) -> list[str]:
    """The lines of a modal, its title first and its buttons last; App Home has neither."""
    lines = [f"[ {view['title']['text']} ]"] if "title" in view else []
    lines += render(view, names)
    ends = [view[end]["text"] for end in ("submit", "close") if end in view]
    return [*lines, " ".join(f"[{end}]" for end in ends)] if ends else lines


def pieces(message: Json) -> Iterator[Piece]:
    """What the blocks of a message or a modal show; ValueError where one is of no known type."""
    if not message.get("blocks"):
        yield Piece("text", (message["text"],))
    for block in message.get("blocks", ()):
        yield from _block(block)


def _block(block: Json) -> Iterator[Piece]:
    kind = block["type"]
    if kind == "markdown":
        yield Piece("markdown", (block["text"],))
    elif kind == "header":
        yield Piece("header", (block["text"]["text"],))
    elif kind == "section":
        yield Piece("text", (block["text"]["text"],))
        if "accessory" in block:
            yield Piece("buttons", (block["accessory"]["text"]["text"],))
    elif kind == "context":
        yield Piece("context", tuple(element["text"] for element in block["elements"]))
    elif kind == "actions":
        yield Piece("buttons", tuple(element["text"]["text"] for element in block["elements"]))
    elif kind == "context_actions":
        (buttons,) = block["elements"]
        ends = (buttons["positive_button"], buttons["negative_button"])
        yield Piece("votes", tuple(button["text"]["text"] for button in ends))
    elif kind == "input":
        options = (option["text"]["text"] for option in block["element"].get("options", ()))
        yield Piece("input", (block["label"]["text"], *options))
    else:
        raise ValueError(f"no block of type {kind} can be shown")


def runs(mrkdwn: str, names: dict[str, str]) -> Iterator[Run]:
    """Text as Slack shows it: links by their labels, people by their names."""
    styles: frozenset[str] = frozenset()
    end = 0
    for token in _TOKEN.finditer(mrkdwn):
        yield Run(_unescaped(mrkdwn[end : token.start()]), styles)
        end = token.end()
        if token["mark"]:
            styles ^= {_STYLES[token["mark"][0]]}
        elif token["person"]:
            name = names.get(token["person"], token["person"])
            yield Run(f"@{name}", styles | {"mention"})
        else:
            yield Run(_unescaped(token["label"]), styles | {"link"})
    yield Run(_unescaped(mrkdwn[end:]), styles)


def _unescaped(text: str) -> str:
    return html.unescape(text).replace("\u2060", "")


def _lines(piece: Piece, names: dict[str, str]) -> Iterator[str]:
    if piece.kind == "markdown":
        yield from _wrapped(*piece.texts)
    elif piece.kind == "header":
        yield f"[ {piece.texts[0]} ]"
    elif piece.kind == "buttons":
        yield " ".join(f"[{text}]" for text in piece.texts)
    elif piece.kind == "votes":
        yield "👍 {}  👎 {}".format(*piece.texts)
    elif piece.kind == "input":
        yield piece.texts[0]
        yield from _wrapped("  ".join(f"○ {text}" for text in piece.texts[1:]) or "____")
    else:
        for text in piece.texts:
            yield from _wrapped("".join(run.text for run in runs(text, names)))


def _wrapped(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        indent = "  " if line.startswith(("- ", "> ")) else ""
        yield from textwrap.wrap(line, WIDTH, subsequent_indent=indent) or [""]
