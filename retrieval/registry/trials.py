"""A candidate on trial: a run that answers beside what serves, or in a share of the threads.

`models/runs/trial.json` holds the one trial that is under way; whoever answers follows it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from retrieval.errors import ModelCorruptError, ModelNotFoundError
from retrieval.records import Thread
from retrieval.registry.folders import changing, replace_text
from retrieval.registry.runs import (
    Deployment,
    ModelKind,
    Run,
    find_run,
    note,
    now,
    pointed,
    retirement,
    verify,
)

TRIAL = "trial.json"

WATCHED = timedelta(days=14)
"""A candidate that was published is taken back only so long after its trial began."""

Mode = Literal["shadow", "share", "all"]


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial of one run.

    In mode `shadow` nobody sees what the candidate answers, in mode `share` it answers `share` of
    the threads, above 0 and below 1, and in mode `all` it serves, but has served for so short a
    time that people may still take it back. `since` is ISO 8601 in UTC; `before` is what served
    when the trial began, the id of a run or `base`.
    """

    run: str
    kind: ModelKind
    mode: Mode
    share: float
    since: str
    before: str

    def covers(self, thread: Thread) -> bool:
        """Whether a thread is part of the trial: those that began before it keep their model."""
        return self.mode == "all" or thread.began >= datetime.fromisoformat(self.since).timestamp()

    def takes(self, thread: Thread) -> bool:
        """Whether the candidate answers in this thread: for one thread it is always the same."""
        digest = hashlib.sha256(f"{self.run}\n{thread.id}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64 < self.share


_TRIALS = TypeAdapter(Trial)


def begin(home: Path, run: Run, *, share: float, reason: str) -> Trial:
    """Put a run on trial in place of the one before: on a share of threads, or in the shadow at 0.

    Raises:
        ModelCorruptError: If a file of the run is not what was written.
        ModelNotFoundError: If the run was retired, or serves already.
    """
    verify(home, run)
    with changing(home):
        if why := retirement(home, run):
            raise ModelNotFoundError(f"run {run.id} was retired: {why}")
        before = pointed(home, run.kind)
        if before == run.id:
            raise ModelNotFoundError(f"run {run.id} serves already; there is nothing to try")
        if (other := under_way(home)) is not None:
            _stop(home, other, "another trial begins")
        mode: Mode = "share" if share else "shadow"
        trial = Trial(run.id, run.kind, mode, share, now(), before)
        note(home, Deployment(trial.since, run.kind, "trial", before, run.id, reason))
        _write(home, trial)
    return trial


def complete(home: Path, trial: Trial) -> None:
    """Let the trial of a run go on that was published meanwhile: it can still be taken back."""
    with changing(home):
        _write(home, Trial(trial.run, trial.kind, "all", 1.0, trial.since, trial.before))


def stop(home: Path, trial: Trial, *, reason: str) -> bool:
    """End a trial; False if it has ended already. What serves goes on serving."""
    with changing(home):
        if under_way(home) != trial:
            return False
        _stop(home, trial, reason)
    return True


def _stop(home: Path, trial: Trial, reason: str) -> None:
    (home / TRIAL).unlink()
    after = pointed(home, trial.kind)
    note(home, Deployment(now(), trial.kind, "stop", trial.run, after, reason))


def clear(home: Path) -> None:
    """Delete what a trial left that is over, so that publishing its run revives no old votes."""
    with changing(home):
        if under_way(home) is None:
            (home / TRIAL).unlink(missing_ok=True)


def under_way(home: Path) -> Trial | None:
    """The trial of the moment; None if there is none.

    It is over as soon as its run was retired, something else was published in the place of what it
    is compared with, or it was published long ago.

    Raises:
        ModelCorruptError: If the file is not what was written.
    """
    try:
        trial = _TRIALS.validate_json((home / TRIAL).read_bytes())
        run = find_run(home, trial.run)
    except (FileNotFoundError, ModelNotFoundError):
        return None
    except ValidationError as error:
        raise ModelCorruptError(f"{home / TRIAL} is damaged; delete it: {error}") from error
    expected = trial.run if trial.mode == "all" else trial.before
    is_over = retirement(home, run) is not None or pointed(home, trial.kind) != expected
    return None if is_over or _is_old(trial) else trial


def _is_old(trial: Trial) -> bool:
    age = datetime.now(UTC) - datetime.fromisoformat(trial.since)
    return trial.mode == "all" and age > WATCHED


def _write(home: Path, trial: Trial) -> None:
    replace_text(home / TRIAL, json.dumps(asdict(trial), indent=1) + "\n")
