"""Which addresses of documents may be linked: of the hosts that settings name, or of any."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

HOST = re.compile(r"(?:https?://)?(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d{1,5})?")
"""How a setting names a host; `*.` stands for whatever lies below it."""

_PLACE = re.compile(r"(?P<host>[a-z0-9-]+(?:\.[a-z0-9-]+)*)(?P<port>:\d{1,5})?")
_USUAL_PORTS = {"https": ":443", "http": ":80"}


@dataclass(frozen=True, slots=True)
class LinkRules:
    """The hosts that may be linked; none named: all, over https alone.

    A host is named as `docs.example`, with everything below it as `*.example`, or, to be linked
    without TLS as well, as `http://wiki`. Where `shows_host`, links say where they lead.
    """

    hosts: tuple[str, ...] = ()
    shows_host: bool = False

    def address(self, url: str | None) -> str | None:
        """The address as a link can hold it, or None if it may not be linked."""
        host = host_of(url or "")
        if url is None or host is None or not self._allow(host):
            return None
        return quote(url, safe="/:?#[]@!$&'()*+,;=%~")

    def _allow(self, host: str) -> bool:
        if not self.hosts:
            return host.startswith("https://")
        return any(_is_below(host, named) for named in self.hosts)


def unlinked(urls: Iterable[str | None], rules: LinkRules) -> list[str]:
    """What addresses that may not be linked lead to, in alphabetical order."""
    refused = (url for url in urls if url and rules.address(url) is None)
    return sorted({host_of(url) or repr(url) for url in refused})


ANY_HOST = LinkRules()
"""Whatever host a document names, over https."""


def host_of(url: str) -> str | None:
    """Scheme and host of a web address, as `https://docs.example`; None for any other.

    An address that may be read in two ways is none: with a name before the host, letters that look
    like others in it, or characters that nobody sees.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    scheme, place = parts.scheme, _PLACE.fullmatch(parts.netloc.lower())
    if scheme not in _USUAL_PORTS or place is None or "\\" in url or not url.isprintable():
        return None
    port = place["port"] or ""
    return f"{scheme}://{place['host']}{'' if port == _USUAL_PORTS[scheme] else port}"


def _is_below(host: str, named: str) -> bool:
    scheme, _, name = named.rpartition("://")
    found_scheme, _, found = host.partition("://")
    if found_scheme != "https" and scheme != found_scheme:
        return False
    return found.endswith(name[1:]) if name.startswith("*.") else found == name


def bare_address(url: str) -> str:
    """What an address and the words that people write for it have in common."""
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", url.strip().lower()).rstrip("/")
