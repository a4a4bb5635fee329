"""What a site's map says: addresses of pages, or of further maps, as sitemaps.org has it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from retrieval.errors import SourceError

MAX_BYTES = 64 * 2**20
"""The protocol wants 50 MB at most, unpacked."""

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Sitemap:
    """The addresses that it names: of pages, or of maps if it is an index."""

    is_index: bool
    addresses: tuple[str, ...]


def read_sitemap(data: bytes) -> Sitemap:
    """What a map names, also of one that is packed with gzip.

    Raises:
        SourceError: If it is none: what it does not name would be taken to have gone.
    """
    try:
        # expat bounds what entities may grow to, and fetches nothing
        root = ET.fromstring(_unpacked(data).strip())  # noqa: S314
    except (ET.ParseError, LookupError, ValueError) as error:
        raise SourceError(f"is no sitemap ({error})") from error
    kind = _local(root)
    if kind not in ("urlset", "sitemapindex"):
        raise SourceError(f"is no sitemap (it begins with <{kind[:40]}>)")
    parts = (part for entry in root for part in entry if _local(part) == "loc")
    return Sitemap(kind == "sitemapindex", tuple((part.text or "").strip() for part in parts))


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2].lower()


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(_GZIP):
        return data
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise SourceError("is no sitemap (it cannot be unpacked)") from error
    if not unpacker.eof:
        raise SourceError(f"is no sitemap (it breaks off, or is larger than {MAX_BYTES >> 20} MB)")
    return unpacked
