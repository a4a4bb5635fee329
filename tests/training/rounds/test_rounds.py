from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from retrieval.errors import BusyError
from retrieval.examples import Example, PassageText, write_examples
from retrieval.registry.rounds import Round, all_rounds
from retrieval.registry.runs import Facts, all_runs, folder_of, write_run
from training.gate import report
from training.gate.decision import QuestionOutcome, decide
from training.rounds.children import CommandFailedError, TimeUpError
from training.rounds.learners import Learner, questions
from training.rounds.rounds import RoundPlan, alone, learn

CHEAP, STRONG = (
    Learner("cheap", "questions", 5, questions),
    Learner("strong", "questions", 8, questions),
)
BETTER, NO_BETTER = [True] * 30, [True, False] * 15
HARDLY = [True] * 5


class Learners:
    """Leaves a run of each learner that is asked, better or worse on so many questions."""

    def __init__(self, home: Path, **wins: Sequence[bool]) -> None:
        self._home, self._wins = home, wins
        self.asked: list[str] = []
        self.options: list[str] = []

    def run(self, *arguments: str) -> list[str]:
        self.asked.append(" ".join(arguments[:2]))
        self.options += arguments[3 if arguments[0] == "train" else 4 :]
        if arguments[0] == "train":
            self._train(arguments[1], Path(arguments[2]).name)
        return []

    def minutes_left(self) -> float:
        return 10.0

    def _train(self, name: str, dataset: str) -> None:
        config = {"augment": "typos"} if "--augment" in self.options else {}
        facts = Facts("base", dataset, 0, "1", config)
        run = write_run(self._home, "retriever", facts, lambda _: None)
        ids = count()
        served, candidate = [], []
        for is_won in self._wins[name]:
            id_ = str(next(ids))
            served.append(QuestionOutcome(id_, "en", 0.5))
            candidate.append(QuestionOutcome(id_, "en", 1.0 if is_won else 0.0))
        (decision,) = decide(served, [candidate])
        report.save(folder_of(self._home, run), decision, title=name)


class Failing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def run(self, *arguments: str) -> list[str]:
        del arguments
        raise self._error

    def minutes_left(self) -> float:
        return 0.0


