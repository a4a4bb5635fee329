from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.errors import DataError, ModelCorruptError, ModelNotFoundError
from retrieval.registry.folders import changing
from retrieval.registry.runs import (
    BASE,
    DEPLOYMENTS,
    ERASED,
    RETIRED,
    Facts,
    Run,
    all_runs,
    checkpoints,
    deployments,
    erase_dataset,
    find_run,
    folder_of,
    publish,
    retire,
    roll_back,
    serving,
    write_run,
)

FACTS = Facts(base="model@1", dataset="d", seed=3, code="0.1", metrics={"ndcg": 0.7})


def trained(home: Path, text: str = "weights") -> Run:
    def fill(folder: Path) -> None:
        (folder / "model.safetensors").write_text(text)

    return write_run(home, "judge", FACTS, fill)


def served_id(home: Path) -> str | None:
    run = serving(home, "judge")
    return run.id if run else None


def test_a_run_is_found_again_with_its_facts(tmp_path: Path) -> None:
    run = trained(tmp_path)
    assert all_runs(tmp_path) == [run]
    assert find_run(tmp_path, run.id[-6:]).facts == FACTS
    assert (folder_of(tmp_path, run) / "model.safetensors").read_text() == "weights"


def test_a_new_run_serves_nobody(tmp_path: Path) -> None:
    trained(tmp_path)
    assert serving(tmp_path, "judge") is None


def test_publishing_and_rolling_back_go_step_by_step_to_the_base(tmp_path: Path) -> None:
    first, second, third = (trained(tmp_path, text) for text in "abc")
    for run in (first, second, third):
        publish(tmp_path, run, reason="the gate passed it")
    found = []
    for _ in range(3):
        roll_back(tmp_path, "judge", reason="people say so")
        found.append(served_id(tmp_path))
    assert found == [second.id, first.id, None]
    with pytest.raises(ModelNotFoundError, match="nothing to roll back"):
        roll_back(tmp_path, "judge", reason="again")


def test_after_a_roll_back_a_publication_rolls_back_to_what_served(tmp_path: Path) -> None:
    first, second, third = (trained(tmp_path, text) for text in "abc")
    publish(tmp_path, first, reason="")
    publish(tmp_path, second, reason="")
    roll_back(tmp_path, "judge", reason="")
    publish(tmp_path, third, reason="")
    roll_back(tmp_path, "judge", reason="")
    assert served_id(tmp_path) == first.id


def test_every_change_is_written_down(tmp_path: Path) -> None:
    run = trained(tmp_path)
    publish(tmp_path, run, reason="the gate passed it")
    roll_back(tmp_path, "judge", reason="two experts said no")
    changes = [(change.before, change.after, change.reason) for change in deployments(tmp_path)]
    assert changes == [
        ("base", run.id, "the gate passed it"),
        (run.id, "base", "two experts said no"),
    ]


def test_a_history_whose_last_line_is_torn_can_be_rolled_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = trained(tmp_path, "a"), trained(tmp_path, "b")
    publish(tmp_path, first, reason="")
    publish(tmp_path, second, reason="")
    with (tmp_path / DEPLOYMENTS).open("a") as file:
        file.write('{"at": "2026-')
    roll_back(tmp_path, "judge", reason="people say so")
    assert served_id(tmp_path) == first.id
    assert [change.how for change in deployments(tmp_path)] == ["publish", "publish", "rollback"]
    assert 'torn line, which is left out: {"at": "2026-' in caplog.text


def test_a_history_with_a_broken_line_inside_names_it(tmp_path: Path) -> None:
    (tmp_path / DEPLOYMENTS).write_text('{"at": "2026-\n')
    publish(tmp_path, trained(tmp_path), reason="")
    with pytest.raises(DataError, match=r"deployments\.jsonl, line 1"):
        roll_back(tmp_path, "judge", reason="people say so")


def test_a_data_set_is_erased_although_the_line_before_has_no_end(tmp_path: Path) -> None:
    (tmp_path / ERASED).write_text("before")
    erase_dataset(tmp_path, FACTS.dataset)
    assert (tmp_path / ERASED).read_text() == f"before\n{FACTS.dataset}\n"
    with pytest.raises(DataError, match="forgotten; export again"):
        trained(tmp_path)


