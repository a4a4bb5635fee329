"""What somebody wrote, fit to stand in a Markdown file that others open."""

from __future__ import annotations

import html
import re

_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|~-])")
"""What Markdown would take for more than a character."""


def quoted(text: str) -> str:
    """The text in one line, with nothing in it that Markdown or HTML would heed."""
    return _MARKS.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))
