"""What somebody wrote, fit to stand in Slack's mrkdwn: nothing in it links, formats or hides."""

from __future__ import annotations

import html
import re

from retrieval.answering.links import inert_code
from retrieval.answering.sanitise import sanitise_words, without_hidden

_MARKS = re.compile(r"(?<![^\W_])[*_~](?=\S)|(?<=\S)[*_~](?![^\W_])|`")
"""What begins or ends a format: between letters or between spaces they are only characters."""

_FOLDERS = re.compile(r"(?<![\w.:/<-])/(?:[^\s/:;,'\"`|]+/)+")

_LIKE = {"*": "∗", "_": "＿", "~": "∼", "`": "'"}


def quoted(text: str) -> str:
    """Words of a document or a person, in which nothing does anything; lines stay lines."""
    marked = _MARKS.sub(lambda match: _LIKE[match.group()], sanitise_words(text))
    return html.escape(marked, quote=False)


def code(text: str) -> str:
    """A name of a document or a folder as code, on one line."""
    name = inert_code(without_hidden(one_line(text)).replace("`", "'"), lambda _: False)
    return f"`{html.escape(name, quote=False)}`"


def reason_of(error: Exception) -> str:
    """What an error says, with the ends of paths alone: folders are the server's own matter."""
    return html.escape(_FOLDERS.sub("…/", without_hidden(str(error))), quote=False)


def one_line(text: str) -> str:
    """The text with every run of white space made one space."""
    return " ".join(text.split())
