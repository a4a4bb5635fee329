"""Notion's blocks and properties as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from html import escape
from itertools import groupby

from retrieval.models.client import JsonObject

Children = Callable[[JsonObject], Iterable[JsonObject]]
"""Gives the blocks within a block."""

_LISTS = {"bulleted_list_item": "ul", "numbered_list_item": "ol", "to_do": "ul"}
_HEADINGS = {f"heading_{level}": f"h{level}" for level in range(1, 7)}
_FILES = frozenset(("image", "video", "file", "pdf", "audio"))
_LINKS = frozenset(("bookmark", "embed", "link_preview"))
_PAGES = frozenset(("child_page", "child_database"))
_SILENT = frozenset(("breadcrumb", "divider", "link_to_page", "table_of_contents", "unsupported"))
_WITHIN = {"quote": "blockquote", "template": "div"}


def blocks_html(blocks: Iterable[JsonObject], children: Children) -> str:
    """Blocks with all that is within them."""
    parts = []
    for tag, run in groupby(blocks, lambda block: _LISTS.get(block["type"])):
        shown = "".join(_block(block, children) for block in run)
        parts.append(f"<{tag}>{shown}</{tag}>" if tag else shown)
    return "".join(parts)


def _block(block: JsonObject, children: Children) -> str:
    kind = block["type"]
    told = block.get(kind) or {}
    if kind in _SILENT:
        return ""
    if kind in _PAGES:  # a document of its own
        return f"<p>{escape(told.get('title', ''))}</p>"
    if kind == "table":
        return _table(told, children(block))
    text = rich_html(told.get("rich_text") or told.get("title") or ())
    within = blocks_html(children(block), children)
    if kind in _LISTS:
        done = "" if kind != "to_do" else "[x] " if told.get("checked") else "[ ] "
        return f"<li>{done}{text}{within}</li>"
    if kind in _HEADINGS:
        tag = _HEADINGS[kind]
        return f'<{tag} id="{block["id"].replace("-", "")}">{text}</{tag}>{within}'
    if kind == "toggle":
        return f"<details><summary>{text}</summary>{within}</details>"
    return _leaf(kind, told, text) + within


def _leaf(kind: str, told: JsonObject, text: str) -> str:
    caption = rich_html(told.get("caption") or ())
    if kind == "code":
        plain = "".join(part["plain_text"] for part in told.get("rich_text", ()))
        language = escape(told.get("language") or "")
        code = f'<pre><code class="language-{language}">{escape(plain)}</code></pre>'
        return code + (f"<p>{caption}</p>" if caption else "")
    if kind == "equation":
        return f"<p>$${escape(told.get('expression', ''))}$$</p>"
    if kind in _LINKS:
        url = escape(told.get("url") or "")
        return f'<p><a href="{url}">{caption or url}</a></p>'
    if kind in _FILES:  # addresses of files at Notion are secret, and soon over
        return f"<p>{' '.join(filter(None, (escape(told.get('name') or ''), caption)))}</p>"
    if kind == "callout" and (icon := (told.get("icon") or {}).get("emoji")):
        text = f"{escape(icon)} {text}"
    tag = _WITHIN.get(kind, "p")
    return f"<{tag}>{text}</{tag}>" if text else ""


def _table(told: JsonObject, rows: Iterable[JsonObject]) -> str:
    shown = []
    for number, row in enumerate(rows):
        cells = []
        for column, cell in enumerate(row["table_row"]["cells"]):
            is_head = (told.get("has_column_header") and number == 0) or (
                told.get("has_row_header") and column == 0
            )
            tag = "th" if is_head else "td"
            cells.append(f"<{tag}>{rich_html(cell)}</{tag}>")
        shown.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(shown)}</table>"


def rich_html(parts: Iterable[JsonObject]) -> str:
    """Text with its links; what it looks like is kept for code and what is struck out only."""
    return "".join(map(_part, parts))


def _part(part: JsonObject) -> str:
    text = escape(part["plain_text"])
    if part.get("type") == "equation":
        text = f"${text}$"
    look = part.get("annotations") or {}
    for name, tag in (("code", "code"), ("strikethrough", "s")):
        if look.get(name):
            text = f"<{tag}>{text}</{tag}>"
    href = part.get("href") or ""
    if href.startswith(("http://", "https://", "mailto:")):
        text = f'<a href="{escape(href)}">{text}</a>'
    return text.replace("\n", "<br>")


def properties_html(properties: JsonObject) -> str:
    """A line for each property of a page that says something, but for its title."""
    lines = []
    for name, told in properties.items():
        value = "" if told["type"] == "title" else property_text(told)
        if value:
            lines.append(f"<p>{escape(name)}: {escape(value)}</p>")
    return "".join(lines)


def property_text(told: JsonObject) -> str:
    """What a property says, as people read it; empty for what leads elsewhere only."""
    kind = told["type"]
    return ", ".join(filter(None, _values(kind, told.get(kind))))


def _values(kind: str, value: object) -> Iterator[str]:  # noqa: C901 - one case for each kind
    match kind, value:
        case _, None:
            return
        case (("title" | "rich_text"), list()):
            yield "".join(part["plain_text"] for part in value)
        case (("select" | "status" | "created_by" | "last_edited_by"), dict()):
            yield value.get("name") or ""
        case (("multi_select" | "people" | "files"), list()):
            yield from (item.get("name") or "" for item in value)
        case "date", dict():
            yield " to ".join(filter(None, (value.get("start"), value.get("end"))))
        case (("checkbox" | "boolean"), bool()):
            yield "yes" if value else "no"
        case "unique_id", dict():
            yield "-".join(str(v) for v in (value.get("prefix"), value.get("number")) if v)
        case (("formula" | "rollup"), dict()):
            yield from _values(value["type"], value.get(value["type"]))
        case "array", list():
            yield from (property_text(item) for item in value)
        case _, (str() | int() | float()):
            yield str(value)
