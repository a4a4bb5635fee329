"""Which of the documents that were found are older versions of others, as their titles say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from retrieval.records import Source

_DAY = re.compile(r"\d{1,4}[-./_年]\d{1,2}(?:[-./_月]\d{1,4})?")
"""What is of a day or a month tells what happened then, and is no version."""

_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_NUMBER = re.compile(r"(?<![a-z])v(?:er(?:sion)?)?[.\s]?(\d{1,3}(?:\.\d{1,3}){0,2})(?![.\d])")
_FILLERS = re.compile(r"\b(?:edition|version|final|new|old|rev(?:ised)?)\b|版本?|年度?|[\W_]+")


@dataclass(frozen=True, slots=True)
class Version:
    """What a title is called without its version, and which that is; either a year or a number."""

    name: str
    is_year: bool
    number: tuple[int, ...]


def version_of(title: str) -> Version | None:
    """The version that a title names; None if it names none, or a day."""
    plain = title.casefold().replace("_", " ")
    if _DAY.search(_NUMBER.sub("", plain)):
        return None
    if match := _NUMBER.search(plain):
        number = tuple(map(int, match[1].split(".")))
        return Version(_name(plain.replace(match[0], " ")), False, number)
    years = _YEAR.findall(plain)
    if len(years) != 1:
        return None
    return Version(_name(plain.replace(years[0], " ")), True, (int(years[0]),))


def superseded(sources: Iterable[Source], query: str) -> dict[Source, Source]:
    """Those of the sources of which a newer version is among them, each with the newest.

    Not those whose version the query names.
    """
    versions = {
        source: version
        for source in dict.fromkeys(sources)
        if (version := version_of(source.title)) is not None and version.name
    }
    newest: dict[tuple[str, bool], Source] = {}
    for source, version in sorted(versions.items(), key=lambda known: known[1].number):
        newest[version.name, version.is_year] = source
    return {
        source: newer
        for source, version in versions.items()
        if version.number < versions[newer := newest[version.name, version.is_year]].number
        and not re.search(rf"(?<!\d){'.'.join(map(str, version.number))}(?!\d)", query)
    }


def _name(text: str) -> str:
    return "".join(sorted(_FILLERS.sub(" ", text).split()))
