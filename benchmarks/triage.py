"""How well the bot tells questions for the documents from other talk.

    python -m benchmarks.triage [--plot FILE] [--errors]

The bot learns from the messages in retrieval/answering/triage.tsv (`dev`), which are rated here
by ten-fold cross-validation; decay and threshold were chosen on them alone. `held_out` is only
measured. All messages are our own, half of them English and half Chinese, half of them questions.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.asking.triage import Triage
from retrieval.answering.triage import SEEDS, THRESHOLD, LabelledMessage, clean, fit, read_labelled
from retrieval.language import language_of
from retrieval.search.embedding import Embedder
from retrieval.settings import load_settings

HELD_OUT = Path(__file__).parent / "data" / "triage_held_out.tsv"
FOLDS = 10

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """The embedder under test."""

    embedder: Embedder


def cross_validated(messages: list[LabelledMessage], embedder: Embedder) -> Scores:
    """The score of each message by a separator that learned from the other folds."""
    vectors = embedder.embed_queries([clean(message.text) for message in messages])
    labels = np.array([message.is_question for message in messages])
    fold = np.random.default_rng(0).permutation(len(messages)) % FOLDS
    scores = np.zeros(len(messages))
    for part in range(FOLDS):
        rest = fold != part
        separator = fit(vectors[rest], labels[rest], embedder=embedder.id, data="dev")
        scores[fold == part] = separator.score(vectors[fold == part])
    # What is addressed to somebody is refused before it is embedded.
    return np.where([("<@" in message.text) for message in messages], 0.0, scores)


def precision_recall_f1(
    labels: npt.NDArray[np.bool_], scores: Scores, threshold: float
) -> tuple[float, float, float]:
    """Of those taken for questions, how many are; how many are taken; their harmonic mean."""
    taken = scores >= threshold
    right = int((taken & labels).sum())
    precision, recall = right / max(int(taken.sum()), 1), right / max(int(labels.sum()), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def roc(labels: npt.NDArray[np.bool_], scores: Scores) -> list[tuple[float, float]]:
    """False and true positive rates at every threshold, from the strictest on."""
    points = [(0.0, 0.0)]
    for threshold in sorted(set(scores), reverse=True):
        taken = scores >= threshold
        points.append((float(taken[~labels].mean()), float(taken[labels].mean())))
    return points


def area(points: list[tuple[float, float]]) -> float:
    """The area under a curve, by trapezoids."""
    return sum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairwise(points))


def report(name: str, messages: list[LabelledMessage], scores: Scores) -> None:
    """Print a row of the table for all messages and for each language."""
    labels = np.array([message.is_question for message in messages])
    languages = np.array([language_of(message.text) for message in messages])
    for title, chosen in (
        (name, languages != ""),
        ("en", languages == "en"),
        ("zh", languages == "zh"),
    ):
        precision, recall, f1 = precision_recall_f1(labels[chosen], scores[chosen], THRESHOLD)
        auc = area(roc(labels[chosen], scores[chosen]))
        print(
            f"{title:<10} n={int(chosen.sum()):<4} precision={precision:.3f} recall={recall:.3f} "
            f"F1={f1:.3f} ROC AUC={auc:.3f}"
        )


def plot(labels: npt.NDArray[np.bool_], scores: Scores, path: Path) -> None:
    """Draw the ROC curve of the held-out part."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4, 4))
    axes.plot(*zip(*roc(labels, scores), strict=True))
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="Triage, held out")
    figure.savefig(path, bbox_inches="tight")


def main() -> None:
    """Print the table; with options, what dev gets wrong and the curve of the held-out part."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--errors", action="store_true", help="show what dev gets wrong")
    parser.add_argument("--plot", type=Path, help="draw the held-out ROC curve into this file")
    arguments = parser.parse_args()
    embedder = Embedder.load(load_settings())
    dev, held_out = read_labelled(SEEDS), read_labelled(HELD_OUT)
    scores = cross_validated(dev, embedder)
    print(f"embedder {embedder.id}, threshold {THRESHOLD}")
    report("dev", dev, scores)
    triage = Triage(Model(embedder), Path("nothing learned"))
    held_out_scores = np.array([triage.score(message.text) for message in held_out])
    report("held_out", held_out, held_out_scores)
    if arguments.errors:
        for message, score in zip(dev, scores, strict=True):
            if (score >= THRESHOLD) != message.is_question:
                print(f"{score:.2f} {int(message.is_question)} {message.text}")
    if arguments.plot is not None:
        plot(np.array([m.is_question for m in held_out]), held_out_scores, arguments.plot)


if __name__ == "__main__":
    main()
