"""The terms of a text as the index in Postgres looks them up."""

from __future__ import annotations

import hashlib

from retrieval.search.lexical import terms

LONGEST = 200
"""So many characters of a term are kept: a row of an index of Postgres has 2,700 bytes at most."""


def keys(text: str) -> list[str]:
    """The terms of a text, as `terms`; a digest stands for what is too long to be looked up."""
    return [term if len(term) <= LONGEST else _digest(term) for term in terms(text)]


def _digest(term: str) -> str:
    return hashlib.sha256(term.encode()).hexdigest()