def pairs(n: int) -> list[Example]:
    passage = (PassageText("d", "h", "t", "text"),)
    return [
        Example(str(i), "pair", f"question {i}?", "en", passage, "votes", "2026-01-02")
        for i in range(n)
    ]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Ten questions to learn from and thirty to judge by."""
    return write(tmp_path / "0123", train=10, held_out=30)


def write(folder: Path, *, train: int, held_out: int) -> Path:
    folder.mkdir()
    write_examples(folder, "train", pairs(train))
    write_examples(folder, "dev", [])
    write_examples(folder, "held-out", pairs(held_out))
    return folder


def states(done: Round) -> dict[str, str]:
    return {attempt.learner: attempt.state for attempt in done.tries}


def test_the_cheapest_that_passes_is_published_and_ends_the_round(
    dataset: Path, tmp_path: Path
) -> None:
    commands = Learners(tmp_path, cheap=BETTER, strong=BETTER)
    done = learn(RoundPlan(tmp_path, [CHEAP, STRONG]), dataset, commands)
    assert states(done) == {"cheap": "published", "strong": "ready"}
    assert commands.asked == ["train cheap", f"publish {done.tries[0].run}"]
    assert all_rounds(tmp_path) == [done]


def test_the_next_round_goes_on_with_the_next_learner_and_then_knows_all(
    dataset: Path, tmp_path: Path
) -> None:
    plan = RoundPlan(tmp_path, [CHEAP, STRONG])
    commands = Learners(tmp_path, cheap=BETTER, strong=NO_BETTER)
    first, second, third = (learn(plan, dataset, commands) for _ in range(3))
    assert states(second) == {"cheap": "known", "strong": "stopped"}
    assert states(third) == {"cheap": "known", "strong": "known"}
    assert third.tries[0].run == first.tries[0].run
    assert len(all_runs(tmp_path)) == 2


def test_a_learner_that_the_gate_stops_is_followed_by_the_next(
    dataset: Path, tmp_path: Path
) -> None:
    commands = Learners(tmp_path, cheap=NO_BETTER, strong=BETTER)
    done = learn(RoundPlan(tmp_path, [CHEAP, STRONG]), dataset, commands)
    assert states(done) == {"cheap": "stopped", "strong": "published"}


def test_what_one_candidate_gains_is_not_enough_for_the_second_of_two(
    dataset: Path, tmp_path: Path
) -> None:
    alone_ = learn(RoundPlan(tmp_path, [STRONG]), dataset, Learners(tmp_path, strong=HARDLY))
    home = tmp_path / "other"
    commands = Learners(home, cheap=NO_BETTER, strong=HARDLY)
    both = learn(RoundPlan(home, [CHEAP, STRONG]), dataset, commands)
    assert states(alone_) == {"strong": "published"}
    assert states(both) == {"cheap": "stopped", "strong": "stopped"}
    folder = folder_of(home, all_runs(home)[-1])
    assert not report.load(folder).is_passed
    assert "Not published after all" in (folder / "gate.md").read_text()


def test_too_little_is_told_with_how_much_is_missing(tmp_path: Path) -> None:
    few, unjudged = write(tmp_path / "few", train=3, held_out=30), tmp_path / "unjudged"
    write(unjudged, train=10, held_out=5)
    told = [
        learn(RoundPlan(tmp_path, [CHEAP]), dataset, Learners(tmp_path)).tries[0]
        for dataset in (few, unjudged)
    ]
    assert [attempt.state for attempt in told] == ["too_few", "too_few"]
    assert [attempt.missing for attempt in told] == [2, 15]
    assert told[1].of == "held_out"


def test_a_dry_run_trains_and_writes_nothing(dataset: Path, tmp_path: Path) -> None:
    commands = Learners(tmp_path)
    done = learn(RoundPlan(tmp_path, [CHEAP], only_tells=True), dataset, commands)
    assert (states(done), commands.asked) == ({"cheap": "ready"}, [])
    assert all_rounds(tmp_path) == []


def test_without_publishing_what_has_passed_waits_for_an_admin(
    dataset: Path, tmp_path: Path
) -> None:
    commands = Learners(tmp_path, cheap=BETTER)
    done = learn(RoundPlan(tmp_path, [CHEAP], publishes=False), dataset, commands)
    assert (states(done), commands.asked) == ({"cheap": "passed"}, ["train cheap"])


@pytest.mark.parametrize(
    ("error", "state"),
    [(CommandFailedError("no index"), "refused"), (TimeUpError("not done"), "broken_off")],
)
def test_a_learner_that_fails_says_why_and_is_tried_again_in_the_next_round(
    dataset: Path, tmp_path: Path, error: Exception, state: str
) -> None:
    plan = RoundPlan(tmp_path, [CHEAP])
    (attempt,) = learn(plan, dataset, Failing(error)).tries
    assert (attempt.state, attempt.reason) == (state, str(error))
    again = learn(plan, dataset, Learners(tmp_path, cheap=BETTER))
    assert states(again) == {"cheap": "published"}


def test_only_one_round_goes_on_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(BusyError, match="going on already"), alone(tmp_path):
        pass


def test_a_judge_is_learned_anew_for_another_embedder(dataset: Path, tmp_path: Path) -> None:
    judge = replace(CHEAP, for_embedder=True)
    commands = Learners(tmp_path, cheap=NO_BETTER)
    served = [
        learn(RoundPlan(tmp_path, [judge], embedder=embedder), dataset, commands).tries[0].state
        for embedder in ("base", "base", "base+map")
    ]
    assert served == ["stopped", "known", "stopped"]


def test_a_long_learner_leaves_time_to_try_what_it_learned(dataset: Path, tmp_path: Path) -> None:
    commands = Learners(tmp_path, cheap=BETTER)
    learn(RoundPlan(tmp_path, [replace(CHEAP, is_long=True)]), dataset, commands)
    assert commands.options == ["--max-minutes", "5.0"]


def test_what_has_passed_can_begin_with_a_share_of_the_threads(
    dataset: Path, tmp_path: Path
) -> None:
    commands = Learners(tmp_path, cheap=BETTER)
    done = learn(RoundPlan(tmp_path, [CHEAP], share=20), dataset, commands)
    assert states(done) == {"cheap": "on_trial"}
    assert commands.options == ["--share", "20"]


def test_noisy_twins_are_learned_from_where_they_are_wanted_and_of_use(
    dataset: Path, tmp_path: Path
) -> None:
    numbers = replace(CHEAP, name="numbers", is_augmentable=False)
    commands = Learners(tmp_path, numbers=NO_BETTER, strong=NO_BETTER)
    plan = RoundPlan(tmp_path, [numbers, STRONG], augments=True)
    learn(plan, dataset, commands)
    assert commands.options == ["--augment"]


def test_what_was_tried_without_twins_is_tried_again_with_them(
    dataset: Path, tmp_path: Path
) -> None:
    plan = RoundPlan(tmp_path, [CHEAP])
    tried = [
        learn(replace(plan, augments=augments), dataset, Learners(tmp_path, cheap=NO_BETTER))
        for augments in (False, True, True)
    ]
    assert [states(done)["cheap"] for done in tried] == ["stopped", "stopped", "known"]
