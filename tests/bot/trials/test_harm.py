from __future__ import annotations

from bot.trials.arms import ArmOutcome, Arms
from bot.trials.harm import harm


def asked(
    count: int,
    *,
    is_candidate: bool,
    answered: float = 0.8,
    cited: float = 1.0,
    seconds: float = 1.0,
    failed: int = 0,
) -> list[ArmOutcome]:
    """So many questions of an arm, with these shares of answers, and of cited ones among them."""
    answers = round(count * answered)
    outcomes = [
        ArmOutcome(is_candidate, n < answers, n < answers * cited, seconds) for n in range(count)
    ]
    return outcomes + [ArmOutcome(is_candidate, has_failed=True)] * failed


def mixed(*arms: list[ArmOutcome]) -> Arms:
    return Arms(tuple(outcome for several in zip(*arms, strict=True) for outcome in several), ())


def test_equal_arms_do_no_harm() -> None:
    arms = mixed(asked(200, is_candidate=True), asked(200, is_candidate=False))
    assert harm(arms) is None


def test_nothing_at_all_does_no_harm() -> None:
    assert harm(Arms((), ())) is None


def test_a_few_failures_are_enough_and_two_are_not() -> None:
    rest = asked(20, is_candidate=False)
    twice, thrice = (tuple(asked(20, is_candidate=True, failed=n) + rest) for n in (2, 3))
    assert harm(Arms(twice, ())) is None
    assert harm(Arms(thrice, ())) == "it failed in 3 of 23 questions"


def test_people_who_rate_the_candidate_worse_are_heard() -> None:
    ratings = tuple((bool(n % 2), n % 2 == 0) for n in range(30))
    reason = harm(Arms((), ratings))
    assert reason is not None
    assert reason.startswith("people rate its answers worse: 0 of 1")


def test_a_candidate_that_falls_silent_is_noticed() -> None:
    arms = mixed(
        asked(100, is_candidate=True, answered=0.2), asked(100, is_candidate=False, answered=0.8)
    )
    assert harm(arms) == "it abstains more often: 80% instead of 20%"


def test_a_candidate_that_always_answers_is_noticed() -> None:
    arms = mixed(
        asked(100, is_candidate=True, answered=1.0), asked(100, is_candidate=False, answered=0.4)
    )
    reason = harm(arms)
    assert reason is not None
    assert "less often" in reason


def test_three_silences_in_a_row_are_no_proof() -> None:
    arms = mixed(
        asked(9, is_candidate=True, answered=0.0), asked(9, is_candidate=False, answered=1.0)
    )
    assert harm(arms) is None


def test_answers_without_citations_are_noticed() -> None:
    arms = mixed(asked(100, is_candidate=True, cited=0.3), asked(100, is_candidate=False))
    assert harm(arms) == "it cites less often: 30% instead of 100%"


def test_slow_answers_are_noticed_and_a_little_slower_ones_are_not() -> None:
    served = asked(60, is_candidate=False, seconds=2.0)
    slow, fair = (asked(60, is_candidate=True, seconds=s) for s in (6.0, 3.0))
    reason = harm(mixed(slow, served))
    assert reason is not None
    assert reason.startswith("it takes longer than 4.0 s")
    assert harm(mixed(fair, served)) is None
