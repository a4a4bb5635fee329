from __future__ import annotations

import gzip

import pytest

from retrieval.errors import SourceError
from retrieval.sources.sitemaps import MAX_BYTES, read_sitemap

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
MAP = f"""<?xml version="1.0" encoding="UTF-8"?>
<urlset {NAMESPACE} xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
  <url><loc> https://docs.example/a?x=1&amp;y=2 </loc><lastmod>2026-01-01</lastmod>
    <image:image><image:loc>https://docs.example/a.png</image:loc></image:image></url>
  <url><loc><![CDATA[https://docs.example/b]]></loc></url>
</urlset>""".encode()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: b"\n" + data])
def test_a_map_names_pages(pack: type[bytes]) -> None:
    sitemap = read_sitemap(pack(MAP))
    assert sitemap.addresses == ("https://docs.example/a?x=1&y=2", "https://docs.example/b")
    assert not sitemap.is_index


def test_an_index_names_maps() -> None:
    text = f"<sitemapindex {NAMESPACE}><sitemap><loc>https://a/b</loc></sitemap></sitemapindex>"
    sitemap = read_sitemap(text.encode())
    assert (sitemap.is_index, sitemap.addresses) == (True, ("https://a/b",))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><body>maintenance</body></html>",
        b"<!doctype html><p>maintenance",
        b"<rss><channel/></rss>",
        b"https://docs.example/a\n",
        MAP[:-20],
        MAP.replace(b"UTF-8", b"unheard-of"),
        gzip.compress(MAP, mtime=0)[:-20],
        gzip.compress(MAP, mtime=0)[:5] + b"\xff" * 90,
        gzip.compress(b" " * (MAX_BYTES + 1), mtime=0),
    ],
)
def test_what_is_no_map_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError, match="is no sitemap"):
        read_sitemap(data)
