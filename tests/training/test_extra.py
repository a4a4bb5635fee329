from __future__ import annotations

import pytest

from training.extra import ExtraMissingError, need


def test_what_is_missing_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(ExtraMissingError, match=r"no_such_trainer.*'\.\[training\]'"):
        need("json", "no_such_trainer")


def test_what_is_there_is_enough() -> None:
    need("json")
