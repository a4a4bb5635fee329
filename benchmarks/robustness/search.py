"""What noise costs the search as it serves, before and after learning, with twins and without.

    python -m benchmarks.robustness.search FOLDER [--questions N] [--learner map|retriever]
        [--pairs N] [--seeds N…] [--json OUT] [--picture OUT.svg]

FOLDER is in the format that `retrieval/evaluation/dataset.py` describes; with --learner it has
questions to learn from as well. The quality is nDCG@10 of the fused search, by documents, the mean
of all seeds; `unmended` is the same with typing errors taken as they come.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.robustness.twins import Scores, Unmended, losses, noisy_sets, save
from retrieval.commands import progress_bar
from retrieval.evaluation.dataset import Query, read_dataset
from retrieval.evaluation.evaluate import build_library, spread
from retrieval.evaluation.metrics import ndcg
from retrieval.index.memory import Index
from retrieval.index.searcher import Searcher
from retrieval.index.served_embedder import load_tuned
from retrieval.models.catalogue import resolve
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings, load_settings
from training.data.augmentation import Augmentation
from training.data.corpus import heading_of
from training.data.labelled_queries import MOST_HELD_BACK, LabelledQuery
from training.gate.retriever_trial import searcher_with
from training.retriever.fine_tune import FineTuneConfig, fine_tune, load_base
from training.retriever.linear_map import TrainingPairs, fit_map
from training.retriever.training_pairs import held_back_of, texts_of
from training.trainer import TrainerSetup

DEPTH = 30
"""So many passages are looked at for ten documents."""


@dataclass(frozen=True)
class World:
    """What serves, what is asked of it, and what there is to learn from."""

    settings: Settings
    embedder: Embedder
    index: Index
    test: Sequence[Query]
    relevant: Mapping[str, Mapping[str, int]]
    train: Sequence[LabelledQuery]

    def learned_map(self, queries: Sequence[LabelledQuery], *, seed: int, twins: bool) -> Searcher:
        """With a map that was fitted to queries, as `train map` does."""
        named = [(heading_of(passage), row) for row, passage in enumerate(self.index.passages)]
        asked = [(text, row) for text, row in named if text]
        noise = Augmentation.of(self.index.passages, seed=seed)
        embed = self.embedder.embed_queries
        fitted = fit_map(
            self.index.vectors,
            TrainingPairs(embed([q.question for q in queries]), [q.rows for q in queries]),
            headings=TrainingPairs(embed([text for text, _ in asked]), [[r] for _, r in asked]),
            twins=embed([noise.twin(query.question) for query in queries]) if twins else None,
            seed=seed,
        )
        learned = self.embedder.moved(fitted.map, name="learned")
        return searcher_with(self.index, learned, fitted.map.of_passages(self.index.vectors))

    def learned_retriever(
        self, queries: Sequence[LabelledQuery], *, seed: int, twins: bool
    ) -> Searcher:
        """With an embedder that was fine-tuned on queries, as `train retriever` does."""
        passages, vectors, config = self.index.passages, self.index.vectors, FineTuneConfig()
        stop = min(MOST_HELD_BACK, len(queries) // 10)
        shown = [*queries[stop:]]
        if twins:
            shown += Augmentation.of(passages, seed=seed).of_queries(shown)
        folder = resolve(self.settings.embedder, models_folder=self.settings.models_folder).path
        with TemporaryDirectory() as work:
            tuned = fine_tune(
                load_base(folder, vectors, self.settings),
                texts_of(shown, passages, least=config.shown, headings=config.headings, seed=seed),
                held_back_of(queries[:stop], passages, vectors, self.embedder, seed=seed),
                TrainerSetup(Path(work), seed),
                prefixes=self.embedder.prefixes,
                config=config,
            )
            tuned.model.save_pretrained(f"{work}/model", create_model_card=False)
            learned = load_tuned(self.settings, Path(work, "model"), name="learned")
        texts = [passage.indexed_text for passage in passages]
        return searcher_with(self.index, learned, learned.embed_passages(texts))

    def scores(self, *searchers: Searcher) -> Scores:
        """The mean nDCG@10 of some searchers for each question."""
        wanted = [self.relevant[query.id] for query in self.test]

        def score(texts: Sequence[str], rows: Sequence[int]) -> list[float]:
            found = [
                [ndcg(_documents(searcher, text), wanted[row]) for searcher in searchers]
                for text, row in zip(texts, rows, strict=True)
            ]
            return [fmean(scores) for scores in found]

        return score


def _documents(searcher: Searcher, text: str) -> list[str]:
    hits = searcher.search(text, k=DEPTH)
    return list(dict.fromkeys(hit.passage.source.id for hit in hits))


def read_world(options: argparse.Namespace, settings: Settings) -> World:
    """Index FOLDER, or take the index of last time, and read its questions."""
    embedder, dataset = Embedder.load(settings), read_dataset(options.folder)
    with progress_bar() as on_progress:
        index = build_library(dataset, settings, embedder, on_progress).searcher().index
    rows: dict[str, list[int]] = {}
    for row, passage in enumerate(index.passages):
        rows.setdefault(passage.source.id, []).append(row)
    test = spread([q for q in dataset.queries if q.id in dataset.qrels], options.questions)
    train: list[LabelledQuery] = []
    if options.learner:
        part = read_dataset(options.folder, part="train")
        for query in part.queries:
            found = [row for id_ in part.qrels.get(query.id, ()) for row in rows[id_]]
            if found:
                train.append(LabelledQuery(query.text, query.language, tuple(found)))
    return World(settings, embedder, index.in_memory(), test, dataset.qrels, train)


def main() -> None:
    """Measure, print a table for each system, and draw them."""
    options = parse_arguments()
    settings = load_settings()
    if options.embedder:
        settings = settings.model_copy(update={"embedder": options.embedder})
    world = read_world(options, settings)
    questions = [query.text for query in world.test]
    sets = noisy_sets(questions)
    served = world.scores(Searcher(world.index, world.embedder))
    unmended = world.scores(Unmended(world.index, world.embedder))
    typos = [noise for noise in sets if noise.kind == "typos"]
    print(f"{world.embedder.id}: nDCG@10 of the fused search")
    found = losses("unmended", questions, typos, unmended)
    found += losses("as it serves", questions, sets, served)
    if options.learner:
        learn = getattr(world, f"learned_{options.learner}")
        for name, twins in (("learned", False), ("learned with --augment", True)):
            searchers = [
                learn(_drawn(world.train, options.pairs, seed), seed=seed, twins=twins)
                for seed in options.seeds
            ]
            found += losses(name, questions, sets, world.scores(*searchers))
    save(found, options.json, options.picture)


def _drawn(queries: Sequence[LabelledQuery], pairs: int, seed: int) -> list[LabelledQuery]:
    order = np.random.default_rng(seed).permutation(len(queries))[:pairs]
    return [queries[row] for row in order.tolist()]


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=300, help="of those to be measured")
    parser.add_argument("--learner", choices=("map", "retriever"))
    parser.add_argument("--pairs", type=int, default=1_000, help="questions to learn from")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--embedder", help="another one than the settings name")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--picture", type=Path, metavar="OUT", help="one for light, one for dark")
    return parser.parse_args()


if __name__ == "__main__":
    main()
