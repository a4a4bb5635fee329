from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from retrieval.errors import ModelCorruptError, ModelNotFoundError
from retrieval.records import Thread
from retrieval.registry.folders import changing
from retrieval.registry.runs import (
    Facts,
    Run,
    deployments,
    publish,
    retire,
    roll_back,
    serving,
    write_run,
)
from retrieval.registry.trials import TRIAL, Trial, begin, complete, stop, under_way

FACTS = Facts(base="model@1", dataset="d", seed=3, code="0.1")


def trained(home: Path, text: str = "weights") -> Run:
    def fill(folder: Path) -> None:
        (folder / "model.safetensors").write_text(text)

    return write_run(home, "judge", FACTS, fill)


def thread(id_: str) -> Thread:
    return Thread(id_, time.time())


def test_a_candidate_on_trial_serves_nobody_else(tmp_path: Path) -> None:
    run = trained(tmp_path)
    trial = begin(tmp_path, run, share=0.2, reason="eased in")
    assert under_way(tmp_path) == trial
    assert (trial.mode, trial.before) == ("share", "base")
    assert serving(tmp_path, "judge") is None


def test_a_trial_without_a_share_is_in_the_shadow(tmp_path: Path) -> None:
    trial = begin(tmp_path, trained(tmp_path), share=0, reason="looked at")
    assert trial.mode == "shadow"
    assert not any(trial.takes(thread(f"{n}")) for n in range(100))


def test_a_thread_keeps_its_arm_and_the_share_is_kept() -> None:
    trial = Trial("run", "judge", "share", 0.2, "", "base")
    taken = [trial.takes(thread(f"C1:{n}.0")) for n in range(2_000)]
    assert taken == [trial.takes(thread(f"C1:{n}.0")) for n in range(2_000)]
    assert 0.17 < sum(taken) / len(taken) < 0.23


def test_the_next_trial_draws_other_threads() -> None:
    first, second = (Trial(run, "judge", "share", 0.5, "", "base") for run in "ab")
    taken = [(first.takes(thread(f"{n}")), second.takes(thread(f"{n}"))) for n in range(400)]
    assert 0.4 < sum(a == b for a, b in taken) / len(taken) < 0.6


def test_an_ended_trial_ends_once_and_is_in_the_history(tmp_path: Path) -> None:
    trial = begin(tmp_path, trained(tmp_path), share=0.2, reason="eased in")
    ended = [stop(tmp_path, trial, reason="people say so") for _ in range(2)]
    assert (ended, under_way(tmp_path)) == ([True, False], None)
    assert [change.how for change in deployments(tmp_path)] == ["trial", "stop"]


def test_of_all_who_end_a_trial_at_once_one_does(tmp_path: Path) -> None:
    run, people = trained(tmp_path), 8
    for _ in range(20):
        trial = begin(tmp_path, run, share=0.2, reason="eased in")
        at_once = Barrier(people)

        def end(trial: Trial = trial, at_once: Barrier = at_once) -> bool:
            at_once.wait()
            return stop(tmp_path, trial, reason="people say so")

        with ThreadPoolExecutor(people) as pool:
            ended = [pool.submit(end) for _ in range(people)]
        assert sum(each.result() for each in ended) == 1


def test_ending_a_trial_leaves_the_one_that_begins_meanwhile(tmp_path: Path) -> None:
    first, second = trained(tmp_path, "a"), trained(tmp_path, "b")
    for _ in range(40):
        trial = begin(tmp_path, first, share=0.2, reason="eased in")
        with ThreadPoolExecutor(2) as pool:
            begun = pool.submit(begin, tmp_path, second, share=0.2, reason="eased in")
            pool.submit(stop, tmp_path, trial, reason="people say so").result()
        assert under_way(tmp_path) == begun.result()


def test_retiring_the_run_ends_its_trial(tmp_path: Path) -> None:
    run = trained(tmp_path)
    begin(tmp_path, run, share=0.2, reason="eased in")
    retire(tmp_path, run, reason="somebody was forgotten")
    assert under_way(tmp_path) is None
    with pytest.raises(ModelNotFoundError, match="retired"):
        begin(tmp_path, run, share=0.2, reason="again")


def test_publishing_something_else_ends_a_trial(tmp_path: Path) -> None:
    first, second = trained(tmp_path, "a"), trained(tmp_path, "b")
    begin(tmp_path, first, share=0.2, reason="eased in")
    publish(tmp_path, second, reason="better")
    assert under_way(tmp_path) is None


def test_a_completed_trial_goes_on_until_it_is_rolled_back(tmp_path: Path) -> None:
    run = trained(tmp_path)
    trial = begin(tmp_path, run, share=0.2, reason="eased in")
    publish(tmp_path, run, reason="good")
    complete(tmp_path, trial)
    found = under_way(tmp_path)
    assert found is not None
    assert (found.mode, found.since) == ("all", trial.since)
    roll_back(tmp_path, "judge", reason="bad after all")
    assert under_way(tmp_path) is None


def test_threads_that_began_before_a_trial_keep_their_model(tmp_path: Path) -> None:
    earlier = thread("C1:1")
    trial = begin(tmp_path, trained(tmp_path), share=0.2, reason="eased in")
    assert [trial.covers(each) for each in (earlier, thread("C1:2"))] == [False, True]


def test_the_next_trial_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    begin(tmp_path, trained(tmp_path, "a"), share=0.2, reason="eased in")
    second = begin(tmp_path, trained(tmp_path, "b"), share=0.2, reason="eased in")
    assert under_way(tmp_path) == second
    assert [change.how for change in deployments(tmp_path)] == ["trial", "stop", "trial"]


def test_what_was_published_long_ago_is_no_longer_on_trial(tmp_path: Path) -> None:
    run = trained(tmp_path)
    trial = begin(tmp_path, run, share=0.2, reason="eased in")
    publish(tmp_path, run, reason="good")
    since = (datetime.now(UTC) - timedelta(days=15)).isoformat()
    complete(tmp_path, replace(trial, since=since))
    assert under_way(tmp_path) is None


def test_what_serves_already_is_not_tried(tmp_path: Path) -> None:
    run = trained(tmp_path)
    publish(tmp_path, run, reason="better")
    with pytest.raises(ModelNotFoundError, match="serves already"):
        begin(tmp_path, run, share=0.2, reason="again")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / TRIAL).write_text("{")
    with pytest.raises(ModelCorruptError, match=r"trial\.json is damaged"):
        under_way(tmp_path)


def test_ending_a_trial_leaves_the_one_alone_that_began_meanwhile(tmp_path: Path) -> None:
    first, second = trained(tmp_path), trained(tmp_path)
    trial = begin(tmp_path, first, share=0.2, reason="eased in")
    other = replace(trial, run=second.id)
    ended: list[bool] = []
    ending = threading.Thread(target=lambda: ended.append(stop(tmp_path, trial, reason="a doubt")))
    with changing(tmp_path):
        ending.start()
        (tmp_path / TRIAL).write_text(json.dumps(asdict(other)))
    ending.join()
    assert (ended, under_way(tmp_path)) == ([False], other)
