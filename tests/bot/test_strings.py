from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from bot.strings import strings_for

ENGLISH, CHINESE = strings_for("en"), strings_for("zh")


def texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from texts(inner, f"{name}.{key}")


def filled_in(text: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


def test_every_language_says_the_same_things_with_the_same_names_filled_in() -> None:
    english = {name: filled_in(text) for name, text in texts(ENGLISH.model_dump())}
    chinese = {name: filled_in(text) for name, text in texts(CHINESE.model_dump())}
    assert chinese == english


def test_a_language_without_a_catalogue_is_answered_in_english() -> None:
    assert strings_for("fr") is ENGLISH
