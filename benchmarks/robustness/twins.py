"""The noisy twins that measure, what they cost, and how that is told.

They say things in the other half of all wordings and terms than twins that are learned from, with
errors in a quarter of the words instead of a seventh. Two kinds, `keywords` and `wide`, nothing
learns from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from retrieval.index.searcher import Searcher
from training.data.augmentation import Augmentation
from training.data.noise import NOISES, Ways, read_terms

SEED = 1_000
"""Those of training begin at 0."""

RATE = 0.25

Scores = Callable[[Sequence[str], Sequence[int]], Sequence[float]]
"""What a system makes of each of some texts, which ask what the questions in these places ask."""


class Unmended(Searcher):
    """A searcher that takes typing errors as they come."""

    def mended(self, query: str, **_: object) -> str:
        """The query."""
        return query


@dataclass(frozen=True)
class NoisySet:
    """Noisy twins of one kind, and the places of their questions."""

    kind: str
    rows: Sequence[int]
    texts: Sequence[str]


@dataclass(frozen=True)
class Loss:
    """What one kind of noise costs a system, on the `questions` that it changes."""

    system: str
    kind: str
    questions: int
    clean: float
    noisy: float

    @property
    def lost(self) -> float:
        """By how much the twins fare worse."""
        return self.clean - self.noisy

    def __str__(self) -> str:
        return (
            f"{self.kind:<12}{self.questions:>5}  {self.clean:.3f} to {self.noisy:.3f}, "
            f"lost {self.lost:+.3f}"
        )


def noisy_sets(questions: Sequence[str]) -> list[NoisySet]:
    """The twins of each kind; a question that a kind leaves as it is has none."""
    ways = Ways(RATE, 1, read_terms())
    noises = {kind: Augmentation(SEED, (kind,), ways) for kind in NOISES}
    twins = {kind: [noise.twin(text) for text in questions] for kind, noise in noises.items()}
    rows = {
        kind: [row for row, twin in enumerate(found) if twin != questions[row]]
        for kind, found in twins.items()
    }
    return [
        NoisySet(kind, rows[kind], [found[row] for row in rows[kind]])
        for kind, found in twins.items()
        if rows[kind]
    ]


def losses(
    system: str, questions: Sequence[str], sets: Sequence[NoisySet], scores: Scores
) -> list[Loss]:
    """What each kind of noise costs a system; they are printed as they come."""
    clean = scores(questions, range(len(questions)))
    print(f"\n{system}: {fmean(clean):.3f} on {len(questions)} questions as they are")
    found = []
    for noise in sets:
        before = fmean(clean[row] for row in noise.rows)
        after = fmean(scores(noise.texts, noise.rows))
        found.append(Loss(system, noise.kind, len(noise.rows), before, after))
        print(f"  {found[-1]}", flush=True)
    return found


def save(found: Sequence[Loss], path: Path | None, picture: Path | None) -> None:
    """Write all losses as JSON, and draw them, where that is wanted."""
    if path:
        path.write_text(json.dumps([asdict(loss) for loss in found], indent=1) + "\n", "utf-8")
    if picture:
        draw(found, picture)


def draw(found: Sequence[Loss], path: Path) -> None:
    """Two pictures, for light and dark pages, of what each kind of noise costs each system."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    kinds = list(dict.fromkeys(loss.kind for loss in found))
    systems = list(dict.fromkeys(loss.system for loss in found))
    width = 0.8 / len(systems)
    for name, style in (("light", "default"), ("dark", "dark_background")):
        with plt.style.context(style), plt.rc_context({"svg.hashsalt": "robustness"}):
            figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
            for number, system in enumerate(systems):
                mine = {loss.kind: loss.lost for loss in found if loss.system == system}
                places = [kinds.index(kind) + (number + 0.5) * width - 0.4 for kind in mine]
                axes.bar(places, list(mine.values()), width, label=system)
            axes.set_xticks(range(len(kinds)), kinds)
            axes.axhline(0, color="grey", linewidth=0.8)
            axes.set_ylabel("lost by noise")
            axes.legend(fontsize="small")
            out = path.with_name(f"{path.stem}-{name}{path.suffix}")
            figure.savefig(out, transparent=True, metadata={"Date": None})
            plt.close(figure)
