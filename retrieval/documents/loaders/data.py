"""Reads JSON and YAML where they are prose: questions with answers, long texts; not settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from retrieval.documents.loaders.blocks import Block, FilePath, Loaded, one_line, sections_of
from retrieval.documents.loaders.front_matter import other_names, refuse, told
from retrieval.documents.loaders.text import decode
from retrieval.documents.loaders.written import Written, reading_as_written
from retrieval.errors import NoDocumentError, UnreadableError
from retrieval.labels import may_restrict, names_audience
from retrieval.language import words

MAX_VALUES = 500_000
"""Aliases make a small YAML file as large as one likes."""

MIN_PROSE_CHARS = 200
"""A file without questions is prose if its long texts have so many characters, and half of all."""

LONG_CHARS, LONG_WORDS = 40, 6

_COMMENT = re.compile(r"(?:^|[\s,{\[])(?://|/\*)")

# fmt: off
QUESTIONS = ("question", "q", "prompt", "query", "问题", "問題", "问")
TITLES = (*QUESTIONS, "title", "name", "subject", "heading", "headline", "term", "标题", "標題")
ANSWERS = (
    "answer", "a", "answers", "response", "reply", "solution", "completion", "答案", "回答", "答",
)
TEXTS = (
    *ANSWERS, "text", "body", "content", "description", "summary", "definition", "正文", "内容",
)
# fmt: on


def load_data(data: bytes, path: FilePath) -> list[Loaded]:
    """One document of a JSON, JSON lines or YAML file; an `audience` at its top is its label.

    Raises:
        NoDocumentError: If it is data, not prose.
        RestrictedError: If it may say who reads it, in a way that cannot be read for sure.
        UnreadableError: If it is not what its suffix says.
    """
    suffix = path.suffix.lower()
    value = _parsed(decode(data), suffix)
    if not _is_prose(value):
        raise NoDocumentError(suffix)
    top: Mapping[Any, Any] = value if isinstance(value, dict) else {"values": value}
    is_labelled = "audience" in top
    refuse(filter(names_audience if is_labelled else may_restrict, other_names(top)))
    audience = told(top["audience"]) if is_labelled else None
    rest = {key: held for key, held in top.items() if key != "audience"}
    title = next((rest[k] for k in ("title", "name") if isinstance(rest.get(k), str)), None)
    blocks = _blocks(rest if isinstance(value, dict) else value, 1)
    return [
        Loaded(sections_of(blocks), title=one_line(title) if title else None, audience=audience)
    ]


def _parsed(text: str, suffix: str) -> object:
    try:
        if suffix == ".json":
            return _json(text)
        if suffix in (".jsonl", ".ndjson"):
            return [_json(line) for line in text.split("\n") if line.strip()]
    except ValueError as error:
        if _COMMENT.search(text):  # as only programs' settings have
            raise NoDocumentError(suffix) from error
        raise UnreadableError("is not valid JSON") from error
    import yaml

    try:
        loader = reading_as_written(getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        documents = [*yaml.load_all(text, Loader=loader)]
    except yaml.constructor.ConstructorError as error:  # names classes, as programs' settings do
        raise NoDocumentError(suffix) from error
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableError("is not valid YAML") from error
    return documents[0] if len(documents) == 1 else documents


def _json(text: str) -> object:
    return json.loads(text, parse_int=Written, parse_float=Written)


def _said(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_prose(value: object) -> bool:
    total = long = count = 0
    has_pair = False
    left = [value]
    while left:
        value = left.pop()
        count += 1
        if count > MAX_VALUES:
            raise UnreadableError(f"holds more than {MAX_VALUES:,} values")
        if isinstance(value, dict):
            has_pair = has_pair or (_has(value, QUESTIONS) and _has(value, ANSWERS))
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, str):
            total += len(value)
            long += len(value) if _is_long(value) else 0
    return has_pair or (long >= MIN_PROSE_CHARS and long * 2 >= total)


def _has(value: Mapping[Any, Any], names: tuple[str, ...]) -> bool:
    return any(
        isinstance(key, str) and key.lower() in names and held and isinstance(held, str | list)
        for key, held in value.items()
    )


def _is_long(text: str) -> bool:
    # Addresses and code have few spaces; a CJK character counts as a word.
    is_spaced = len(text) >= LONG_CHARS and text.count(" ") * 15 >= len(text)
    return len(words(text)) >= LONG_WORDS and (is_spaced or not text.isascii())


def _blocks(value: object, level: int, name: str = "") -> Iterator[Block]:
    if isinstance(value, dict):
        title = _title(value)
        heading = one_line(str(value[title])) if title is not None else name
        if heading:
            yield Block(heading, level=min(level, 6))
        for key, held in value.items():
            if key != title:
                yield from _entry(str(key), held, level + bool(heading))
    elif isinstance(value, list):
        if name:
            yield Block(name, level=min(level, 6))
        for item in value:
            yield from _item(item, level + bool(name))
    elif value is not None:
        yield Block(_said(value))


def _item(item: object, level: int) -> Iterator[Block]:
    if isinstance(item, dict | list):
        yield from _blocks(item, level)
    elif item is not None:
        yield Block(f"- {_said(item)}", is_tight=True)


def _entry(key: str, held: object, level: int) -> Iterator[Block]:
    if isinstance(held, dict) or (isinstance(held, list) and held):
        is_plain = isinstance(held, list) and not any(isinstance(i, dict | list) for i in held)
        if is_plain and key.lower() not in TEXTS:
            yield Block(f"{key}:")
        yield from _blocks(held, level, "" if is_plain else key)
    elif held not in (None, "", [], {}):
        text = _said(held).strip()
        is_text = key.lower() in TEXTS or "\n" in text
        yield Block(text if key.lower() in TEXTS else f"{key}: {text}", is_tight=not is_text)


def _title(value: Mapping[Any, Any]) -> object:
    """The key of what an object is called: of a question, a title, a name."""
    for wanted in TITLES:
        for key, held in value.items():
            if str(key).lower() == wanted and isinstance(held, str) and 0 < len(held) <= 300:
                return key
    return None