def test_a_reason_may_break_lines_in_every_way(tmp_path: Path) -> None:
    for reason in ("one\u2028two", "one\u0085two", "one\n\x1etwo"):
        publish(tmp_path, trained(tmp_path), reason=reason)
        assert deployments(tmp_path)[-1].reason == reason


def test_a_retired_run_stops_serving_and_cannot_come_back(tmp_path: Path) -> None:
    first, second = trained(tmp_path, "a"), trained(tmp_path, "b")
    publish(tmp_path, first, reason="")
    publish(tmp_path, second, reason="")
    retire(tmp_path, first, reason="a person asked to be forgotten")
    assert served_id(tmp_path) == second.id
    retire(tmp_path, second, reason="the same person")
    assert served_id(tmp_path) is None
    with pytest.raises(ModelNotFoundError, match="a person asked to be forgotten"):
        publish(tmp_path, first, reason="")


def test_a_changed_file_is_never_served(tmp_path: Path) -> None:
    run = trained(tmp_path)
    publish(tmp_path, run, reason="")
    (folder_of(tmp_path, run) / "model.safetensors").write_text("other weights")
    with pytest.raises(ModelCorruptError, match=r"model\.safetensors"):
        serving(tmp_path, "judge")


def test_weights_that_can_run_code_are_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ModelCorruptError, match="safetensors"):
        write_run(tmp_path, "judge", FACTS, lambda folder: (folder / "m.bin").touch())
    assert all_runs(tmp_path) == []


@pytest.mark.parametrize("name", ["", "no-such-run"])
def test_a_name_that_leads_nowhere_tells_what_there_is(tmp_path: Path, name: str) -> None:
    run = trained(tmp_path)
    with pytest.raises(ModelNotFoundError, match=run.id):
        find_run(tmp_path, name)


def test_forgetting_somebody_clears_runs_that_were_never_written_to_their_end(
    tmp_path: Path,
) -> None:
    other = checkpoints(tmp_path, replace(FACTS, dataset="other")) / "checkpoint-1"
    half = tmp_path / "judge" / ".20260101T000000000000-abcdef"
    for folder in (other, half):
        folder.mkdir(parents=True)
    erase_dataset(tmp_path, FACTS.dataset)
    assert (other.exists(), half.exists()) == (True, False)


def test_what_is_being_trained_on_somebody_who_is_forgotten_leaves_nothing(tmp_path: Path) -> None:
    checkpoint = checkpoints(tmp_path, FACTS) / "checkpoint-1"
    checkpoint.mkdir(parents=True)
    erase_dataset(tmp_path, FACTS.dataset)
    assert not checkpoint.exists()
    checkpoint.mkdir(parents=True)  # the trainer knows nothing of it
    with pytest.raises(DataError, match="forgotten; export again"):
        trained(tmp_path)
    assert not checkpoint.exists()
    assert all_runs(tmp_path) == []


def test_a_run_that_is_retired_while_it_is_being_published_does_not_serve(tmp_path: Path) -> None:
    run = trained(tmp_path)

    def publish_it() -> None:
        with suppress(ModelNotFoundError):
            publish(tmp_path, run, reason="the gate passed it")

    publishing = threading.Thread(target=publish_it)
    with changing(tmp_path):
        publishing.start()
        (folder_of(tmp_path, run) / RETIRED).write_text(json.dumps({"reason": "forgotten"}))
    publishing.join()
    assert serving(tmp_path, "judge") is None


def test_retiring_again_finishes_what_was_broken_off(tmp_path: Path) -> None:
    run = trained(tmp_path)
    publish(tmp_path, run, reason="better")
    (folder_of(tmp_path, run) / RETIRED).write_text(json.dumps({"reason": "forgotten"}))
    retire(tmp_path, run, reason="forgotten")
    assert served_id(tmp_path) is None


