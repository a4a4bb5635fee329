"""Looks for a better configuration of a learner, by Optuna; judged on questions held back only.

The questions that a data set holds out take no part in it: they are the gate's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from training.extra import need
from training.trainer import LearnOptions

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from matplotlib.axes import Axes
    from optuna import Trial

C = TypeVar("C", bound="DataclassInstance")
"""A learner's configuration."""

JSON, PICTURE = "search.json", "search.png"
LOG_FROM = 50.0
"""Values whose largest is so many times the smallest are drawn on a logarithmic scale."""


@dataclass(frozen=True, slots=True)
class StudyTrial:
    """What was chosen for one trial, what it scored, and how long that took."""

    values: Mapping[str, float]
    score: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Study(Generic[C]):
    """The best configuration and every trial, the first of which is the usual configuration's."""

    config: C
    trials: tuple[StudyTrial, ...]

    def save(self, folder: Path) -> None:
        """Write the trials into a folder, as `search.json` and `search.png`."""
        rows = [asdict(trial) for trial in self.trials]
        text = json.dumps({"config": asdict(self.config), "trials": rows}, indent=1)
        (folder / JSON).write_text(text + "\n", encoding="utf-8")
        draw(folder / PICTURE, self.trials)


def search(
    suggest: Callable[[Trial, C], C],
    score: Callable[[C], float],
    *,
    start: C,
    options: LearnOptions,
) -> Study[C]:
    """Try configurations, the usual one first, and take the best (TPE: Bergstra et al. 2011).

    Args:
        suggest: Changes `start` by what it asks a trial for, by the names of its fields.
        score: How good a configuration is; the more the better.
        start: The usual configuration; on a tie it stays.
        options: Say how many to try, this one included.

    Raises:
        ExtraMissingError: If Optuna is not installed.
    """
    need("optuna")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    configs: list[C] = []
    results: list[StudyTrial] = []

    def objective(trial: Trial) -> float:
        config, started = suggest(trial, start), time.monotonic()
        value = score(config)
        configs.append(config)
        results.append(StudyTrial(dict(trial.params), value, round(time.monotonic() - started, 2)))
        told = f"{value:.4f} with {_told(trial.params)}"
        options.on_progress(f"trial {len(results)} of {options.trials}: {told}")
        return value

    random = min(10, options.trials // 3)
    sampler = optuna.samplers.TPESampler(seed=options.seed, n_startup_trials=random)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial(asdict(start))
    study.optimize(objective, n_trials=options.trials)
    best = max(range(len(results)), key=lambda place: results[place].score)
    return Study(configs[best], tuple(results))


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in values.items())


def draw(path: Path, trials: Sequence[StudyTrial]) -> None:
    """Draw what the trials scored one after the other, and by what was chosen for each."""
    from matplotlib.figure import Figure

    names = list(trials[0].values)
    columns = 3
    rows = -(-(len(names) + 1) // columns)
    figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
    history, *others = figure.subplots(rows, columns, squeeze=False).flat
    scores = [trial.score for trial in trials]
    history.plot(range(1, len(scores) + 1), scores, "o", color="tab:grey")
    best = [max(scores[: n + 1]) for n in range(len(scores))]
    history.step(range(1, len(scores) + 1), best, where="post", color="tab:green")
    history.set_title("score by trial; the best so far", fontsize=9)
    for axes, name in zip(others, names, strict=False):
        _draw_values(axes, name, [trial.values[name] for trial in trials], scores)
    for axes in others[len(names) :]:
        axes.remove()
    figure.savefig(path, dpi=120)


def _draw_values(axes: Axes, name: str, values: Sequence[float], scores: Sequence[float]) -> None:
    axes.plot(values, scores, "o", color="tab:grey")
    axes.plot(values[:1], scores[:1], "o", color="tab:blue")  # the usual configuration
    place = max(range(len(scores)), key=scores.__getitem__)
    axes.plot(values[place : place + 1], scores[place : place + 1], "*", color="tab:green", ms=12)
    if min(values) > 0 and max(values) / min(values) > LOG_FROM:
        axes.set_xscale("log")
    else:
        axes.locator_params(axis="x", nbins=5)
    axes.tick_params(labelsize=7)
    axes.set_title(name, fontsize=9)
