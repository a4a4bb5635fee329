"""Curves of learning, written and drawn: the loss, and what was scored after each epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def save_losses(
    folder: Path, losses: Sequence[float] | Mapping[str, Sequence[float]], *, unit: str
) -> None:
    """Write a trainer's losses, or those of each stage, to `losses.json` and `losses.png`.

    Args:
        folder: Gets both files.
        losses: Evenly spaced over the steps.
        unit: What lies between two losses.
    """
    from matplotlib.figure import Figure

    (folder / "losses.json").write_text(json.dumps(losses) + "\n", encoding="utf-8")
    stages = losses if isinstance(losses, Mapping) else {"": losses}
    figure = Figure(figsize=(5 * len(stages), 3), layout="constrained")
    panels = figure.subplots(1, len(stages), squeeze=False)[0]
    for axes, (name, values) in zip(panels, stages.items(), strict=True):
        axes.plot(range(1, len(values) + 1), values, linewidth=0.8)
        axes.set(title=name, xlabel=unit, ylabel="loss")
    figure.savefig(folder / "losses.png", dpi=120)


def save_curve(folder: Path, curve: Sequence[float], losses: Sequence[float] = ()) -> None:
    """Write and draw how well the questions held back were answered, by epoch, and the loss.

    Args:
        folder: Gets `curve.png` and `curve.json`.
        curve: nDCG@10 before and after each epoch.
        losses: Evenly spaced over the same epochs; none to draw no loss.
    """
    import numpy as np
    from matplotlib.figure import Figure

    values = {"held_back_ndcg": list(curve), "loss": list(losses)}
    (folder / "curve.json").write_text(json.dumps(values) + "\n", encoding="utf-8")
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(len(curve)), curve, marker="o")
    axes.set(xlabel="epoch", ylabel="nDCG@10, held back")
    if losses:
        beside = axes.twinx()
        places = np.linspace(0, len(curve) - 1, len(losses) + 1)[1:]
        beside.plot(places, losses, color="tab:orange", linewidth=0.8)
        beside.set_ylabel("loss")
    figure.savefig(folder / "curve.png", dpi=120)
