"""How often a trial takes a candidate back that is as good, and how soon one that is not.

    python -m benchmarks.learning.trials [--runs 100]

Simulated questions, of which a fifth is rated, in two arms of equal size; what watches trials looks
again after every 25 of them. Beside it a test for a fixed number of ratings (Fisher's exact one, at
5 %) that is looked at as often, as is done where nobody thinks of it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np
from scipy.stats import fisher_exact

from bot.trials.arms import ArmOutcome, Arms
from bot.trials.harm import harm

QUESTIONS, LOOK_EVERY, RATED = 1_000, 25, 0.2


@dataclass(frozen=True)
class Model:
    """How a model does: shares of good ratings, of answers and of failures, and median seconds."""

    good: float = 0.65
    answers: float = 0.75
    fails: float = 0.0
    seconds: float = 3.0


USUAL = Model()

CANDIDATES = {
    "as good": USUAL,
    "rated good 55 % instead of 65 %": Model(good=0.55),
    "rated good 45 %": Model(good=0.45),
    "rated good 25 %": Model(good=0.25),
    "answers 60 % instead of 75 %": Model(answers=0.60),
    "answers 35 %": Model(answers=0.35),
    "fails in 3 %": Model(fails=0.03),
    "three times as slow": Model(seconds=9.0),
}


def asked(candidate: Model, random: np.random.Generator) -> Iterator[Arms]:
    """A trial as it is known after every so many questions."""
    outcomes: list[ArmOutcome] = []
    ratings: list[tuple[bool, bool]] = []
    for number in range(1, QUESTIONS + 1):
        is_candidate = bool(random.random() < 0.5)
        model = candidate if is_candidate else USUAL
        if random.random() < model.fails:
            outcomes.append(ArmOutcome(is_candidate, has_failed=True))
            continue
        is_answer = bool(random.random() < model.answers)
        seconds = float(random.lognormal(np.log(model.seconds), 0.5))
        outcomes.append(ArmOutcome(is_candidate, is_answer, is_answer, seconds))
        if random.random() < RATED:
            ratings.append((is_candidate, bool(random.random() < model.good)))
        if number % LOOK_EVERY == 0:
            yield Arms(tuple(outcomes), tuple(ratings))


@dataclass(frozen=True)
class End:
    """After how many questions and ratings a candidate is taken back; None if it never is."""

    watched: tuple[int, int] | None
    peeked: bool


def simulated(candidate: Model, seed: int) -> End:
    """How a trial ends."""
    watched, peeked = None, False
    for arms in asked(candidate, np.random.default_rng(seed)):
        peeked = peeked or is_worse_by_fisher(arms)
        if harm(arms) is not None:
            watched = len(arms.outcomes), len(arms.ratings)
            break
    return End(watched, peeked)


def is_worse_by_fisher(arms: Arms) -> bool:
    """Whether the candidate's ratings are worse, as if this were the only look at them."""
    monitor = arms.monitor()
    table = [[arm.good, arm.ratings - arm.good] for arm in (monitor.candidate, monitor.served)]
    return bool(fisher_exact(table).pvalue < 0.05 and monitor.gain < 0)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    began = time.process_time()
    print(
        f"| candidate | taken back in {QUESTIONS} questions | median questions | ratings | Fisher |"
    )
    print("|---|---|---|---|---|")
    for name, candidate in CANDIDATES.items():
        ends = [simulated(candidate, seed) for seed in range(runs)]
        found = [end.watched for end in ends if end.watched]
        when = [f"{median(values):.0f}" for values in zip(*found, strict=True)] or ["", ""]
        peeked = sum(end.peeked for end in ends)
        print(f"| {name} | {len(found)} of {runs} | {' | '.join(when)} | {peeked} |", flush=True)
    print(f"\n{time.process_time() - began:.0f} CPU-seconds, seeds 0 to {runs - 1}")


if __name__ == "__main__":
    main()
