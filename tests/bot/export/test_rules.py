from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.export.admission import Passages
from bot.export.records import (
    Correction,
    DownRatingReason,
    DownReason,
    ExampleDraft,
    Log,
    ShownPassage,
)
from bot.export.rules import cases_of, drafts_of
from bot.export.verdicts import consolidate, trust_of
from tests.bot.export.logs_by_hand import (
    ASKER,
    BESIDE,
    EXPERT,
    LEAVE,
    OTHER,
    PASSAGES,
    VPN,
    log_of,
    rating,
    turn,
)

REASONS: tuple[DownReason, ...] = (
    "wrong", "incomplete", "outdated", "wrong_source", "not_understood", "tone"
)  # fmt: skip
NO_ANSWER: dict[str, Any] = {"is_abstention": True, "answer": "I did not find that.",
                             "passages": (BESIDE,)}  # fmt: skip


def taught(log: Log, passages: Passages = PASSAGES) -> tuple[dict[str, ExampleDraft], list[str]]:
    """The drafts by kind, and the reasons of what is left out."""
    ratings = consolidate(log.events)
    same = {turn.question: 0 for turn in log.turns}
    cases = cases_of(log, ratings, same, trust_of(ratings, log))
    found = [draft for case in cases for draft in drafts_of(case, passages)]
    drafts: dict[str, ExampleDraft] = {
        e.example.kind: e for e in found if isinstance(e, ExampleDraft)
    }
    return drafts, [draft.reason for draft in found if not isinstance(draft, ExampleDraft)]


def test_a_liked_answer_teaches_its_best_passage_its_words_and_that_it_was_good() -> None:
    drafts, reasons = taught(log_of(turn(), events=(rating(),)))
    assert drafts["pair"].example.passages == (LEAVE,)
    assert drafts["answer"].example.passages == (LEAVE, VPN)
    assert drafts["answer"].example.answer == "You have 26 days. [1]"
    assert drafts["judgement"].example.is_good
    assert (drafts["pair"].example.source, reasons) == ("votes", [])


def test_the_numbers_in_an_answer_are_those_of_its_passages() -> None:
    cited = (
        ShownPassage("vpn", VPN.document_id, 2, 0.9),
        ShownPassage("leave", LEAVE.document_id, 1, 0.4),
    )
    drafts, _ = taught(log_of(turn(answer="A [1]. B [2].", passages=cited), events=(rating(),)))
    assert drafts["answer"].example.passages == (LEAVE, VPN)
    assert drafts["pair"].example.passages == (VPN,)


@given(
    st.lists(st.sampled_from((ASKER, OTHER, "U4", "U5")), min_size=1, unique=True),
    st.booleans(),
)
def test_an_unexplained_down_vote_is_never_a_pair(raters: list[str], is_abstention: bool) -> None:
    events = tuple(rating(rater=rater, value=-1) for rater in raters)
    one = turn(**NO_ANSWER) if is_abstention else turn()
    drafts, reasons = taught(log_of(one, events=events))
    assert set(drafts) <= {"judgement"}
    assert ("unexplained_down" in reasons) != is_abstention


@given(st.lists(st.sampled_from((ASKER, OTHER, "U4", "U5")), min_size=1, unique=True))
def test_a_liked_abstention_is_no_example_unless_an_expert_confirms(raters: list[str]) -> None:
    events = tuple(rating(rater=rater) for rater in raters)
    drafts, reasons = taught(log_of(turn(**NO_ANSWER), events=events))
    assert (drafts, reasons) == ({}, ["abstention_unconfirmed"])
    confirmed = (*events, rating(rater=EXPERT))
    drafts, _ = taught(log_of(turn(**NO_ANSWER), events=confirmed))
    assert (drafts["answer"].example.is_good, drafts["answer"].example.answer) == (False, None)
    assert drafts["answer"].is_approved


def test_a_disliked_abstention_never_teaches_to_guess() -> None:
    drafts, reasons = taught(log_of(turn(**NO_ANSWER), events=(rating(value=-1),)))
    assert (drafts, reasons) == ({}, ["abstention_downvoted"])


