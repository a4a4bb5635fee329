"""Tests of what the sub-commands share."""

from __future__ import annotations

import signal

import pytest

from retrieval.commands import stopped_by_ctrl_c


def test_ctrl_c_stops_the_answer_and_only_then_the_program() -> None:
    with stopped_by_ctrl_c() as is_stopped:
        assert not is_stopped()
        signal.raise_signal(signal.SIGINT)
        assert is_stopped()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_after_an_answer_ctrl_c_ends_the_program_as_ever() -> None:
    with stopped_by_ctrl_c():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
