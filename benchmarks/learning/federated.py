"""What a judge that three workspaces learn together is worth: beside each alone, and all pooled.

    python -m benchmarks.learning.federated FOLDER [--embedder NAME] [--questions N] [--seeds N]

FOLDER is as for `benchmarks.learning.classifiers`, which says what is learned from and measured.
What is learned from is shared out among three members by chance. They learn at a coordinator on
this machine, over TLS: `together` by the median, `in secret` by sums under masks. `poisoned` has a
third member that sends the opposite of what it should, a hundred times as much; `turned` has one
whose labels are turned round. All are areas under the ROC curve on what was held back.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from benchmarks.learning.classifiers import Draw, near_misses, rated
from bot.export.rating_folder import FILES, read_ratings
from retrieval.answering.judge import Judge
from retrieval.evaluation.dataset import read_dataset
from retrieval.evaluation.evaluate import build_library, spread
from retrieval.evaluation.metrics import auroc
from retrieval.search.embedding import Embedder
from retrieval.settings import load_settings
from tests.training.federation import coordination, membership, write_credentials
from training.classifiers.judge_fit import JudgeRow, confidence, fit
from training.classifiers.shared_logistic import SharedLogistic
from training.federated import Arrays, coordinate, take_part

MEMBERS = 3


class Poisoner(SharedLogistic):
    """Wants the opposite of what it has learned, a hundred times as much."""

    def move(self, number: int, arrays: Arrays) -> Arrays:
        """The others' way back."""
        return [-100 * array for array in super().move(number, arrays)]


def together(
    parts: Sequence[Sequence[JudgeRow]],
    embedder: Embedder,
    credentials: Path,
    *,
    is_secret: bool = False,
    last: type[SharedLogistic] = SharedLogistic,
) -> Judge:
    """The judge of the first member, of whose others the last may be of another kind."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"

    def solve(
        number: int,
        seen: Sequence[dict[str, float]],
        labels: npt.NDArray[np.bool_],
        weights: npt.NDArray[np.float64],
    ) -> tuple[dict[str, float], float]:
        kind = last if number == MEMBERS - 1 else SharedLogistic
        learner = kind(seen, labels, weights, about="benchmark")
        joined = membership(credentials, address, number, is_secret=is_secret)
        return learner.weights(take_part(learner, joined))

    with ThreadPoolExecutor(MEMBERS + 1) as pool:
        own = coordination(credentials, address, is_secret=is_secret)
        coordinated = pool.submit(coordinate, own)
        judges = [
            pool.submit(fit, rows, embedder=embedder.id, data="", solve=partial(solve, number))
            for number, rows in enumerate(parts)
        ]
    coordinated.result()
    return judges[0].result()


def measured(judge: Judge, rows: Sequence[JudgeRow]) -> float:
    """How well the judge tells rows with an answer from those without."""
    said = [(confidence(judge, row), row.is_answerable) for row in rows]
    return auroc(
        [p for p, is_right in said if is_right], [p for p, is_right in said if not is_right]
    )


def line(draw: Draw, embedder: Embedder, credentials: Path, seed: int) -> dict[str, float]:
    """The areas of one draw."""
    order = np.random.default_rng(seed).permutation(len(draw.train)).tolist()
    parts = [[draw.train[n] for n in order[member::MEMBERS]] for member in range(MEMBERS)]
    turned = [replace(row, is_answerable=not row.is_answerable) for row in parts[-1]]
    learn = partial(together, embedder=embedder, credentials=credentials)
    judges = {
        "pooled": fit(draw.train, embedder=embedder.id, data=""),
        "together": learn(parts),
        "in secret": learn(parts, is_secret=True),
        "poisoned": learn(parts, last=Poisoner),
        "poisoned, in secret": learn(parts, last=Poisoner, is_secret=True),
        "turned": learn([*parts[:-1], turned]),
    }
    rows = next(iter(draw.tests.values()))
    alone = [measured(fit(part, embedder=embedder.id, data=""), rows) for part in parts]
    return {"alone": fmean(alone)} | {name: measured(judge, rows) for name, judge in judges.items()}


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embedder", default="multilingual-e5-small")
    parser.add_argument("--questions", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    settings = load_settings().model_copy(update={"embedder": options.embedder})
    embedder = Embedder.load(settings)
    dataset = read_dataset(options.folder)
    dataset = replace(dataset, answers=tuple(spread(dataset.answers, options.questions)))
    library = build_library(dataset, settings, embedder, lambda *_: None)
    is_rated = any(
        (options.folder / f"{name}{end}").is_file() for name in FILES for end in ("", ".gz")
    )
    draws = (
        rated(read_ratings(options.folder), library.searcher(), options.seeds)
        if is_rated
        else near_misses(dataset, library, options.seeds)
    )
    with TemporaryDirectory() as folder:
        write_credentials(Path(folder))
        for seed, draw in enumerate(draws):
            found = line(draw, embedder, Path(folder), seed)
            if seed == 0:
                print(f"{dataset.name}, {embedder.id}, {len(draw.train)} rows to learn from")
                print("seed" + "".join(f"{name:>21}" for name in found))
            print(f"{seed:>4}" + "".join(f"{area:>21.3f}" for area in found.values()), flush=True)


if __name__ == "__main__":
    main()
