from __future__ import annotations

from dataclasses import replace

import pytest

from bot.export.admission import admit
from bot.export.records import Correction, ExportedTurn, Log, Policy
from retrieval.examples import PassageText
from tests.bot.export.logs_by_hand import ASKER, LEAVE, OTHER, PASSAGES, log_of, rating, turn

PUBLIC = frozenset(PASSAGES)


def admitted(log: Log, policy: Policy | None = None, public: frozenset[str] = PUBLIC) -> Log:
    return admit(log, policy or Policy(), PASSAGES, public).log


def reason(one: ExportedTurn, **values: frozenset[str]) -> str:
    found = admit(log_of(one, **values), Policy(), PASSAGES, values.get("public", PUBLIC))
    assert not found.log.turns
    return found.exclusions[0].reason


def test_nothing_is_learned_from_people_who_have_not_agreed() -> None:
    log = log_of(turn(), events=(rating(),), consenting=frozenset())
    assert admit(log, Policy(), PASSAGES, PUBLIC).exclusions[0].reason == "no_consent"


def test_the_votes_of_people_who_have_not_agreed_do_not_count() -> None:
    log = log_of(
        turn(), events=(rating(), rating(rater=OTHER, number=1)), consenting=frozenset({ASKER})
    )
    assert [event.rater for event in admitted(log).events] == [ASKER]


def test_a_follow_up_needs_the_consent_of_those_it_points_back_to() -> None:
    one = turn(earlier_askers=frozenset({"U0SILENT"}))
    assert reason(one, consenting=frozenset({ASKER})) == "no_consent"


def test_ratings_imported_with_consent_need_no_other() -> None:
    log = replace(
        log_of(turn(is_imported=True), events=(rating(),)),
        consenting=frozenset(),
        consented_turns=frozenset({"t1"}),
    )
    assert len(admitted(log).events) == 1


def test_private_conversations_are_left_out_unless_asked_for() -> None:
    one = turn(is_private=True)
    assert reason(one) == "private_conversation"
    assert admitted(log_of(one), Policy(with_direct_messages=True)).turns


def test_private_channels_are_left_out_unless_they_are_opted_in() -> None:
    one = turn(in_private_channel=True)
    assert reason(one) == "private_conversation"
    assert not admitted(log_of(one), Policy(with_direct_messages=True)).turns
    assert admitted(log_of(one), Policy(channels=frozenset({"C0TEAM"}))).turns


def test_restricted_documents_are_left_out_unless_the_channel_is_opted_in() -> None:
    one = turn(audience=frozenset({"public", "hr"}))
    assert reason(one) == "restricted_audience"
    assert admitted(log_of(one), Policy(channels=frozenset({"C0TEAM"}))).turns


def test_a_correction_for_few_is_left_out_unless_the_channel_is_opted_in() -> None:
    for_few = Correction("t1", OTHER, "28.", True, audience=frozenset({"public", "in:C0TEAM"}))
    log = log_of(turn(), corrections=(for_few,))
    assert admitted(log).corrections == ()
    assert admitted(log, Policy(channels=frozenset({"C0TEAM"}))).corrections == (for_few,)


def test_a_document_that_was_restricted_since_is_left_out() -> None:
    found = admit(log_of(turn()), Policy(), PASSAGES, frozenset({"vpn"}))
    assert found.exclusions[0].reason == "restricted_audience"


def test_questions_answers_and_corrections_are_scrubbed_together() -> None:
    one = turn(question="May ada@x.io see it?", answer="Yes, ada@x.io may. [1]")
    log = admitted(log_of(one, corrections=(Correction("t1", OTHER, "No, bo@x.io may.", True),)))
    assert log.turns[0].question == "May <EMAIL_1> see it?"
    assert log.turns[0].answer == "Yes, <EMAIL_1> may. [1]"
    assert log.corrections[0].answer == "No, <EMAIL_2> may."


@pytest.mark.parametrize("question", ["Whose case is 123456789012?", "Mail ada (at) x (dot) io?"])
def test_what_may_still_be_personal_is_left_out(question: str) -> None:
    assert reason(turn(question=question)) == "personal_data"


def test_passages_with_secrets_are_left_out() -> None:
    leaked = PassageText("d", "leave", "Keys", "The key is AKIAIOSFODNN7EXAMPLE.")
    found = admit(log_of(turn()), Policy(), {**PASSAGES, "leave": leaked}, PUBLIC)
    assert found.exclusions[0].reason == "secret"
    assert LEAVE.text
