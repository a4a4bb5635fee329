"""A message's words, without what only Slack understands."""

from __future__ import annotations

import re

from bot.slack.incoming.payloads import Body
from retrieval.documents.loaders.slack_words import message_words

# Not after a letter or digit: 10:30:15 is a time.
_EMOJI = re.compile(r"(?<![A-Za-z0-9:]):[a-z0-9_+'-]+(?:::skin-tone-\d)?:(?![A-Za-z0-9])")
_MARKUP = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")


def mentions(text: str, user: str) -> bool:
    """Whether Slack's mrkdwn mentions somebody."""
    return f"<@{user}>" in text or f"<@{user}|" in text


def plain_words(message: Body, *, bot_user: str) -> str:
    """All words of a message, wherever in it they stand, as `plain` gives them."""
    return plain(message_words(message), bot_user=bot_user)


def plain(text: str, *, bot_user: str) -> str:
    """A message's words: without our own mention, Slack's markup and emoji names."""

    def word(match: re.Match[str]) -> str:
        target, label = match.group(1), match.group(2)
        if target == f"@{bot_user}":
            return " "
        if target[0] in "#@!" and label and not target.startswith("!date^"):
            return target[0].replace("!", "@") + label.lstrip("@#")
        return label or target.removeprefix("!").removeprefix("mailto:")

    words = _EMOJI.sub(" ", _MARKUP.sub(word, text))
    words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return re.sub(r"[^\S\n]+", " ", words).strip()
