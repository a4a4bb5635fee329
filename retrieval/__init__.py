"""A question in, a cited answer out. Knows nothing of Slack or of ratings.

What programs need is imported from here: `from retrieval import Documents`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrieval.errors import RetrievalError
    from retrieval.facade import Documents
    from retrieval.records import Answer, Citation, Hit, Message, Passage, Source
    from retrieval.settings import Settings

__all__ = [
    "Answer",
    "Citation",
    "Documents",
    "Hit",
    "Message",
    "Passage",
    "RetrievalError",
    "Settings",
    "Source",
]

_PLACES = {"Documents": "facade", "RetrievalError": "errors", "Settings": "settings"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever has the name
    # Imported when it is asked for: the program's help waits for none of it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES.get(name, 'records')}"), name)
