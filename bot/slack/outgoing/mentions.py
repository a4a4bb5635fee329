"""The last look at what we send: nothing notifies, links by itself or hides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from retrieval.answering.sanitise import without_hidden

_MENTION = re.compile(r"<(?=[!@#])|(?<=@)(?=here|channel|everyone|group)", re.IGNORECASE)
_PERSON = re.compile(r"[UW][A-Z0-9]+")
_WORD_JOINER = "\u2060"


def defang(value: Any) -> Any:  # noqa: ANN401 - JSON in, the same JSON out
    """The same blocks or text, where nothing notifies anybody and no character is hidden.

    In mrkdwn only what is written as a link is one; Slack would look for addresses of its own.
    """
    if isinstance(value, str):
        return _MENTION.sub(lambda match: match.group() + _WORD_JOINER, without_hidden(value))
    if isinstance(value, list):
        return [defang(item) for item in value]
    if isinstance(value, dict):
        is_mrkdwn = value.get("type") == "mrkdwn"
        return {key: defang(item) for key, item in value.items()} | (
            {"verbatim": True} if is_mrkdwn else {}
        )
    return value


def tagging(people: Sequence[str], content: dict[str, Any]) -> dict[str, Any]:
    """The content below a line that mentions these people; who is no person's id is left out."""
    line = " ".join(f"<@{person}>" for person in people if _PERSON.fullmatch(person))
    if not line:
        return content
    block = {"type": "section", "text": {"type": "mrkdwn", "text": line}}
    return {"text": f"{line} {content['text']}", "blocks": [block, *content["blocks"]]}