@pytest.mark.parametrize(
    ("reason", "kinds", "excluded"),
    [
        ("wrong", {"judgement"}, []),
        ("wrong_source", {"judgement"}, []),
        ("not_understood", {"judgement"}, []),
        ("incomplete", set(), ["matter_of_style"]),
        ("tone", set(), ["matter_of_style"]),
        ("outdated", set(), ["outdated"]),
    ],
)
def test_the_reason_decides_what_a_down_vote_teaches(
    reason: DownReason, kinds: set[str], excluded: list[str]
) -> None:
    why = (DownRatingReason("t1", ASKER, reason),)
    drafts, reasons = taught(log_of(turn(), events=(rating(value=-1),), reasons=why))
    assert (set(drafts), reasons) == (kinds, excluded)


@pytest.mark.parametrize(
    ("reason", "is_spared"),
    [("wrong", True), (None, True), ("wrong_source", False), ("not_understood", False)],
)
def test_a_wrong_value_blames_the_answer_and_a_wrong_source_the_passage(
    reason: DownReason | None, is_spared: bool
) -> None:
    why = (DownRatingReason("t1", ASKER, reason),) if reason else ()
    drafts, _ = taught(log_of(turn(), events=(rating(value=-1),), reasons=why))
    assert drafts["judgement"].example.spares_passages is is_spared


def test_a_correction_that_the_cited_passage_says_speaks_for_that_passage() -> None:
    """One value of the answer was wrong, and its source was right."""
    better = Correction("t1", EXPERT, "Everyone has 26 days of leave.", is_approved=True)
    wrong = turn(answer="You have 62 days. [1]")
    log = log_of(wrong, events=(rating(value=-1),), corrections=(better,))
    drafts, _ = taught(log)
    assert set(drafts) == {"answer", "preference", "pair"}
    assert drafts["pair"].example.passages == (LEAVE,)
    why = (DownRatingReason("t1", ASKER, "wrong_source"),)
    blamed = log_of(wrong, events=(rating(value=-1),), corrections=(better,), reasons=why)
    assert "pair" not in taught(blamed)[0]


def test_a_disliked_silence_whose_passage_is_named_teaches_to_find_it_and_to_speak() -> None:
    named = (DownRatingReason("t1", ASKER, "", passage="vpn"),)
    log = log_of(turn(**NO_ANSWER), events=(rating(value=-1),), reasons=named)
    drafts, reasons = taught(log)
    assert (set(drafts), reasons) == ({"pair", "judgement"}, [])
    assert drafts["pair"].example.passages == drafts["judgement"].example.passages == (VPN,)
    assert drafts["judgement"].example.is_good
    assert drafts["pair"].example.source == "votes"
    assert drafts["pair"].raters == {ASKER}


@pytest.mark.parametrize("others", [("leave",), ("nowhere",)])
def test_names_that_contradict_each_other_or_were_not_found_teach_nothing(
    others: tuple[str, ...],
) -> None:
    named = [DownRatingReason("t1", ASKER, "", passage="vpn")]
    named += [DownRatingReason("t1", OTHER, "", passage=other) for other in others]
    events = (rating(value=-1), rating(rater=OTHER, value=-1, number=1))
    drafts, reasons = taught(log_of(turn(**NO_ANSWER), events=events, reasons=tuple(named)))
    assert (drafts, reasons) == ({}, ["abstention_downvoted"])


def test_who_names_another_passage_than_the_cited_one_speaks_for_that() -> None:
    why = (DownRatingReason("t1", ASKER, "wrong_source", passage="vpn"),)
    drafts, _ = taught(log_of(turn(), events=(rating(value=-1),), reasons=why))
    assert drafts["pair"].example.passages == (VPN, LEAVE)
    why = (DownRatingReason("t1", ASKER, "", passage="vpn"),)
    drafts, reasons = taught(log_of(turn(), events=(rating(value=-1),), reasons=why))
    assert (drafts["pair"].example.passages, reasons) == ((VPN,), [])
    why = (DownRatingReason("t1", ASKER, "outdated", passage="vpn"),)
    drafts, _ = taught(log_of(turn(), events=(rating(value=-1),), reasons=why))
    assert {kind: draft.example.passages for kind, draft in drafts.items()} == {"pair": (VPN,)}
    why = (DownRatingReason("t1", ASKER, "wrong", passage="leave"),)
    drafts, _ = taught(log_of(turn(), events=(rating(value=-1),), reasons=why))
    assert set(drafts) == {"judgement"}


