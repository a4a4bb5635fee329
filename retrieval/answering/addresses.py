"""The only addresses that an answer may have: of the documents it cites, and in them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from retrieval.answering.links import DOMAIN
from retrieval.answering.sanitise import sanitise
from retrieval.linking import ANY_HOST, LinkRules
from retrieval.records import Citation

_ADDRESS = re.compile(
    r"(?:(?:https?|s?ftps?|ssh|git|svn|rsync)://|(?<![\w@./+-])(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}/)[\w./?#&=%+:~@!$,;*-]*"
    rf"|{DOMAIN}",
    re.IGNORECASE | re.ASCII,
)
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget)\b.{0,40}\b(?:instruction|prompt|rule)s?\b|\bevery answer\b"
    r"|(?:忽略|无视).{0,20}(?:指令|指示|提示|规则)",
    re.IGNORECASE,
)


def sanitise_answer(text: str, citations: Sequence[Citation], links: LinkRules) -> str:
    """An answer's text in which only the addresses of what it cites do something."""
    allowed = addresses(citations, links)
    return sanitise(text, allowed_urls=allowed, shows_urls=links.shows_host)


def addresses(citations: Sequence[Citation], links: LinkRules = ANY_HOST) -> set[str]:
    """The only addresses that an answer may contain: of the documents it cites, and in them.

    A passage that gives orders to a model lends none. Where hosts are named that may be linked,
    all others go.
    """
    cited = [citation.passage for citation in citations]
    own = (url for passage in cited for url in (passage.link, passage.source.url) if url)
    trusted = [passage.text for passage in cited if not gives_orders(passage.text)]
    found = (url.rstrip(".,;:!?'*_~") for text in trusted for url in _ADDRESS.findall(text))
    if links.hosts:
        found = (url for url in found if links.address(url if "//" in url else f"https://{url}"))
    return {*filter(links.address, own), *found}


def gives_orders(text: str) -> bool:
    """Whether a text orders a model about."""
    return bool(_ORDER.search(text))
