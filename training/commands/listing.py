"""Trained models as a terminal shows them: all in a list, and one in full."""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import wrap

from retrieval.index.served_embedder import served_runs
from retrieval.registry.runs import (
    CARD,
    COPY,
    SEAL,
    Deployment,
    Run,
    all_runs,
    deployments,
    folder_of,
    retirement,
)
from retrieval.registry.trials import under_way
from retrieval.settings import Settings
from training.gate import report
from training.gate.decision import GateDecision

WIDTH = 100


def listed(settings: Settings) -> Iterator[str]:
    """A line for each run, a star before those that serve, and then what served when."""
    home, serving = settings.runs_folder, served_runs(settings)
    runs = all_runs(home)
    for run in runs:
        mark = "*" if serving.get(run.kind) == run else " "
        yield f"{mark} {run.kind:<9} {run.id}  data {run.facts.dataset}  {state(settings, run)}"
    if "retriever" not in serving:
        yield f"* {settings.embedder}, as configured"
    changes = deployments(home)
    if changes:
        yield ""
    for change in changes:
        yield f"{change.at[:19]}  {change.kind}: {_change(change)}"


def state(settings: Settings, run: Run) -> str:
    """Whether a run may serve: retired, on trial, passed with its gain, or stopped by what."""
    if why := retirement(settings.runs_folder, run):
        return f"retired: {why}"
    trial = under_way(settings.runs_folder)
    if trial is not None and trial.run == run.id and trial.mode != "all":
        return f"on trial in {trial.share:.0%} of the threads" if trial.share else "in the shadow"
    decision = judged(settings, run)
    if decision is None:
        return "not judged"
    if not decision.is_passed:
        return f"stopped: {decision.reasons[0]}"
    found = decision.comparison
    return f"passed: {found.gain:+.3f} on {found.questions} questions"


def judged(settings: Settings, run: Run) -> GateDecision | None:
    """What the gate said of a run; None if it was never asked."""
    folder = folder_of(settings.runs_folder, run)
    return report.load(folder) if (folder / report.JSON).is_file() else None


def card(settings: Settings, run: Run) -> Iterator[str]:
    """All that is known of a run: enough to make it again, to check it, and to judge it."""
    home, facts = settings.runs_folder, run.facts
    folder = folder_of(home, run)
    is_serving = run in served_runs(settings).values()
    yield f"{run.kind} {run.id}: {'serves, ' if is_serving else ''}{state(settings, run)}"
    yield from _field("made", f"{run.created[:19]} by whimbrel {facts.code}, seed {facts.seed}")
    yield from _field("from", facts.base)
    yield from _field("data", str(settings.dataset_folder / facts.dataset))
    yield from _field("config", _pairs(facts.config))
    yield from _field("metrics", _pairs(facts.metrics))
    for name, digest in sorted(run.files.items()):
        yield from _field("file", f"{name} sha256 {digest}")
    for change in deployments(home):
        if run.id in (change.before, change.after):
            yield from _field("history", f"{change.at[:19]} {_change(change)}")
    beside = {path.name for path in folder.iterdir() if path.is_file()} - {
        CARD,
        COPY,
        SEAL,
        *run.files,
    }
    yield from _field("look at", f"{folder}: {', '.join(sorted(beside)) or CARD}")
    if (decision := judged(settings, run)) is not None:
        yield ""
        yield report.markdown(decision, title="What the gate said").rstrip()


def _change(change: Deployment) -> str:
    words = {"trial": "{after} on trial beside {before}", "stop": "{before} no longer on trial"}
    said = words.get(change.how, "{before} -> {after}")
    return f"{said.format(before=change.before, after=change.after)}: {change.reason}"


def _field(name: str, text: str) -> Iterator[str]:
    lines = wrap(text, WIDTH - 10, break_long_words=False, break_on_hyphens=False) or ["none"]
    for number, line in enumerate(lines):
        yield f"{'' if number else name:<9} {line}"


def _pairs(values: object) -> str:
    return json.dumps(values, ensure_ascii=False, default=dict)[1:-1].replace('"', "")
