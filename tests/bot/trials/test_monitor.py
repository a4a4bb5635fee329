from __future__ import annotations

import numpy as np

from bot.trials.monitor import Monitor, watch


def stream(served: float, candidate: float, ratings: int, seed: int) -> Monitor:
    """Ratings of two arms in turn, with these shares of good ones, until there is a verdict."""
    random, monitor = np.random.default_rng(seed), Monitor()
    for number in range(ratings):
        is_candidate = bool(number % 2)
        share = candidate if is_candidate else served
        monitor.add(is_candidate=is_candidate, is_good=bool(random.random() < share))
        if monitor.verdict != "unsure":
            break
    return monitor


def test_no_ratings_say_nothing() -> None:
    assert watch([]).verdict == "unsure"


def test_a_few_bad_ratings_are_no_verdict_yet() -> None:
    assert watch([(True, False)] * 9 + [(False, True)] * 9).verdict == "unsure"


def test_equal_arms_looked_at_after_each_rating_seldom_alarm() -> None:
    alarms = sum(stream(0.65, 0.65, 800, seed).verdict != "unsure" for seed in range(100))
    assert alarms <= 5


def test_a_bad_candidate_is_found() -> None:
    runs = [stream(0.65, 0.40, 800, seed) for seed in range(20)]
    assert [run.verdict for run in runs].count("worse") >= 19


def test_a_good_candidate_is_found() -> None:
    assert stream(0.5, 0.8, 800, 1).verdict == "better"


def test_the_p_value_only_falls() -> None:
    monitor, before = Monitor(), 1.0
    for number in range(200):
        monitor.add(is_candidate=bool(number % 2), is_good=bool(number % 3))
        assert monitor.p <= before
        before = monitor.p
