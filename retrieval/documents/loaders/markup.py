"""Loads HTML and Markdown: titles, addresses and labels, and what the pages say."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import Message

from selectolax.lexbor import LexborHTMLParser

from retrieval.documents.loaders.blocks import Block, Loaded, one_line, sections_of, title_of
from retrieval.documents.loaders.front_matter import (
    front_matter,
    refuse,
    refuse_exports,
    refuse_unread,
    told,
)
from retrieval.documents.loaders.html.page import PAGE, PageText, parse_page, read_page
from retrieval.documents.loaders.markdown.dialects import html_of
from retrieval.documents.loaders.text import decode
from retrieval.errors import UnreadableError
from retrieval.labels import may_restrict, names_audience

__all__ = ["PAGE", "blocks_of_html", "load_html", "load_markdown", "load_mdx", "load_mhtml"]

_META_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_CDATA = re.compile(r"<!\[CDATA\[((?:(?!<!\[CDATA\[).)*?)\]\]>", re.DOTALL)
_MACRO_BODIES = ("ac:rich-text-body", "ac:plain-text-body")
_WORDLESS_MACROS = frozenset(("anchor", "status", "toc", "toc-zone", "pagetree", "space-menu"))
_EMPTY_TAG = re.compile(r"<((?:ac|ri):[\w-]+)([^<>]*)/>")


def load_markdown(data: bytes, *, is_mdx: bool = False) -> list[Loaded]:
    """One document; its front matter may name title, url, audience, owner and language."""
    text = decode(data)
    values, body, gaps = front_matter(text)
    if is_mdx:
        refuse_exports(body)
    page = read_page(parse_page(html_of(body, is_mdx=is_mdx)), slugs=True, url=values.get("url"))
    return [
        Loaded(
            sections_of(page.blocks),
            title=values.get("title") or _title_of(page.blocks),
            url=values.get("url"),
            audience=values.get("audience"),
            owner=values.get("owner"),
            language=values.get("language"),
            gaps=(*gaps, *_gaps(page)),
        )
    ]


def load_mdx(data: bytes) -> list[Loaded]:
    """One document of Markdown with components, whose imports and exports are left out."""
    return load_markdown(data, is_mdx=True)


def load_html(data: bytes) -> list[Loaded]:
    """One document: what is seen of the page's main part, and its canonical address.

    `<meta name="audience" content="LABEL">` says who may read it.
    """
    return [_load_page(_decode_html(data))]


def load_mhtml(data: bytes) -> list[Loaded]:
    """One document: the page that a web archive was saved from.

    Raises:
        UnreadableError: If there is no page in it.
    """
    message = message_from_bytes(data)
    pages = [part for part in message.walk() if part.get_content_type() in _PAGES]
    if not pages:
        raise UnreadableError("is a web archive without a page in it")
    start = message.get_param("start")
    page = next((part for part in pages if start and part["Content-ID"] == start), pages[0])
    payload = page.get_payload(decode=True)
    url = message["Snapshot-Content-Location"] or page["Content-Location"]
    gaps = (f"frames of the page that are not read: {len(pages) - 1}",) if len(pages) > 1 else ()
    html = _decoded(payload if isinstance(payload, bytes) else b"", page)
    return [_load_page(html, url=str(url) if url else None, gaps=gaps)]


def blocks_of_html(html: str, *, slugs: bool = False) -> list[Block]:
    """The blocks of what is seen of a page, in reading order.

    With `slugs`, headings without an id get the anchor that GitHub gives them.
    """
    return read_page(parse_page(html), slugs=slugs).blocks


_PAGES = ("text/html", "application/xhtml+xml")


def _load_page(html: str, *, url: str | None = None, gaps: tuple[str, ...] = ()) -> Loaded:
    refuse_unread(html)
    if "<ac:" in html:  # the form that Confluence stores pages in
        html = _EMPTY_TAG.sub(r"<\1\2></\1>", _CDATA.sub(_escaped, html))
    tree = parse_page(html)
    gaps += _empty_macros(tree)
    canonical = tree.css_first("link[rel=canonical]")
    own = canonical.attributes.get("href") if canonical else None
    address = own or (url if url and url.startswith(("https://", "http://")) else None)
    page = read_page(tree, url=address)
    title, audience = _html_title(tree, page.blocks), _html_audience(tree)
    return Loaded(
        sections_of(page.blocks),
        title=title,
        url=address,
        audience=audience,
        gaps=(*gaps, *_gaps(page)),
    )


def _gaps(page: PageText) -> tuple[str, ...]:
    if not page.pale_chars:
        return ()
    return (f"{page.pale_chars} characters in the colour of their background are not read",)


def _empty_macros(tree: LexborHTMLParser) -> tuple[str, ...]:
    """What Confluence puts in where its macros stand, and the page itself does not hold."""
    names = (
        macro.attributes.get("ac:name")
        for macro in tree.css("ac\\:structured-macro, ac\\:macro")
        if all(child.tag not in _MACRO_BODIES for child in macro.iter())
    )
    found = sorted({name for name in names if name and name not in _WORDLESS_MACROS})
    return (f"macros whose words stand elsewhere: {', '.join(found)}",) if found else ()


def _escaped(match: re.Match[str]) -> str:
    return match[1].replace("&", "&amp;").replace("<", "&lt;")


def _title_of(blocks: list[Block]) -> str | None:
    return title_of(list(dict.fromkeys(blocks)))  # without headings that text comes back to


def _html_title(tree: LexborHTMLParser, blocks: list[Block]) -> str | None:
    element = tree.css_first("title")
    named = one_line(element.text()) if element else None
    has_top = any(block.level == 1 for block in blocks)
    # A lower heading, though it stands alone, is only a part of what the page is called.
    return _title_of(blocks) or named if has_top else named or _title_of(blocks)


def _html_audience(tree: LexborHTMLParser) -> str | None:
    named = [
        (name, meta.attributes.get("content"))
        for meta in tree.css("meta")
        for attribute in ("name", "property", "itemprop", "http-equiv")
        if (name := meta.attributes.get(attribute))
        and _restricts(re.split("[.:]", name)[-1])  # dcterms.audience
    ]
    refuse(
        (
            name
            for node in tree.css("html, body, main, article")
            for name in node.attributes
            if names_audience(name.removeprefix("data-"))
        ),
        where=" of an element",
    )
    refuse(
        (name for name, _ in named if name != "audience" or len(named) > 1), where=" of a <meta>"
    )
    return told(named[0][1]) if named else None


def _restricts(name: str) -> bool:
    # Names of several words are those of programs, such as `api-public-key`.
    return may_restrict(name) if name.isalpha() else names_audience(name)


def _decode_html(data: bytes) -> str:
    named = _META_CHARSET.search(data[:2048])
    # Pages are saved anew, and go on naming the encoding that they were in.
    if named is None or _is_utf8(data):
        return decode(data)
    try:
        return data.decode(named[1].decode("ascii"))
    except (LookupError, UnicodeDecodeError):
        return decode(data)


def _is_utf8(data: bytes) -> bool:
    try:
        return not data.isascii() and bool(data.decode())
    except UnicodeDecodeError:
        return False


def _decoded(data: bytes, part: Message) -> str:
    charset = part.get_content_charset()
    try:
        return data.decode(charset) if charset else _decode_html(data)
    except (LookupError, UnicodeDecodeError):
        return _decode_html(data)
