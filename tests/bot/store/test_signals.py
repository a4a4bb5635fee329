from __future__ import annotations

from bot.store.database import Database
from bot.store.log import ConversationLog
from bot.store.signals import Signals

NOON = 1_767_268_800.0


def test_a_signal_is_noted_once_for_each_event_and_is_no_vote(database: Database) -> None:
    signals = Signals(database, clock=lambda: NOON)
    assert signals.note("t1", "shared", "U1", "Ev1")
    assert not signals.note("t1", "shared", "U1", "Ev1")
    assert signals.note("t1", "shared", "U2", "Ev2")
    assert signals.of("t1") == {"shared": 2}
    assert ConversationLog(database).score("t1") == 0


def test_one_event_can_be_two_signals(database: Database) -> None:
    signals = Signals(database)
    signals.note("t1", "rephrased", "U1", "Ev1")
    signals.note("t1", "human_reply", "U1", "Ev1")
    assert signals.of("t1") == {"rephrased": 1, "human_reply": 1}
