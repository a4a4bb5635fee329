"""Opens office files and books: zip archives of XML parts that name each other."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from retrieval.documents.loaders.blocks import one_line
from retrieval.documents.loaders.zips import BROKEN, is_encrypted, open_zip
from retrieval.errors import UnreadableError

Element = ET.Element

MAX_ENTRIES = 10_000
MAX_UNPACKED_BYTES = 512 * 2**20

_MAX_DIGITS = 8
_OLE = b"\xd0\xcf\x11\xe0"

_PREFIXES = {
    "wordprocessingml/main": "w",
    "spreadsheetml/main": "x",
    "presentationml/main": "p",
    "drawingml/main": "a",
    "drawingml/chart": "c",
    "drawingml/diagram": "dgm",
    "drawingml/wordprocessingDrawing": "wp",
    "drawingml/spreadsheetDrawing": "xdr",
    "drawingml/picture": "pic",
    "officeDocument/math": "m",
    "officeDocument/relationships": "r",
}
"""By namespace, without its host and year: the two dialects of Office's XML differ in these."""

_OPEN_DOCUMENT = re.compile(r"opendocument:xmlns:([\w-]+):\d")


@dataclass(frozen=True, slots=True)
class Relation:
    """What one part says about another; `target` is a part's name, or an address outside."""

    kind: str
    target: str
    is_external: bool


class Package:
    """An archive and the parts in it; names of XML elements are as `w|p`, of attributes as `val`.

    Raises:
        UnreadableError: If it is damaged, protected, or unpacks to too much.
    """

    def __init__(self, data: bytes) -> None:
        self._archive = _opened(data)
        self._names = {name.casefold(): name for name in self._archive.namelist()}
        self._relations: dict[str, dict[str, Relation]] = {}
        self.main = next(iter(self.related("", "officeDocument")), "")

    def read(self, name: str) -> bytes | None:
        """The bytes of a part; None if there is none of this name, whatever its case."""
        own = self._names.get(name.casefold())
        try:
            return None if own is None else self._archive.read(own)
        except BROKEN as error:
            raise UnreadableError(f"is damaged: {one_line(name)} cannot be unpacked") from error

    def xml(self, name: str) -> Element | None:
        """The root of a part that is XML, None if there is no such part."""
        data = self.read(name)
        return None if data is None else parsed(data, name)

    def stream(self, name: str, *tags: str) -> Iterator[tuple[str, Element]]:
        """The elements of some local names in a large part, each until the next is asked for."""
        data = self.read(name)
        if data is None:
            return
        try:
            for _, element in ET.iterparse(io.BytesIO(data)):  # noqa: S314 - as below
                if (tag := local_name(element)) in tags:
                    yield tag, element
                    element.clear()
        except ET.ParseError as error:
            raise UnreadableError(f"is damaged: {one_line(name)} is not XML ({error})") from error

    def relations(self, part: str) -> dict[str, Relation]:
        """What a part refers to, by id; the package itself has the name ''."""
        if part not in self._relations:
            folder, name = posixpath.split(part)
            root = self.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
            rows = [] if root is None else list(root)
            self._relations[part] = {row.get("Id", ""): _relation(folder, row) for row in rows}
        return self._relations[part]

    def related(self, part: str, kind: str) -> list[str]:
        """The parts that a part refers to in a way, such as `comments`."""
        rows = self.relations(part).values()
        return [row.target for row in rows if row.kind == kind and not row.is_external]

    def title(self) -> str | None:
        """The title that is recorded in the file."""
        for name in self.related("", "core-properties") or ["docProps/core.xml"]:
            root = self.xml(name)
            title = root.findtext("title") if root is not None else None
            if title and title.strip():
                return one_line(title)
        return None


def parsed(data: bytes, name: str) -> Element:
    """The root of an XML document, where what is said for several programs is said once.

    Raises:
        UnreadableError: If it is not well formed; the message names it.
    """
    try:
        root = ET.fromstring(data)  # noqa: S314 - expat bounds entities and fetches nothing
    except (ET.ParseError, LookupError, ValueError) as error:
        raise UnreadableError(f"is damaged: {one_line(name)} is not XML ({error})") from error
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = _short(element.tag)
        if element.attrib:
            named = {_attribute(key): value for key, value in element.attrib.items()}
            element.attrib.clear()
            element.attrib.update(named)
        while any(_is_alternatives(child) for child in element):
            element[:] = [own for child in element for own in _chosen(child)]
    return root


def local_name(element: Element) -> str:
    """The name of an element of `Package.stream`, which still has its namespace."""
    return element.tag.rpartition("}")[2]


def is_on(element: Element, name: str) -> bool:
    """Whether an attribute switches something on, which without it is off."""
    return element.get(name) in ("1", "true", "on")


def whole(text: str | None, otherwise: int = 0, *, digits: int = _MAX_DIGITS) -> int:
    """The whole number in an attribute; `otherwise` where it holds none, or more digits."""
    return int(text) if text and text.isdecimal() and len(text) <= digits else otherwise


def _opened(data: bytes) -> zipfile.ZipFile:
    if data.startswith(_OLE):
        raise UnreadableError("is protected with a password, or in the format of Office 97")
    archive = open_zip(io.BytesIO(data), max_files=MAX_ENTRIES, max_bytes=MAX_UNPACKED_BYTES)
    if any(map(is_encrypted, archive.infolist())):
        raise UnreadableError("is protected with a password")
    return archive


def _relation(folder: str, row: Element) -> Relation:
    is_external = row.get("TargetMode") == "External"
    target = row.get("Target", "")
    if not is_external:
        target = posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
    return Relation(row.get("Type", "").rpartition("/")[2], target, is_external)


def _is_alternatives(element: Element) -> bool:
    return isinstance(element.tag, str) and element.tag.endswith("AlternateContent")


def _chosen(element: Element) -> list[Element]:
    if not _is_alternatives(element):
        return [element]
    return next((list(choice) for choice in element if len(choice)), [])


@lru_cache(10_000)
def _short(name: str) -> str:
    namespace, _, local = name.rpartition("}")
    path = namespace.partition("://")[2].partition("/")[2]
    prefix = _PREFIXES.get(path.removeprefix("ooxml/").replace("/2006/", "/"))
    if prefix is None and (own := _OPEN_DOCUMENT.search(namespace)):
        prefix = own[1]
    return f"{prefix}|{local}" if prefix else local


@lru_cache(10_000)
def _attribute(name: str) -> str:
    short = _short(name)
    return short if short.startswith("r|") else short.rpartition("|")[2]
