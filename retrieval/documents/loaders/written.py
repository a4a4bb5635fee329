"""Values of YAML and JSON that are no texts, as they are written: `no`, `1.10`, a date."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

_KINDS = ("bool", "int", "float", "timestamp")


@dataclass(frozen=True, slots=True)
class Written:
    """A number, a date or a truth value; it is no text, so that it is no label either."""

    text: str

    def __str__(self) -> str:
        """As it is written."""
        return self.text

    __repr__ = __str__


@cache
def reading_as_written(loader: type[Any]) -> type[Any]:
    """A loader of PyYAML's that takes what is no text for a `Written`."""
    own = type(loader.__name__, (loader,), {})
    for kind in _KINDS:
        own.add_constructor(f"tag:yaml.org,2002:{kind}", _written)  # type: ignore[attr-defined]
    return own


def _written(loader: Any, node: Any) -> Written:  # noqa: ANN401 - either of two loaders
    return Written(loader.construct_scalar(node))
