"""Reads the front matter of Markdown; refuses what may restrict readers and cannot be obeyed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from retrieval.documents.loaders.blocks import storable
from retrieval.errors import RestrictedError, UnreadableError
from retrieval.labels import label_of, may_restrict, names_audience, visible
from retrieval.records import PUBLIC

KEYS = ("title", "url", "audience", "owner", "language")
HEAD_CHARS = 20_000
LINE_CHARS = 200
"""How much of a text, and of a line, may be a head that says who reads it."""

_BLOCK = re.compile(
    r"\A(?:[\s\u200b-\u200f\u2060\ufeff]*\n)?[\u200b-\u200f\u2060\ufeff]*---[ \t]*\n"
    r"(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)",
    re.DOTALL,
)
_FENCE = re.compile(r"(?:[^\w\s]|_)+[ \t]*(?:ya?ml|toml|json)?", re.IGNORECASE)
_ENTRY = re.compile(r"\W*+(\w[^:=：﹕︓|]{0,59}?)\W*[:=：﹕︓|]")
_PAIR = re.compile(r"\W*+(\w++)\s++\S++")
_IN_BRACES = re.compile(r"([\w-]+)[\"']?\s*[:=：]")
_GOES_ON = re.compile(r"\W|\s*\Z")
_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL)


def front_matter(text: str) -> tuple[dict[str, str], str]:
    """The known keys of the YAML block that a Markdown text begins with, and the text after it.

    Raises:
        RestrictedError: If the text may say who reads it, in a way that cannot be read for sure.
        UnreadableError: If another known key has no single value.
    """
    match = _BLOCK.match(text)
    values = _mapping(match[1]) if match else None
    if match is None or values is None:
        refuse_unread(text)
        return {}, text
    body = text[match.end() :]
    if "audience" in values:
        refuse(filter(names_audience, other_names(values)))
    else:
        refuse(_restricting(values))
        refuse(filter(names_audience, _entries(_lines(match[1]))))
        refuse_unread(body)
    return _known(values), body


def refuse_unread(text: str) -> None:
    """Refuse a text that begins as if it said who may read it, where nothing of that is read.

    Raises:
        RestrictedError: With what it says.
    """
    head = _begun(_lines(text[:HEAD_CHARS]))
    while head and _FENCE.fullmatch(fence := head[0].strip()):
        end = _end(head, fence)
        refuse(filter(may_restrict, _fenced(head[1:end])))
        head = _begun(head[end + 1 :])
    first = head[: _end(head, "")]
    refuse(filter(names_audience, _entries(first)))
    if first and first[0].lstrip().startswith("{"):
        refuse(filter(names_audience, _IN_BRACES.findall("\n".join(first))))
    for comment in _COMMENT.findall(text):
        refuse(filter(names_audience, _entries(_lines(comment))))


def refuse(names: Iterable[str], *, where: str = "") -> None:
    """Refuse a file for the first of the names, which may restrict who reads it.

    Raises:
        RestrictedError: If there is one.
    """
    for name in names:
        raise RestrictedError(
            f"may restrict its readers by {name.strip()!a}{where}, which is not read; name it "
            "otherwise, or say `audience: LABEL` in front matter"
        )


def told(value: object) -> str:
    """The label that a file gives itself.

    Raises:
        RestrictedError: If it cannot be told for sure.
    """
    try:
        return label_of(value)
    except ValueError as error:
        raise RestrictedError(f"has front matter whose {error}") from error


def other_names(values: Mapping[Any, Any]) -> Iterator[str]:
    """The names in a mapping, however deep, but for its own `audience`."""
    yield from (str(name) for name in values if name != "audience")
    yield from _names([*values.values()])


def _mapping(block: str) -> dict[Any, Any] | None:
    import yaml

    try:
        node = yaml.compose(block, Loader=yaml.SafeLoader)
        values = yaml.safe_load(block)
    except yaml.YAMLError as error:
        if not re.search(r"^\w+:", block, re.MULTILINE):
            return None
        raise RestrictedError("has front matter that is not valid YAML") from error
    if not isinstance(values, dict):
        return None
    keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    if len(set(keys)) < len(keys):
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise RestrictedError(f"has front matter that says {repeated!r} twice")
    return values


def _known(values: Mapping[Any, Any]) -> dict[str, str]:
    known = {key: values[key] for key in KEYS if values.get(key) is not None}
    for key, value in known.items():
        if key != "audience" and isinstance(value, (dict, list)):
            raise UnreadableError(f"has front matter whose {key} is not a single value")
    texts = {key: storable(str(value)).strip() for key, value in known.items()}
    if "audience" in values:
        texts["audience"] = told(values["audience"])
    return {key: text for key, text in texts.items() if text}


def _restricting(values: Mapping[Any, Any]) -> Iterator[str]:
    """What names may restrict readers, but those whose value says that everybody may read."""
    for name, value in values.items():
        if may_restrict(str(name)) and str(value).strip() != PUBLIC:
            yield str(name)
    yield from filter(may_restrict, _names([*values.values()]))


def _names(values: Any) -> Iterator[str]:  # noqa: ANN401 - whatever YAML may hold
    if isinstance(values, dict):
        yield from map(str, values)
        values = [*values.values()]
    if isinstance(values, list):
        for value in values:
            yield from _names(value)


def _entries(lines: Iterable[str]) -> Iterator[str]:
    """What stands before the first colon, equals sign or bar of each line."""
    return (match[1] for line in lines if (match := _ENTRY.match(line)))


def _fenced(lines: Iterable[str]) -> Iterator[str]:
    """The names in the lines of a head, up to the first line of prose."""
    for line in lines:
        match = _ENTRY.match(line) or _PAIR.fullmatch(line.strip())
        if match:
            yield match[1]
        elif not _GOES_ON.match(line):
            return


def _lines(text: str) -> list[str]:
    return [visible(line[:LINE_CHARS]) for line in text.splitlines()]


def _begun(lines: Sequence[str]) -> Sequence[str]:
    """The lines from the first on that is not blank."""
    return lines[next((n for n, line in enumerate(lines) if line.strip()), len(lines)) :]


def _end(lines: Sequence[str], mark: str) -> int:
    """Where the first lines end: before one that is only the mark."""
    return next((n for n, line in enumerate(lines) if n and line.strip() == mark), len(lines))
