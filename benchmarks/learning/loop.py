"""Whether the loop makes it better: ask, vote, export, learn, judge, publish, and ask again.

    python -m benchmarks.learning.loop FOLDER [--learners map] [--seeds N…]

FOLDER is in the format that `retrieval/evaluation/dataset.py` describes, with questions to learn
from and with `feedback.jsonl` {question, doc_id, ratings, split}, which people gave to answers of a
deployed bot; FeedbackQA (github.com/McGill-NLP/feedbackqa) is one. In each round people who have
not asked before ask their questions. Each passage among the first four that search shows them gets
one of the ratings recorded for it, drawn at random; what nobody rated gets none. So many other
questions to learn from are asked beside: there the first passage is voted on by whether it is the
right one, and 18 % of these votes are turned round, as often as people recorded something else than
others did. Of the questions that are voted down an expert looks at some, and names the passage that
answers them; `whimbrel export` holds a third of these out. Other questions an expert has approved
beforehand, for the gate to try candidates on. Everything goes through import, export, learning,
gate and publication in a folder of its own. As in `whimbrel learn` the next learner is tried if the
gate does not pass what the one before has made, and has to be better for sure among all of them.
What serves after each round is measured on test questions, which choose nothing; neither they nor
questions like them are learned from.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from bot.export.exporting import export_log
from bot.export.ratings import import_ratings
from bot.export.records import Policy
from bot.store.database import Database
from retrieval.documents.splitting import SPLITTER_VERSION
from retrieval.errors import DataError
from retrieval.evaluation.dataset import Dataset, Query, read_dataset
from retrieval.evaluation.evaluate import spread
from retrieval.evaluation.metrics import ndcg
from retrieval.index.content import Content
from retrieval.index.generation import load_index, write_generation
from retrieval.index.manifest import Recipe
from retrieval.index.searcher import Searcher
from retrieval.index.served_embedder import load_embedder
from retrieval.jsonl import read_rows, to_line, write_lines
from retrieval.records import Passage
from retrieval.registry.folders import publish
from retrieval.search.embedding import Embedder
from retrieval.serving.retriever import serve_run
from retrieval.settings import Settings, load_settings
from training.gate.candidate import LearnedRun
from training.gate.comparison import compare
from training.gate.decision import is_sure_among
from training.retriever.learned_map import learn_map
from training.retriever.learned_retriever import learn_retriever
from training.rounds.rounds import ONE_OF_SEVERAL
from training.trainer import LearnOptions

ROUNDS = 3
SHOWN = 4
WRONG = 0.18
LEARNERS: Mapping[str, Callable[..., LearnedRun | None]] = {
    "map": learn_map,
    "retriever": learn_retriever,
}
FIRST_DAY = date(2026, 1, 5)

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """The documents, who asks what, and how people rated what they were shown.

    `recorded` maps a question to the ratings of each document that was shown for it.
    """

    dataset: Dataset
    train: Dataset
    recorded: dict[str, dict[str, list[str]]]


def read_world(folder: Path, measured: int) -> World:
    """Read FOLDER; of its test questions, so many that are spread evenly."""
    dataset = read_dataset(folder)
    judged = [query for query in dataset.queries if query.id in dataset.qrels]
    passages = tuple(as_indexed(passage) for passage in dataset.passages)
    recorded: dict[str, dict[str, list[str]]] = {}
    for row in read_rows(folder / "feedback.jsonl.gz", dict):
        if row["split"] != "test":
            recorded.setdefault(row["question"], {})[row["doc_id"]] = row["ratings"]
    queries = tuple(spread(judged, measured))
    return World(
        replace(dataset, passages=passages, queries=queries),
        read_dataset(folder, part="train"),
        recorded,
    )


def as_indexed(passage: Passage) -> Passage:
    """The passage with the hash by which an imported rating finds it."""
    digest = hashlib.sha256(passage.indexed_text.encode()).hexdigest()[:32]
    return replace(passage, content_hash=digest)


def index(passages: Sequence[Passage], settings: Settings, embedder: Embedder) -> None:
    """Index the passages as they are, so that judgements and ratings are of the same ones."""
    vectors = embedder.embed_passages([passage.indexed_text for passage in passages])
    content = Content([passage.source for passage in passages], tuple(passages), (), vectors)
    most = min(settings.passage_tokens, embedder.max_tokens)
    recipe = Recipe(embedder.id, embedder.revision, SPLITTER_VERSION, most, {})
    folder = settings.index_folder
    made = write_generation(folder, content, recipe=recipe, roots=(), embedder=embedder)
    publish(folder, made.name)


def approved(world: World, queries: Iterable[Query], day: date) -> Iterator[Row]:
    """Questions with the passage that an expert found to answer them."""
    passages = {passage.id: passage for passage in world.dataset.passages}
    for query in queries:
        (right, *_) = world.train.qrels[query.id]
        rating = {"rater": "expert", "value": "Excellent", "is_expert": True}
        yield row(query.text, passages[right], [rating], day)


def recorded(
    world: World, questions: Sequence[str], searcher: Searcher, day: date, random: Random
) -> Iterator[Row]:
    """The votes that people gave, on what search shows for their questions."""
    for question in questions:
        for hit in searcher.search(question, k=SHOWN):
            ratings = world.recorded[question].get(hit.passage.source.id)
            if ratings:
                yield row(question, hit.passage, [{"value": random.choice(ratings)}], day)


def simulated(
    world: World, queries: Sequence[Query], searcher: Searcher, day: date, random: Random
) -> Iterator[Row]:
    """A vote on the first passage that search shows for each question, some of them wrong."""
    for query in queries:
        (hit,) = searcher.search(query.text, k=1)
        is_right = hit.passage.source.id in world.train.qrels[query.id]
        is_liked = is_right if random.random() > WRONG else not is_right
        yield row(query.text, hit.passage, [{"value": 1 if is_liked else -1}], day)


def row(question: str, passage: Passage, ratings: Sequence[Row], day: date) -> Row:
    """A rated answer, as a line of a folder that is imported."""
    shown = {"title": passage.source.title, "text": passage.text}
    return {
        "question": question,
        "doc_id": passage.source.id,
        "passage": shown,
        "ratings": [*ratings],
        "at": f"{day}T12:00:00",
    }


def bring_in(rows: Iterable[Row], home: Path) -> None:
    """Import rated answers into the home's log."""
    folder = home / "ratings"
    folder.mkdir(exist_ok=True)
    write_lines(folder / "ratings.jsonl", map(to_line, rows))
    database = Database(home / "whimbrel.db")
    import_ratings(folder, database, is_consented=True)
    database.close()


