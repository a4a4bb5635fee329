"""A round of learning: what there is enough for is learned, judged by the gate, and published."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from retrieval.errors import BusyError
from retrieval.examples import Example, read_examples
from retrieval.progress import Tell
from retrieval.registry.folders import building
from retrieval.registry.rounds import Round, Try, keep_round, settled_try
from retrieval.registry.runs import Run, all_runs, find_run, folder_of
from training.data.augmentation import AUGMENTED
from training.gate import report
from training.gate.comparison import least_gain
from training.gate.decision import MIN_QUESTIONS, GateDecision, is_sure_among
from training.rounds.children import CommandFailedError, TimeUpError
from training.rounds.learners import Learner, searchable

LOCK = "learning"
"""A folder beside the runs; it holds nothing but the lock of the round that goes on."""

TO_LEARN = 0.5
"""The share of the time left that a long learner may take."""

ONE_OF_SEVERAL = "what it gained is not surely more than one of several candidates gains by chance"


_ENDS = frozenset({"passed", "on_trial", "published", "broken_off"})


class CommandRunner(Protocol):
    """Runs sub-commands of `whimbrel`."""

    def run(self, *arguments: str) -> list[str]:
        """What a sub-command says, by lines.

        Raises:
            CommandFailedError: If it fails.
            TimeUpError: If it is not done in time.
        """

    def minutes_left(self) -> float:
        """How long sub-commands may still take."""


@dataclass(frozen=True)
class RoundPlan:
    """What is to be tried, and how.

    `home` is where runs are kept, `embedder` the id of the one that serves. What is published
    answers `share` percent of the threads at first, or all where that is 0. A plan that `augments`
    lets those learn from noisy twins, too, that can.
    """

    home: Path
    learners: Sequence[Learner]
    embedder: str = ""
    publishes: bool = True
    share: int = 0
    augments: bool = False
    only_tells: bool = False


def learn(
    plan: RoundPlan, dataset: Path, commands: CommandRunner, *, on_progress: Tell = lambda _: None
) -> Round:
    """Try the learners on a data set, in order, until one is better; the round is written down.

    What is passed ends the round: the next learner is then measured against it, in the next round.
    A learner that has been tried on the same data is not tried again.

    Args:
        plan: What is to be tried.
        dataset: A folder that `whimbrel export` wrote.
        commands: How learners are run.
        on_progress: Is told what is being done.

    Raises:
        DataError: If the folder is no data set.
    """
    started, at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    examples = [*read_examples(dataset, "train"), *read_examples(dataset, "dev")]
    held_out = read_examples(dataset, "held-out")
    looks = [_look(learner, examples, held_out, plan, dataset.name) for learner in plan.learners]
    tries = looks
    if not plan.only_tells:
        tries = list(_Trials(plan, dataset, commands, on_progress).of(looks))
    seconds = round(time.monotonic() - started, 1)
    done = Round(at, dataset.name, searchable(held_out), seconds, tuple(tries))
    if not plan.only_tells:
        keep_round(plan.home, done)
    return done


def _look(
    learner: Learner,
    examples: Sequence[Example],
    held_out: Sequence[Example],
    plan: RoundPlan,
    name: str,
) -> Try:
    """Whether there is enough for a learner, and whether it has been tried already."""
    look = Try(learner.name, "ready", learner.of, learner.count(examples), learner.needed)
    if look.missing:
        return replace(look, state="too_few")
    judged = learner.judged([*held_out, *(examples if learner.is_cross_fitted else ())])
    if judged < MIN_QUESTIONS:
        return Try(learner.name, "too_few", "held_out", judged, MIN_QUESTIONS)
    look = replace(look, judged=judged, least_gain=round(least_gain(judged), 3))
    before = settled_try(plan.home, learner.name, name)
    if before is None:
        return look
    known = find_run(plan.home, before.run).facts
    has_twins = AUGMENTED in known.config
    if has_twins != (plan.augments and learner.is_augmentable):
        return look
    if learner.for_embedder and known.base != plan.embedder:
        return look
    return replace(before, state="known")


def _reason(decision: GateDecision) -> str:
    found = decision.comparison
    gain = f"{found.gain:+.3f}, surely more than {found.low:+.3f}, on {found.questions} questions"
    return f"{report.verdict(decision)} ({gain})"


class _Trials:
    """The trials of one round; what they gained is corrected for there being several of them."""

    def __init__(
        self, plan: RoundPlan, dataset: Path, commands: CommandRunner, on_progress: Tell
    ) -> None:
        self._plan = plan
        self._dataset = dataset
        self._commands = commands
        self._on_progress = on_progress
        self._p_values: list[float] = []

    def of(self, looks: Sequence[Try]) -> Iterator[Try]:
        """What becomes of each learner."""
        is_over = False
        for learner, look in zip(self._plan.learners, looks, strict=True):
            attempt = self._try(learner, look) if look.state == "ready" and not is_over else look
            is_over = is_over or attempt.state in _ENDS
            yield attempt

    def _try(self, learner: Learner, look: Try) -> Try:
        home = self._plan.home
        before = {run.id for run in all_runs(home)}
        self._on_progress(f"{look.learner}: learning")
        try:
            self._commands.run("train", *learner.command, str(self._dataset), *self._how(learner))
        except CommandFailedError as error:
            return replace(look, state="refused", reason=str(error))
        except TimeUpError as error:
            return replace(look, state="broken_off", reason=str(error))
        left = [run for run in all_runs(home) if run.id not in before]
        if not left:
            return replace(look, state="refused", reason="it left no run")
        return self._judge(replace(look, run=left[-1].id), left[-1])

    def _how(self, learner: Learner) -> Iterator[str]:
        if learner.is_long:
            # What is left after learning is for trying what was learned, and for publishing it.
            yield from ("--max-minutes", f"{TO_LEARN * self._commands.minutes_left():.1f}")
        if self._plan.augments and learner.is_augmentable:
            yield "--augment"

    def _judge(self, attempt: Try, run: Run) -> Try:
        decision = self._corrected(folder_of(self._plan.home, run))
        attempt = replace(attempt, reason=_reason(decision))
        self._on_progress(f"{attempt.learner}: {attempt.reason}")
        if not decision.is_passed:
            return replace(attempt, state="stopped")
        if not self._plan.publishes:
            return replace(attempt, state="passed")
        return self._publish(attempt, decision)

    def _corrected(self, folder: Path) -> GateDecision:
        """The gate's decision; passed only if it would be among all of this round's (Holm 1979)."""
        decision = report.load(folder)
        self._p_values.append(decision.comparison.p)
        if decision.is_passed and not is_sure_among(self._p_values):
            return report.overrule(folder, ONE_OF_SEVERAL)
        return decision

    def _publish(self, attempt: Try, decision: GateDecision) -> Try:
        found = decision.comparison
        share = self._plan.share
        trial = ("--share", str(share)) if share else ()
        reason = f"learned: {found.gain:+.3f} on {found.questions} questions held out"
        try:
            self._commands.run("publish", attempt.run, "--reason", reason, *trial)
        except (CommandFailedError, TimeUpError) as error:
            return replace(
                attempt, state="passed", reason=f"{attempt.reason} Not published: {error}"
            )
        return replace(attempt, state="on_trial" if share else "published")


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Hold the right to learn; it is given back when the process ends, however it ends.

    Raises:
        BusyError: If a round is going on.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(building(home / LOCK))
        except BusyError:
            wait = "try again when it is done"
            raise BusyError(f"a round of learning is going on already; {wait}") from None
        yield
