"""What training needs beyond Whimbrel's own libraries, and how to get it."""

from __future__ import annotations

from importlib.util import find_spec

from retrieval.errors import RetrievalError, install

ALONE = "run `pip install --editable '.[federated]'` in an environment of its own"
"""Constraints are for the one that has all else."""


class ExtraMissingError(RetrievalError):
    """A library of an extra is not installed."""


def need(*libraries: str, extra: str = "training") -> None:
    """Make sure that libraries of an extra are installed, before any time is spent.

    Raises:
        ExtraMissingError: If one is not; the message says how to get it.
    """
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        raise ExtraMissingError(
            f"this needs {', '.join(missing)}: "
            + (ALONE if extra == "federated" else install(f"--editable '.[{extra}]'"))
        )
