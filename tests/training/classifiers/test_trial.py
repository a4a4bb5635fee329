from __future__ import annotations

from training.classifiers.trial import ClassifierCase, no_worse, outcomes

CASES = [ClassifierCase(f"q{n}", "Is it?", n < 4) for n in range(8)]
SAID = [0.9, 0.8, 0.7, 0.3, 0.6, 0.2, 0.15, 0.1]
BEFORE = [True, True, False, False, True, True, False, False]


def test_saying_yes_is_to_speak_and_right_or_wrong() -> None:
    judged = outcomes(CASES, SAID, threshold=0.5)
    assert [outcome.abstained for outcome in judged] == [False] * 3 + [True] + [False] + [True] * 3
    assert [outcome.quality for outcome in judged] == [1.0] * 3 + [0.0] * 2 + [1.0] * 3
    assert judged[0].id == "held-out: q0"


def test_a_better_head_gets_better_in_both_directions() -> None:
    threshold = no_worse(CASES, SAID, BEFORE)
    yes = [said >= threshold for said in SAID]
    assert sum(yes[:4]) > sum(BEFORE[:4])
    assert sum(yes[4:]) < sum(BEFORE[4:])


def test_the_head_that_serves_gets_worse_in_neither_direction() -> None:
    yes = [said >= 0.65 for said in SAID]
    threshold = no_worse(CASES, SAID, yes)
    assert [said >= threshold for said in SAID] == yes
