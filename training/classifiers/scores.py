"""How well probabilities tell two kinds of things apart, in numbers and in a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from retrieval.answering.triage import Probabilities
from retrieval.evaluation.metrics import auroc

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 10
"""Of the calibration error: as many probabilities in each."""

JSON, PICTURE = "scores.json", "scores.png"

BinaryLabels = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ClassifierScores:
    """What probabilities of "yes" are worth; yes is said from `threshold` on.

    `brier` is the mean squared distance from what is true, `ece` the expected calibration error:
    how far the mean probability of a bin lies from the share of what is true in it (Guo et al.
    2017), the bins being equally full. NaN where there is only one kind.
    """

    rows: int
    positives: int
    threshold: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    auroc: float
    brier: float
    ece: float


def score(
    probabilities: Sequence[float], labels: Sequence[bool], *, threshold: float
) -> ClassifierScores:
    """Score the probabilities of at least one row."""
    said, true = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=bool)
    right = said[true] >= threshold
    given = int((said >= threshold).sum())
    precision = float(right.sum()) / given if given else 0.0
    recall = float(right.mean()) if right.size else 0.0
    return ClassifierScores(
        rows=len(said),
        positives=int(true.sum()),
        threshold=threshold,
        accuracy=float(((said >= threshold) == true).mean()),
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall) if right.any() else 0.0,
        auroc=auroc(said[true].tolist(), said[~true].tolist()),
        brier=float(((said - true) ** 2).mean()),
        ece=_calibration_error(said, true),
    )


def interval(
    probabilities: Sequence[float],
    labels: Sequence[bool],
    *,
    seed: int = 0,
    draws: int = 1_000,
) -> tuple[float, float]:
    """The 95 % bounds of the area under the ROC curve, from a bootstrap of rows of each kind."""
    said, true = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=bool)
    random = np.random.default_rng(seed)
    areas = [
        auroc(*(random.choice(side, side.size).tolist() for side in (said[true], said[~true])))
        for _ in range(draws)
    ]
    low, high = np.quantile(areas, (0.025, 0.975))
    return float(low), float(high)


def save(
    folder: Path, probabilities: Sequence[float], labels: Sequence[bool], *, threshold: float
) -> None:
    """Write `scores.json` and `scores.png` into a folder."""
    text = json.dumps(asdict(score(probabilities, labels, threshold=threshold)), indent=1) + "\n"
    (folder / JSON).write_text(text, encoding="utf-8")
    draw(folder / PICTURE, probabilities, labels, threshold=threshold)


def draw(
    path: Path, probabilities: Sequence[float], labels: Sequence[bool], *, threshold: float
) -> None:
    """Draw the ROC curve, how true the probabilities are, and the choice of a threshold."""
    from matplotlib.figure import Figure

    said, true = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=bool)
    figure = Figure(figsize=(12, 4), layout="constrained")
    roc, reliability, thresholds = figure.subplots(1, 3)
    _draw_roc(roc, said, true)
    _draw_reliability(reliability, said, true)
    _draw_thresholds(thresholds, said, true, threshold)
    figure.savefig(path, dpi=120)


def _calibration_error(said: Probabilities, true: BinaryLabels) -> float:
    gaps = [(abs(said[rows].mean() - true[rows].mean()), len(rows)) for rows in _bins(said)]
    return float(sum(gap * size for gap, size in gaps) / len(said))


def _bins(said: Probabilities) -> list[npt.NDArray[np.int64]]:
    order = np.argsort(said, kind="stable")
    return [rows for rows in np.array_split(order, BINS) if rows.size]


def _draw_roc(axes: Axes, said: Probabilities, true: BinaryLabels) -> None:
    from sklearn.metrics import roc_curve

    false_rates, true_rates, _ = roc_curve(true, said)
    axes.plot(false_rates, true_rates)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    area = auroc(said[true].tolist(), said[~true].tolist())
    axes.set(title=f"ROC, area {area:.3f}", xlabel="false positives", ylabel="true positives")


def _draw_reliability(axes: Axes, said: Probabilities, true: BinaryLabels) -> None:
    bins = _bins(said)
    axes.plot([said[rows].mean() for rows in bins], [true[rows].mean() for rows in bins], "o-")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    error = _calibration_error(said, true)
    axes.set(title=f"calibration, error {error:.3f}", xlabel="said", ylabel="true")


def _draw_thresholds(axes: Axes, said: Probabilities, true: BinaryLabels, chosen: float) -> None:
    from sklearn.metrics import precision_recall_curve

    precisions, recalls, thresholds = precision_recall_curve(true, said)
    axes.plot(thresholds, precisions[:-1], label="precision")
    axes.plot(thresholds, recalls[:-1], label="recall")
    axes.axvline(chosen, color="grey", linewidth=0.8)
    axes.set(title=f"from {chosen:.2f} on it says yes", xlabel="threshold")
    axes.legend()
