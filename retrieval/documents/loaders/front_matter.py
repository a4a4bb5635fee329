"""Reads the front matter of Markdown; refuses what may restrict readers and cannot be obeyed."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from retrieval.documents.loaders.blocks import storable
from retrieval.documents.loaders.written import reading_as_written
from retrieval.errors import RestrictedError, UnreadableError
from retrieval.labels import label_of, may_restrict, names_audience, visible
from retrieval.records import PUBLIC

KEYS = ("title", "url", "audience", "owner", "language")
HEAD_CHARS = 20_000
LINE_CHARS = 200
MAX_BLOCK_CHARS = 100_000
"""How much of a text, and of a line, may be a head that says who reads it."""

_BLOCK = re.compile(
    r"\A(?:[\s\u200b-\u200f\u2060\ufeff]*\n)?[\u200b-\u200f\u2060\ufeff]*---[ \t]*\n"
    r"(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)",
    re.DOTALL,
)
_FENCE = re.compile(r"(?:[^\w\s]|_)+[ \t]*(?:ya?ml|toml|json)?", re.IGNORECASE)
_ENTRY = re.compile(r"\W*+(\w[^:=：﹕︓|]{0,59}?)\W*[:=：﹕︓|]")
_NAMED = [
    re.compile(rf"\W*+(\w[^{ends}\n]{{0,59}}?)\W{{0,1000}}[{ends}]")
    for ends in (":", ":=", ":=：﹕︓")  # what else may end a name may stand in one, too
]
_PAIR = re.compile(r"\W*+(\w++)\s++\S++")
_IN_BRACES = re.compile(r"([\w-]+)[\"']?\s*[:=：]")
_GOES_ON = re.compile(r"\W|\s*\Z")
_COMMENT = re.compile(r"(?:<!--|\{/\*)(.*?)(?:-->|\*/\}|\Z)", re.DOTALL)
_BEHIND = re.compile(r"[ \t]#(.*)")
_TOML = re.compile(
    r"\A(?:[\s\ufeff]*\n)?\ufeff*\+\+\+[ \t]*\n(.*?\n)\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL
)
_EXPORT = re.compile(r"^export\b.*(?:\n(?![ \t]*\n).*)*", re.MULTILINE)
_EXPORTED = re.compile(r"([\w-]+)[\"']?\s*[:=]")
_PLAIN_YAML = re.compile(r"([A-Za-z][\w-]*):(?:[ \t]+(.*))?")
_PLAIN_TOML = re.compile(r"([A-Za-z][\w-]*)[ \t]*=[ \t]*(.*)")
_SIMPLE = re.compile(r"([\"']?)([\w.@+-]+(?:[: ][\w.@+-]+)?)\1")


def front_matter(text: str) -> tuple[dict[str, str], str, tuple[str, ...]]:
    """The known keys of the block that a Markdown text begins with, and the text after it.

    A block is YAML between `---` or TOML between `+++`. One that is not quite valid is read line
    by line.

    Returns:
        The keys with their values, the text, and what could not be read of the block.

    Raises:
        RestrictedError: If the text may say who reads it, in a way that cannot be read for sure.
    """
    match = _BLOCK.match(text)
    is_toml = match is None and (match := _TOML.match(text)) is not None
    if match is None:
        refuse_unread(text)
        return {}, text, ()
    if len(match[1]) > MAX_BLOCK_CHARS:
        if _ENTRY.match(next(iter(_begun(_lines(match[1][:HEAD_CHARS]))), "")):
            raise RestrictedError(f"has front matter of more than {MAX_BLOCK_CHARS} characters")
        refuse_unread(text)
        return {}, text, ()
    gaps: tuple[str, ...] = ()
    try:
        values = _toml(match[1]) if is_toml else _yaml(match[1])
    except ValueError as error:
        values = _line_by_line(match[1], is_toml=is_toml)
        gaps = (f"front matter that {error}, read line by line",)
    if values is None:
        refuse_unread(text)
        return {}, text, ()
    body = text[match.end() :]
    if "audience" in values:
        refuse(filter(names_audience, other_names(values)))
    else:
        refuse(_restricting(values))
        refuse(filter(names_audience, _entries(_lines(match[1]))))
        refuse_comments(_BEHIND.findall(match[1]))
        refuse_unread(body)
    known, odd = _known(values)
    return known, body, (*gaps, *odd)


def refuse_exports(text: str) -> None:
    """Refuse a page in MDX that exports something that may say who reads it.

    Raises:
        RestrictedError: With what it exports.
    """
    for export in _EXPORT.finditer(text):
        refuse(filter(names_audience, _EXPORTED.findall(visible(export.group()))))


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


def refuse_comments(lines: Iterable[str]) -> None:
    """Refuse a file for a line of a comment that may say who reads it.

    Raises:
        RestrictedError: With what it says.
    """
    found = (pattern.match(line) for line in lines for pattern in _NAMED)
    refuse((m[1] for m in found if m and names_audience(m[1])), where=" of a comment")


def own_label(named: Sequence[tuple[str, str]]) -> str | None:
    """The label that the `audience` among the names of a head says; None if there is none.

    Raises:
        RestrictedError: If another name may restrict readers, or if it cannot be told for sure.
    """
    labels = [value for name, value in named if name == "audience"]
    refuse(name for name, _ in named if name != "audience" and may_restrict(name))
    refuse(["audience"] if len(labels) > 1 else ())
    return told(labels[0]) if labels else None


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


def _yaml(block: str) -> dict[Any, Any] | None:
    """The mapping that a block is; None if it is no front matter.

    Raises:
        ValueError: If it would be, but for a mistake.
    """
    import yaml

    try:
        loader = reading_as_written(yaml.SafeLoader)(block)
        node = loader.get_single_node()
        # What is merged into a mapping, once it is constructed, is not said twice.
        pairs = [*node.value] if isinstance(node, yaml.MappingNode) else []
        values = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        if not re.search(r"^\w+:", block, re.MULTILINE):
            return None
        raise ValueError("is not valid YAML") from error
    except RecursionError as error:
        raise UnreadableError("has front matter that is nested too deeply") from error
    if not isinstance(values, dict):
        return None
    keys = [key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode)]
    if len(set(keys)) < len(keys):
        repeated = next(key for key, count in Counter(keys).items() if count > 1)
        raise ValueError(f"says {repeated!r} twice")
    return values


def _toml(block: str) -> dict[str, Any]:
    """The mapping that a block is.

    Raises:
        ValueError: If it is not valid.
    """
    try:
        return tomllib.loads(block)
    except tomllib.TOMLDecodeError as error:
        raise ValueError("is not valid TOML") from error
    except RecursionError as error:
        raise UnreadableError("has front matter that is nested too deeply") from error


def _line_by_line(block: str, *, is_toml: bool) -> dict[str, str]:
    """What each line says that begins with a key, the first where there are several.

    Raises:
        RestrictedError: If any name may restrict readers, but for one plain `audience`.
    """
    lines = block.splitlines()
    plain = _PLAIN_TOML if is_toml else _PLAIN_YAML
    named = [match for line in lines if (match := plain.fullmatch(line.rstrip()))]
    restricting = list(filter(may_restrict, _entries_and_pairs(map(visible, lines))))
    within = filter(names_audience, _EXPORTED.findall(visible(block)))
    restricting += (name for name in within if name not in restricting)
    values = {match[1]: (match[2] or "").strip().strip("\"'") for match in reversed(named)}
    said = [match[2] or "" for match in named if match[1] == "audience"]
    is_sure = (
        len(said) == 1
        and restricting == ["audience"]
        and _SIMPLE.fullmatch(said[0].strip())
        and not any(line.count(quote) % 2 for line in lines for quote in "\"'")
        and not re.search(r"[|>][+-]?\s*$", block, re.MULTILINE)
    )
    if restricting and not is_sure:
        name = restricting[0]
        raise RestrictedError(f"has front matter that is not valid, and names {name.strip()!a}")
    return values


def _known(values: Mapping[Any, Any]) -> tuple[dict[str, str], list[str]]:
    """The known keys as texts, and what is not said of those that are none."""
    known = {key: values[key] for key in KEYS if values.get(key) is not None}
    odd = [key for key, value in known.items() if isinstance(value, (dict, list))]
    texts = {key: storable(str(known[key])).strip() for key in known if key not in odd}
    if "audience" in values:
        texts["audience"] = told(values["audience"])
    gaps = [f"front matter whose {key} is not a single value" for key in odd]
    return {key: text for key, text in texts.items() if text}, gaps


def _restricting(values: Mapping[Any, Any]) -> Iterator[str]:
    """What names may restrict readers, but those whose value says that everybody may read."""
    for name, value in values.items():
        if may_restrict(str(name)) and str(value).strip() != PUBLIC:
            yield str(name)
    yield from filter(may_restrict, _names([*values.values()]))


def _names(values: Any) -> Iterator[str]:  # noqa: ANN401 - whatever YAML may hold
    found = [values]
    seen: set[int] = set()
    while found:
        value = found.pop()
        if id(value) in seen:
            continue  # what YAML refers to, may be, a billion times
        if isinstance(value, dict):
            yield from map(str, value)
            found += reversed(value.values())
        elif isinstance(value, list):
            found += reversed(value)
        else:
            continue
        seen.add(id(value))


def _entries(lines: Iterable[str]) -> Iterator[str]:
    """What stands before the first colon, equals sign or bar of each line."""
    return (match[1] for line in lines if (match := _ENTRY.match(line)))


def _entries_and_pairs(lines: Iterable[str]) -> Iterator[str]:
    """Those, and the first of two words that stand alone on a line."""
    for line in lines:
        if match := _ENTRY.match(line[:LINE_CHARS]) or _PAIR.fullmatch(line[:LINE_CHARS].strip()):
            yield match[1]


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
