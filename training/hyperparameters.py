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

from retrieval.progress import Tell
from training.extra import need

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
class Tried:
    """What was chosen for one trial, what it scored, and how long that took."""

    values: Mapping[str, float]
    score: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Found(Generic[C]):
    """The best configuration and every trial, the first of which is the usual configuration's."""

    config: C
    trials: tuple[Tried, ...]

    def save(self, folder: Path) -> None:
        """Write the trials into a folder, as `search.json` and `search.png`."""
        rows = [asdict(each) for each in self.trials]
        text = json.dumps({"config": asdict(self.config), "trials": rows}, indent=1)
        (folder / JSON).write_text(text + "\n", encoding="utf-8")
        draw(folder / PICTURE, self.trials)


def search(
    suggest: Callable[[Trial, C], C],
    score: Callable[[C], float],
    *,
    start: C,
    trials: int,
    seed: int = 0,
    on_progress: Tell = lambda _: None,
) -> Found[C]:
    """Try configurations, the usual one first, and take the best (TPE: Bergstra et al. 2011).

    Args:
        suggest: Changes `start` by what it asks a trial for, by the names of its fields.
        score: How good a configuration is; the more the better.
        start: The usual configuration; on a tie it stays.
        trials: How many to try, this one included.
        seed: The same seed and scores give the same trials.
        on_progress: Is told what each has scored.

    Raises:
        ExtraMissingError: If Optuna is not installed.
    """
    need("optuna")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    configs: list[C] = []
    tried: list[Tried] = []

    def objective(trial: Trial) -> float:
        config, started = suggest(trial, start), time.monotonic()
        value = score(config)
        configs.append(config)
        tried.append(Tried(dict(trial.params), value, round(time.monotonic() - started, 2)))
        on_progress(f"trial {len(tried)} of {trials}: {value:.4f} with {_told(trial.params)}")
        return value

    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(10, trials // 3))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial(asdict(start))
    study.optimize(objective, n_trials=trials)
    best = max(range(len(tried)), key=lambda place: tried[place].score)
    return Found(configs[best], tuple(tried))


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in values.items())


def draw(path: Path, trials: Sequence[Tried]) -> None:
    """Draw what the trials scored one after the other, and by what was chosen for each."""
    from matplotlib.figure import Figure

    names = list(trials[0].values)
    columns = 3
    rows = -(-(len(names) + 1) // columns)
    figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
    course, *others = figure.subplots(rows, columns, squeeze=False).flat
    scores = [each.score for each in trials]
    course.plot(range(1, len(scores) + 1), scores, "o", color="tab:grey")
    best = [max(scores[: n + 1]) for n in range(len(scores))]
    course.step(range(1, len(scores) + 1), best, where="post", color="tab:green")
    course.set_title("score by trial; the best so far", fontsize=9)
    for axes, name in zip(others, names, strict=False):
        _draw_values(axes, name, [each.values[name] for each in trials], scores)
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