def learn(world: World, settings: Settings, learners: Sequence[str], seed: int) -> str:
    """Export, learn from all votes so far, and publish what the gate passes; what came of it."""
    embedder = load_embedder(settings)
    database = Database(settings.database_file)
    reserved = [query.text for query in world.dataset.queries]
    dataset, frozen = export_log(
        settings, database, embedder, policy=Policy(), allows_nothing=True, reserved=reserved
    )
    database.close()
    pairs = sum(frozen.counts("kind")[part].get("pair", 0) for part in ("train", "dev"))
    came, p_values = [f"{pairs} pairs"], []
    for name in learners:
        try:
            learned = LEARNERS[name](dataset, settings, embedder, LearnOptions(seed))
        except DataError as error:
            came.append(f"{name}: {str(error).partition('; ')[2]}")
            continue
        if learned is None:  # another process keeps it
            continue
        gain = learned.decision.comparison
        p_values.append(gain.p)
        came.append(f"{name}: gate {gain.gain:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})")
        if learned.decision.is_passed and is_sure_among(p_values):
            serve_run(settings, embedder, learned.run, reason="the gate passed it")
            return ", ".join([*came, "published"])
        came += learned.decision.reasons or [ONE_OF_SEVERAL]
    return ", ".join(came)


def served(settings: Settings) -> Searcher:
    """What answers at this moment."""
    embedder = load_embedder(settings)
    return Searcher(load_index(settings.index_folder, embedder), embedder)


def measured(world: World, searcher: Searcher) -> list[float]:
    """nDCG@10 of each test question under what serves."""
    qrels = world.dataset.qrels
    return [
        ndcg([hit.passage.id for hit in searcher.search(query.text, k=10)], qrels[query.id])
        for query in world.dataset.queries
    ]


def simulate(world: World, settings: Settings, options: argparse.Namespace, seed: int) -> None:
    """Print what serves at the start and after each round."""
    random = Random(seed)
    judged = [query for query in world.train.queries if query.id in world.train.qrels]
    queries = random.sample(judged, options.approved + ROUNDS * options.others)
    reserved = approved(world, queries[: options.approved], FIRST_DAY)
    bring_in((answer | {"split": "test"} for answer in reserved), settings.home)
    rated = random.sample(sorted(world.recorded), len(world.recorded))
    before = measured(world, served(settings))
    print(f"seed {seed}  start    {fmean(before):.3f}", flush=True)
    for number in range(ROUNDS):
        began = time.process_time()
        day, searcher = FIRST_DAY + timedelta(weeks=number), served(settings)
        others = queries[options.approved + number :: ROUNDS]
        votes = [*recorded(world, rated[number::ROUNDS], searcher, day, random)]
        on_first = [*simulated(world, others, searcher, day, random)]
        disliked = [
            query
            for query, answer in zip(others, on_first, strict=True)
            if answer["ratings"][0]["value"] < 0
        ]
        looked_at = random.sample(disliked, min(len(disliked), options.corrected))
        votes += on_first
        bring_in([*votes, *approved(world, looked_at, day)], settings.home)
        came = learn(world, settings, options.learners, seed)
        seconds = time.process_time() - began
        gained = compare(before, measured(world, served(settings)))
        print(
            f"seed {seed}  round {number + 1}  {gained.candidate:.3f}  {gained.gain:+.3f} "
            f"({gained.low:+.3f} to {gained.high:+.3f})  {len(votes)} votes, "
            f"{len(looked_at)} corrected, {came}, {seconds:.0f} cpu s",
            flush=True,
        )


def main() -> None:
    """Run all seeds, one after the other, each in a copy of the same fresh home folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embedder", default="all-minilm-l6-v2")
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=[*LEARNERS])
    parser.add_argument("--approved", type=int, default=1500)
    parser.add_argument("--others", type=int, default=1200)
    parser.add_argument("--corrected", type=int, default=400)
    parser.add_argument("--measured", type=int, default=500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    world = read_world(options.folder, options.measured)
    with TemporaryDirectory() as name:
        settings = load_settings().model_copy(update={"embedder": options.embedder})
        embedder = Embedder.load(settings)
        fresh = settings.model_copy(update={"home": Path(name) / "fresh"})
        index(world.dataset.passages, fresh, embedder)
        print(
            f"{embedder.id}: nDCG@10 of search as it serves, {len(world.dataset.queries)} questions"
        )
        for seed in options.seeds:
            home = Path(name) / str(seed)
            shutil.copytree(fresh.home, home)
            simulate(world, fresh.model_copy(update={"home": home}), options, seed)


if __name__ == "__main__":
    main()
