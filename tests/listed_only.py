"""Runs the program where only the libraries of a list of requirements can be imported.

    python -P tests/listed_only.py REQUIREMENTS COMMAND...

Whatever else is installed here is not found, as on a machine that has the list alone.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any


class ListedOnly:
    """A finder of modules, one of `sys.meta_path`, that does not find those of other libraries."""

    def __init__(self, finder: Any, missing: frozenset[str]) -> None:
        self._finder = finder
        self._missing = missing

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """What the finder finds, unless that is not listed."""
        if name.partition(".")[0] in self._missing:
            return None
        return self._finder.find_spec(name, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def missing_with(requirements: Path) -> frozenset[str]:
    """The installed modules that belong to no library of a list."""
    listed = {named(line) for line in requirements.read_text().splitlines()} | {"whimbrel"}
    return frozenset(
        module
        for module, distributions in packages_distributions().items()
        if listed.isdisjoint(map(named, distributions))
    )


def named(requirement: str) -> str:
    """The name of a distribution as the list spells it."""
    return re.sub(r"[-_.]+", "-", requirement.partition("==")[0]).lower()


if __name__ == "__main__":
    _, file, *arguments = sys.argv
    missing = missing_with(Path(file))
    sys.meta_path[:] = [ListedOnly(finder, missing) for finder in sys.meta_path]
    from retrieval import cli

    sys.argv = ["whimbrel", *arguments]
    cli.main()