def test_a_torn_note_of_retirement_keeps_a_run_retired(tmp_path: Path) -> None:
    run = trained(tmp_path)
    (folder_of(tmp_path, run) / RETIRED).write_text('{"at": "2026-')
    with pytest.raises(ModelNotFoundError, match="cannot be read"):
        publish(tmp_path, run, reason="better")


def test_a_history_from_which_a_publication_was_deleted_can_be_rolled_back(tmp_path: Path) -> None:
    first, second = trained(tmp_path, "a"), trained(tmp_path, "b")
    for run in (first, second):
        publish(tmp_path, run, reason="better")
    roll_back(tmp_path, "judge", reason="worse")
    _, *rest = (tmp_path / DEPLOYMENTS).read_text().splitlines(keepends=True)
    (tmp_path / DEPLOYMENTS).write_text("".join(rest))
    publish(tmp_path, second, reason="better")
    assert roll_back(tmp_path, "judge", reason="worse").after == BASE


def flip(path: Path, at: float) -> None:
    body = bytearray(path.read_bytes())
    body[int(at * len(body))] ^= 1
    path.write_bytes(body)


@pytest.mark.parametrize("at", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("name", ["run.json", "run.json.copy", "run.sha256"])
def test_a_damaged_card_of_a_run_is_mended(tmp_path: Path, name: str, at: float) -> None:
    run = trained(tmp_path)
    publish(tmp_path, run, reason="")
    card = folder_of(tmp_path, run) / "run.json"
    before = card.read_bytes()
    flip(card.with_name(name), at)
    assert serving(tmp_path, "judge") == run
    assert card.read_bytes() == card.with_name("run.json.copy").read_bytes() == before


def test_a_run_whose_card_is_gone_keeps_nothing_else_from_being_found(tmp_path: Path) -> None:
    lost, kept_ = trained(tmp_path, "a"), trained(tmp_path, "b")
    for name in ("run.json", "run.json.copy"):
        (folder_of(tmp_path, lost) / name).write_bytes(b"")
    assert all_runs(tmp_path) == [kept_]


def test_a_card_that_an_older_release_wrote_is_read(tmp_path: Path) -> None:
    run = trained(tmp_path)
    for name in ("run.json.copy", "run.sha256"):
        (folder_of(tmp_path, run) / name).unlink()
    assert all_runs(tmp_path) == [run]


@pytest.mark.parametrize("at", [0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
def test_a_damaged_history_is_mended_from_its_copy(tmp_path: Path, at: float) -> None:
    first, second = trained(tmp_path, "a"), trained(tmp_path, "b")
    publish(tmp_path, first, reason="one")
    publish(tmp_path, second, reason="two")
    before = deployments(tmp_path)
    flip(tmp_path / DEPLOYMENTS, at)
    assert deployments(tmp_path) == before
    roll_back(tmp_path, "judge", reason="people say so")
    assert served_id(tmp_path) == first.id
    (tmp_path / f"{DEPLOYMENTS}.copy").unlink()
    assert deployments(tmp_path)[:2] == before


@pytest.mark.parametrize("cut", [1, 40, 200, 10_000])
def test_a_history_that_lost_its_end_is_read_from_its_copy(tmp_path: Path, cut: int) -> None:
    for name in ("a", "b"):
        publish(tmp_path, trained(tmp_path, name), reason="")
    before = deployments(tmp_path)
    path = tmp_path / DEPLOYMENTS
    path.write_bytes(path.read_bytes()[:-cut] if cut < 1_000 else b"")
    assert deployments(tmp_path) == before


def test_an_older_history_goes_on_and_is_kept_twice_from_then_on(tmp_path: Path) -> None:
    publish(tmp_path, trained(tmp_path, "a"), reason="")
    (tmp_path / f"{DEPLOYMENTS}.copy").unlink()
    path = tmp_path / DEPLOYMENTS
    row = json.loads(path.read_text())
    del row["seal"]
    path.write_text(json.dumps(row) + "\n")
    publish(tmp_path, trained(tmp_path, "b"), reason="")
    assert len(deployments(tmp_path)) == 2
    assert (tmp_path / f"{DEPLOYMENTS}.copy").read_bytes() == path.read_bytes()