@given(st.sampled_from(REASONS))
def test_a_gold_correction_makes_an_answer_and_a_preference(reason: DownReason) -> None:
    better = Correction("t1", EXPERT, "You have 28 days.", is_approved=True)
    why = (DownRatingReason("t1", EXPERT, reason),)
    log = log_of(
        turn(), events=(rating(rater=EXPERT, value=-1),), reasons=why, corrections=(better,)
    )
    drafts, _ = taught(log)
    assert set(drafts) == {"answer", "preference"}
    chosen = drafts["preference"].example
    assert (chosen.answer, chosen.rejected) == ("You have 28 days.", "You have 26 days. [1]")
    assert drafts["answer"].is_approved
    assert drafts["answer"].example.source == "correction"


def test_a_correction_that_names_the_source_makes_the_wrong_one_a_negative() -> None:
    better = Correction("t1", EXPERT, "Install the client.", True, passages=("vpn",))
    why = (DownRatingReason("t1", ASKER, "wrong_source"),)
    drafts, _ = taught(
        log_of(turn(), events=(rating(value=-1),), reasons=why, corrections=(better,))
    )
    assert drafts["pair"].example.passages == (VPN, LEAVE)
    drafts, _ = taught(log_of(turn(), events=(rating(value=-1),), corrections=(better,)))
    assert drafts["pair"].example.passages == (VPN,)


def test_a_users_correction_teaches_nothing_until_it_is_approved() -> None:
    better = Correction("t1", ASKER, "You have 99 days.", is_approved=False)
    drafts, reasons = taught(log_of(turn(), corrections=(better,), events=(rating(value=-1),)))
    assert set(drafts) == {"judgement"}
    assert "unapproved_correction" in reasons


def test_a_changed_passage_retires_what_rested_on_it() -> None:
    drafts, reasons = taught(log_of(turn(), events=(rating(),)), {"vpn": VPN})
    assert (drafts, reasons) == ({}, ["document_changed"])


def test_a_changed_passage_that_was_not_cited_is_only_left_away() -> None:
    drafts, _ = taught(log_of(turn(), events=(rating(),)), {"leave": LEAVE})
    assert drafts["answer"].example.passages == (LEAVE,)


def test_an_answer_without_citations_teaches_nothing() -> None:
    drafts, reasons = taught(log_of(turn(passages=(BESIDE,)), events=(rating(),)))
    assert (drafts, reasons) == ({}, ["no_passage"])


def test_an_unrated_turn_teaches_nothing() -> None:
    assert taught(log_of(turn())) == ({}, ["unrated"])


def test_the_same_question_answered_alike_is_one_case_with_one_vote_each() -> None:
    events = (rating("t1", OTHER, -1, number=1), rating("t2", OTHER, 1, number=2))
    log = log_of(turn("t1"), turn("t2"), events=events)
    (case,) = cases_of(log, consolidate(events), {turn().question: 0}, {OTHER: 0.8})
    assert [rating.value for rating in case.ratings] == [1]
    assert len(case.turns) == 2


def test_a_draft_knows_everybody_who_had_a_part_in_it() -> None:
    one = turn(earlier_askers=frozenset({"U4"}))
    drafts, _ = taught(log_of(one, events=(rating(), rating(rater=OTHER, number=1))))
    assert drafts["pair"].people == {ASKER, OTHER, "U4"}
    assert drafts["pair"].askers == {ASKER, "U4"}
    assert drafts["pair"].raters == {ASKER, OTHER}


@pytest.mark.parametrize(
    ("code", "is_question"), [("not_understood", False), ("wrong", True), ("outdated", True)]
)
def test_a_bad_answer_that_nobody_asked_for_tells_whether_there_was_a_question(
    code: DownReason, is_question: bool
) -> None:
    reasons = (DownRatingReason("t1", ASKER, code),)
    drafts, _ = taught(log_of(turn(is_unasked=True), events=(rating(value=-1),), reasons=reasons))
    assert drafts["message"].example.is_good is is_question
    assert drafts["message"].example.passages == ()


def test_a_liked_answer_that_nobody_asked_for_met_a_question() -> None:
    drafts, _ = taught(log_of(turn(is_unasked=True), events=(rating(),)))
    assert drafts["message"].example.is_good


def test_a_bare_down_vote_or_a_question_to_us_tells_nothing_of_what_was_meant() -> None:
    unexplained = log_of(turn(is_unasked=True), events=(rating(value=-1),))
    assert "message" not in taught(unexplained)[0]
    assert "message" not in taught(log_of(turn(), events=(rating(),)))[0]
