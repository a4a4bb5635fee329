"""How well the bot tells questions for the documents from other talk.

    python -m benchmarks.triage [--plot FILE] [--errors]

The messages are our own, written before the rules: half are English and half Chinese, half are
questions that documents could answer. The rules and the threshold were chosen on the development
part alone; the held-out part tells how well they do.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bot.asking.triage import THRESHOLD, score
from retrieval.language import language_of

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Labelled:
    """A message and whether it is a question for the documents."""

    text: str
    is_question: bool

    @property
    def score(self) -> float:
        return score(self.text)


def load(part: str) -> list[Labelled]:
    """The messages of a part: `dev` or `held_out`."""
    lines = (DATA / f"triage_{part}.tsv").read_text().splitlines()
    return [Labelled(text, label == "1") for label, _, text in (x.partition("\t") for x in lines)]


def precision_recall_f1(messages: list[Labelled], threshold: float) -> tuple[float, float, float]:
    """Of those taken for questions, how many are; how many are taken; their harmonic mean."""
    taken = [m for m in messages if m.score >= threshold]
    right = sum(m.is_question for m in taken)
    asked = sum(m.is_question for m in messages)
    precision, recall = right / (len(taken) or 1), right / asked
    return precision, recall, 2 * precision * recall / ((precision + recall) or 1)


def roc(messages: list[Labelled]) -> list[tuple[float, float]]:
    """False and true positive rates at every threshold, from the strictest on."""
    asked = sum(m.is_question for m in messages)
    points = [(0.0, 0.0)]
    for threshold in sorted({m.score for m in messages}, reverse=True):
        taken = [m.is_question for m in messages if m.score >= threshold]
        points.append(
            ((len(taken) - sum(taken)) / (len(messages) - asked), sum(taken) / asked),
        )
    return points


def area(points: list[tuple[float, float]]) -> float:
    """The area under a curve, by trapezoids."""
    return sum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairwise(points))


def report(name: str, messages: list[Labelled]) -> None:
    """Print one row of the table."""
    precision, recall, f1 = precision_recall_f1(messages, THRESHOLD)
    print(
        f"{name:<16} n={len(messages):<4} precision={precision:.3f} recall={recall:.3f} "
        f"F1={f1:.3f} ROC AUC={area(roc(messages)):.3f}"
    )


def plot(messages: list[Labelled], path: Path) -> None:
    """Draw the ROC curve of the held-out part."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4, 4))
    axes.plot(*zip(*roc(messages), strict=True))
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="Triage, held out")
    figure.savefig(path, bbox_inches="tight")


def main() -> None:
    """Print the table; with options, the errors and the curve."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--errors", action="store_true", help="show what dev gets wrong")
    parser.add_argument("--plot", type=Path, help="draw the held-out ROC curve into this file")
    arguments = parser.parse_args()
    print(f"threshold {THRESHOLD}")
    for part in ("dev", "held_out"):
        messages = load(part)
        report(part, messages)
        for language in ("en", "zh"):
            report(f"  {language}", [m for m in messages if language_of(m.text) == language])
    if arguments.errors:
        for message in load("dev"):
            if (message.score >= THRESHOLD) != message.is_question:
                print(f"{message.score:.2f} {int(message.is_question)} {message.text}")
    if arguments.plot is not None:
        plot(load("held_out"), arguments.plot)


if __name__ == "__main__":
    main()
