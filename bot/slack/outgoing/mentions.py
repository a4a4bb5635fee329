"""Mentions in what we send: none notifies anybody, but for the people who are to be asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_MENTION = re.compile(r"<(?=[!@#])|(?<=@)(?=here|channel|everyone|group)", re.IGNORECASE)
_PERSON = re.compile(r"[UW][A-Z0-9]+")
_WORD_JOINER = "\u2060"


def defang(value: Any) -> Any:  # noqa: ANN401 - JSON in, the same JSON out
    """The same blocks or text, where nothing notifies anybody."""
    if isinstance(value, str):
        return _MENTION.sub(lambda match: match.group() + _WORD_JOINER, value)
    if isinstance(value, list):
        return [defang(item) for item in value]
    if isinstance(value, dict):
        return {key: defang(item) for key, item in value.items()}
    return value


def tagging(people: Sequence[str], content: dict[str, Any]) -> dict[str, Any]:
    """The content below a line that mentions these people; who is no person's id is left out."""
    line = " ".join(f"<@{person}>" for person in people if _PERSON.fullmatch(person))
    if not line:
        return content
    block = {"type": "section", "text": {"type": "mrkdwn", "text": line}}
    return {"text": f"{line} {content['text']}", "blocks": [block, *content["blocks"]]}
