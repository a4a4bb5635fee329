from __future__ import annotations

import pytest

from training.extra import ExtraMissingError, need


def test_what_is_missing_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(ExtraMissingError, match=r"no_such_trainer.*'\.\[training\]'"):
        need("json", "no_such_trainer")


def test_each_extra_is_installed_by_its_own_name() -> None:
    with pytest.raises(ExtraMissingError, match=r"no_such_noise.*'\.\[privacy\]'"):
        need("no_such_noise", extra="privacy")
    with pytest.raises(ExtraMissingError, match=r"'\.\[federated\]'` in an environment of its own"):
        need("no_such_flower", extra="federated")


def test_what_is_there_is_enough() -> None:
    need("json")
