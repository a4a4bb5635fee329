"""Confluence's storage format as HTML: what stands on a page itself, and nothing that it includes.

What a macro brings in from elsewhere is left out and named, since whoever reads this page need not
be allowed to read that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html.entities import html5
from urllib.parse import quote_plus
from xml.etree import ElementTree as ET
from xml.parsers.expat import ErrorString

from retrieval.errors import SourceError

# Its names stand for letters only; expat bounds what they may grow to, and reads no files.
_ENTITIES = "".join(
    f'<!ENTITY {name[:-1]} "{"".join(f"&#38;#{ord(letter)};" for letter in text)}">'
    for name, text in html5.items()
    if name.endswith(";") and name[:-1] not in ("amp", "lt", "gt", "quot", "apos")
)
_HEAD = (
    f"<!DOCTYPE body [{_ENTITIES}]>"
    '<body xmlns:ac="ac" xmlns:ri="ri" xmlns:at="at" xmlns:atlassian="at">'
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_DEEPEST = 500

_AC, _RI = "{ac}", "{ri}"
_RENAMED = {
    **dict.fromkeys(("layout", "layout-section", "layout-cell", "rich-text-body"), "div"),
    **dict.fromkeys(("adf-extension", "adf-node", "adf-content", "caption"), "div"),
    **dict.fromkeys(("inline-comment-marker", "task-body"), "span"),
    **dict.fromkeys(("link-body", "plain-text-link-body"), "span"),
    "task-list": "ul",
    "task": "li",
}
_CODE = frozenset(("code", "noformat"))
_INCLUDES = frozenset(("include", "excerpt-include"))


def people_in(storage: str) -> set[str]:
    """The accounts that a page mentions: ids in the cloud, keys or names on servers."""
    return set(re.findall(r'ri:(?:account-id|userkey|username)="([^"]+)"', storage))


def html_of(storage: str, *, wiki: str, space: str, people: Mapping[str, str]) -> str:
    """A page's storage format as HTML.

    Args:
        storage: The page's body.
        wiki: The wiki's address, which links to other pages begin with.
        space: The key of the page's space, which links to pages without one are in.
        people: The names of those whom the page mentions.

    Raises:
        SourceError: If it is not well formed, or nested too deeply.
    """
    try:
        body = ET.fromstring(f"{_HEAD}{_CONTROLS.sub(' ', storage)}</body>")  # noqa: S314 - as above
    except ET.ParseError as error:
        raise SourceError(f"is not well formed ({ErrorString(error.code)})") from error
    _refuse_deep(body)
    place = _Place(wiki.rstrip("/"), space, people)
    for element in body.iter():  # parents first, so that what is dropped is not looked at again
        place.rewrite(element)
    return ET.tostring(body, encoding="unicode", method="html")


def _refuse_deep(body: ET.Element) -> None:
    level: list[ET.Element] = [body]
    for _ in range(_DEEPEST):
        level = [child for element in level for child in element]
        if not level:
            return
    raise SourceError(f"is nested more than {_DEEPEST} deep")


class _Place:
    """Rewrites elements in place, each without looking at more than its own children's children."""

    def __init__(self, wiki: str, space: str, people: Mapping[str, str]) -> None:
        self._wiki, self._space, self._people = wiki, space, people

    def rewrite(self, element: ET.Element) -> None:
        """Make an element of Confluence's one of HTML."""
        if not element.tag.startswith("{"):
            if element.tag == "time" and not element.text:
                element.text = element.get("datetime")
            return
        kind = element.tag.rpartition("}")[2]
        if not element.tag.startswith(_AC):
            _become(element, "span")  # a reference whose parent has used it
        elif kind in ("structured-macro", "macro"):
            self._macro(element)
        elif kind == "link":
            self._link(element)
        elif kind == "image":
            named = element.find(f"{_RI}attachment")
            filename = named.get(f"{_RI}filename") if named is not None else None
            shown = element.get(f"{_AC}alt") or filename or ""
            captions = element.findall(f"{_AC}caption")
            _become(element, "div", children=captions)
            element.insert(0, ET.Element("img", {"alt": shown}))
        elif kind == "emoticon":
            _become(element, "span", text=element.get(f"{_AC}emoji-fallback") or "")
        elif kind == "task-status":
            _become(element, "span", text="[x] " if element.text == "complete" else "[ ] ")
        elif kind in _RENAMED:
            element.tag = _RENAMED[kind]
            element.attrib.clear()
        else:  # parameters, identifiers, placeholders, and fallbacks for what stands beside them
            _become(element, "span")

    def _macro(self, macro: ET.Element) -> None:
        name = macro.get(f"{_AC}name", "")
        parameters = {p.get(f"{_AC}name", ""): p for p in macro.findall(f"{_AC}parameter")}
        told = {key: "".join(p.itertext()).strip() for key, p in parameters.items()}
        plain = macro.findtext(f"{_AC}plain-text-body")
        rich = macro.find(f"{_AC}rich-text-body")
        if told.get("hidden") == "true":
            _become(macro, "div")
        elif name == "status":
            _become(macro, "span", text=told.get("title", ""))
        elif name in _INCLUDES:
            self._include(macro, name)
        elif plain is not None and name in _CODE:
            code = ET.Element("code", {"class": f"language-{told.get('language', '')}"})
            code.text = plain
            _become(macro, "div", children=[*_titled(told, "p"), _within("pre", code)])
        elif name == "expand" and rich is not None:
            _become(macro, "details", children=[*_titled(told, "summary"), rich])
        elif rich is not None:
            _become(macro, "div", children=[*_titled(told, "p"), rich])
        elif plain is not None and name != "html":
            _become(macro, "pre", text=plain)
        else:
            _become(macro, "span", text=told.get("key", ""))  # such as an issue's

    def _include(self, macro: ET.Element, name: str) -> None:
        page = macro.find(f".//{_RI}page")
        title = page.get(f"{_RI}content-title", "") if page is not None else ""
        children = [] if page is None else [self._to_page(page, title)]
        what = "an excerpt" if name == "excerpt-include" else "the text"
        _become(macro, "p", text=f"Here stands {what} of another page: ", children=children)

    def _link(self, link: ET.Element) -> None:
        bodies = [
            child
            for child in link
            if child.tag in (f"{_AC}link-body", f"{_AC}plain-text-link-body")
            and "".join(child.itertext()).strip()
        ]
        page, user, file = (link.find(f"{_RI}{kind}") for kind in ("page", "user", "attachment"))
        text = ""
        if user is not None:
            ids = (user.get(f"{_RI}{kind}") for kind in ("account-id", "userkey", "username"))
            id_ = next(filter(None, ids), "")
            text = self._people.get(id_, "somebody")
        elif file is not None:
            text = file.get(f"{_RI}filename", "")
        else:
            text = link.get(f"{_AC}anchor", "")
        if page is not None:
            target = self._to_page(page, page.get(f"{_RI}content-title", ""))
            shown = "" if bodies else target.text or ""
            _become(link, "a", text=shown, children=bodies, attributes=target.attrib)
        else:
            _become(link, "span", text="" if bodies else text, children=bodies)

    def _to_page(self, page: ET.Element, title: str) -> ET.Element:
        space = page.get(f"{_RI}space-key") or self._space
        link = ET.Element("a", {"href": f"{self._wiki}/display/{space}/{quote_plus(title)}"})
        link.text = title
        return link


def _become(
    element: ET.Element,
    tag: str,
    *,
    text: str = "",
    children: Iterable[ET.Element] = (),
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Make an element another one, with other children; what follows it stays."""
    kept, tail = list(children), element.tail
    element.clear()
    element.tag, element.text, element.tail = tag, text, tail
    element.attrib.update(attributes or {})
    element.extend(kept)
    for child in kept:
        child.tail = None


def _titled(told: Mapping[str, str], tag: str) -> list[ET.Element]:
    title = told.get("title")
    if not title:
        return []
    element = ET.Element(tag)
    element.text = title
    return [element]


def _within(tag: str, child: ET.Element) -> ET.Element:
    element = ET.Element(tag)
    element.append(child)
    return element
