"""What export makes of a rated folder when some raters vote against what they think.

    python -m benchmarks.hostile_raters FOLDER [--seeds N] [--raters N]

FOLDER is in the format of `whimbrel import-ratings`; FeedbackQA (github.com/McGill-NLP/feedbackqa)
is one. Its recorded ratings are dealt out to so many named raters, of whom a share turns each of
theirs round. Counted are the pairs to learn from: those that all recorded ratings are for, and
those that all are against. Beside export stands export that is not told who voted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from random import Random
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np

from bot.export.exporting import export_log
from bot.export.rating_folder import RatedTurn, read_ratings
from bot.export.ratings import import_ratings
from bot.export.records import Policy
from bot.store.database import Database
from retrieval.examples import Example, read_examples
from retrieval.jsonl import to_line, write_lines
from retrieval.records import Vectors
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings, load_settings

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4)


@dataclass(frozen=True)
class Result:
    """Pairs of one export, and how many of them all recorded ratings are for and against."""

    pairs: int
    right: int
    wrong: int


class RememberingEmbedder(Embedder):
    """Embeds each text once, however often it is exported and by whatever map it is moved."""

    def _rows(
        self, prefix: str, texts: Sequence[str], on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        known: dict[str, Vectors] = self.__dict__.setdefault("_known", {})
        new = sorted({text for text in texts if prefix + text not in known})
        vectors = super()._rows(prefix, new, on_batch)
        known.update(zip([prefix + text for text in new], vectors, strict=True))
        rows = [known[prefix + text] for text in texts]
        return np.array(rows, np.float32).reshape(-1, self.dimension)


def main() -> None:
    """Print a line for each share of hostile raters, with and without their names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--raters", type=int, default=60)
    arguments = parser.parse_args()
    settings = load_settings()
    embedder = RememberingEmbedder.load(settings)
    rated = [turn for turn in read_ratings(arguments.folder) if turn.split != "test"]
    started = time.process_time()
    print(f"{len(rated)} answers, {sum(len(turn.ratings) for turn in rated)} ratings, ", end="")
    print(f"{arguments.raters} raters, mean of {arguments.seeds} seeds, {embedder.id}")
    print(f"{'hostile':>8}{'raters':>11}{'pairs':>8}{'right':>8}{'wrong':>8}")
    for share in SHARES:
        for is_named in (True, False):
            results = [
                measure(rated, share, arguments.raters, seed, embedder, is_named=is_named)
                for seed in range(arguments.seeds)
            ]
            columns = zip(*map(astuple, results), strict=True)
            row = "".join(f"{fmean(column):8.0f}" for column in columns)
            print(f"{share:8.0%}{'named' if is_named else 'unknown':>11}{row}", flush=True)
    print(f"{time.process_time() - started:.0f} CPU-seconds")


def measure(
    rated: Sequence[RatedTurn],
    share: float,
    raters: int,
    seed: int,
    embedder: RememberingEmbedder,
    *,
    is_named: bool,
) -> Result:
    """Deal out the ratings, turn those of hostile raters round, export, and look at the pairs."""
    with TemporaryDirectory() as name:
        home = Path(name)
        lines = deal(rated, share, raters, Random(seed), is_named=is_named)
        write_lines(home / "ratings.jsonl", map(to_line, lines))
        database = Database(home / "whimbrel.db")
        import_ratings(home, database, is_consented=True)
        folder, _ = export_log(
            Settings(home=home), database, embedder, policy=Policy(), allows_nothing=True
        )
        database.close()
        examples = read_examples(folder, "train") + read_examples(folder, "dev")
    return judge(rated, [example for example in examples if example.kind == "pair"])


def deal(
    rated: Sequence[RatedTurn], share: float, raters: int, random: Random, *, is_named: bool
) -> list[dict[str, object]]:
    """The lines of a folder in which each rating has another of the raters."""
    hostile = range(round(raters * share))
    lines: list[dict[str, object]] = []
    for turn in rated:
        people = random.sample(range(raters), len(turn.ratings))
        ratings = []
        for person, rating in zip(people, turn.ratings, strict=True):
            value = -rating.value if person in hostile else rating.value
            ratings.append({"value": value} | ({"rater": str(person)} if is_named else {}))
        passage = turn.turn.answer.hits[0].passage
        shown = {"title": passage.source.title, "text": passage.text}
        lines.append({"question": turn.turn.answer.question, "passage": shown, "ratings": ratings})
    return lines


def judge(rated: Sequence[RatedTurn], pairs: Sequence[Example]) -> Result:
    """Compare pairs with what the raters had recorded."""
    recorded = {
        (turn.turn.answer.question, turn.turn.answer.hits[0].passage.text): {
            rating.value for rating in turn.ratings
        }
        for turn in rated
    }
    values = [recorded.get((pair.question, pair.passages[0].text)) for pair in pairs]
    return Result(len(pairs), values.count({1}), values.count({-1}))


if __name__ == "__main__":
    main()
