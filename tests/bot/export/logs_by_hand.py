"""Small logs to export, written by hand."""

from __future__ import annotations

from typing import Any

from bot.export.building import ExportCorpus
from bot.export.records import ExportedTurn, Log, RatingEvent, ShownPassage
from bot.store.log import Value
from retrieval.examples import PassageText

NOON = "2026-01-05T12:00:00+00:00"
ASKER, OTHER, EXPERT = "U0ASKER01", "U0OTHER02", "U0EXPERT3"

LEAVE = PassageText("handbook/leave.md", "leave", "Leave", "Everyone has 26 days of leave.")
VPN = PassageText("handbook/vpn.md", "vpn", "VPN", "Install the VPN client, then sign in.")
PASSAGES = {passage.content_hash: passage for passage in (LEAVE, VPN)}
CORPUS = ExportCorpus(PASSAGES, frozenset(PASSAGES))

CITED = ShownPassage("leave", LEAVE.document_id, number=1, support=1.0)
BESIDE = ShownPassage("vpn", VPN.document_id)


def turn(id_: str = "t1", question: str = "How many days of leave?", **values: Any) -> ExportedTurn:
    """An answer in a channel that cites one of two passages."""
    defaults: dict[str, Any] = {
        "asker": ASKER,
        "channel": "C0TEAM",
        "audience": frozenset({"public"}),
        "language": "en",
        "is_abstention": False,
        "answer": "You have 26 days. [1]",
        "passages": (CITED, BESIDE),
        "created": NOON,
    }
    return ExportedTurn(id=id_, question=question, **defaults | values)


def rating(
    turn_id: str = "t1", rater: str = ASKER, value: Value = 1, number: int = 0, **values: Any
) -> RatingEvent:
    return RatingEvent(number, turn_id, rater, value, **{"at": NOON} | values)


def log_of(*turns: ExportedTurn, **values: Any) -> Log:
    """A log in which everybody agrees to be learned from, with one expert."""
    people = {ASKER, OTHER, EXPERT, *(turn.asker for turn in turns)}
    people |= {event.rater for event in values.get("events", ())}
    people |= {correction.author for correction in values.get("corrections", ())}
    defaults: dict[str, Any] = {
        "consenting": frozenset(people),
        "experts": {"C0TEAM": frozenset({EXPERT})},
    }
    return Log(turns=turns, **defaults | values)
