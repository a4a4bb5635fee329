"""Fits a linear map of the embedder's vectors to what people found helpful.

The map starts where no rating is needed: directions in which all passages of this corpus agree
are shrunk (soft whitening), since they tell nothing apart. From there it learns by contrast: a
question is to be nearer to its passage than to others (InfoNCE, van den Oord et al. 2018). Each
passage's own heading is a question too, so that the map learns of passages nobody asked for. It
stops when questions that were held back are surely answered worse, in the order that serves. Only
surely: they are few, and some of their votes are wrong, so that a map which merely waits for the
best of them learns little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from retrieval.progress import Tell
from retrieval.records import Vectors
from retrieval.search.linear_map import LinearMap
from training.gate.retriever_trial import dense_ndcg
from training.retriever.served_order import FusedQuestions, Scores

if TYPE_CHECKING:
    import torch
    from optuna import Trial


FEWEST_PAIRS = 4
"""With fewer, none could be held back that stops the training."""


@dataclass(frozen=True, slots=True)
class MapConfig:
    """How a map is fitted. `held_back` is the share of the questions that stops it.

    A round goes through all pairs, several times if that is fewer than `least_steps` batches.
    """

    whitening: float = 0.2
    damping: float = 0.1
    learning_rate: float = 5e-4
    decay: float = 3e-4
    scale: float = 20.0
    dropout: float = 0.2
    batch: int = 256
    negatives: int = 768
    rounds: int = 10
    least_steps: int = 12
    held_back: float = 0.2


def suggest(trial: Trial, usual: MapConfig) -> MapConfig:
    """What a search may try; all else is as usual."""
    return replace(
        usual,
        whitening=trial.suggest_float("whitening", 0.0, 0.5),
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 3e-3, log=True),
        decay=trial.suggest_float("decay", 1e-5, 1e-2, log=True),
        scale=trial.suggest_float("scale", 10.0, 40.0),
        dropout=trial.suggest_float("dropout", 0.0, 0.5),
    )


@dataclass(frozen=True, slots=True)
class TrainingPairs:
    """Questions, one vector a row, and for each the rows of the passages that answer it."""

    questions: Vectors
    relevant: Sequence[Sequence[int]]

    def __len__(self) -> int:
        return len(self.relevant)

    def part(self, rows: Sequence[int]) -> TrainingPairs:
        """The pairs in these rows."""
        return TrainingPairs(self.questions[list(rows)], [self.relevant[row] for row in rows])

    def and_(self, other: TrainingPairs | None) -> TrainingPairs:
        """These pairs and the others."""
        if other is None:
            return self
        both = np.concatenate([self.questions, other.questions])
        return TrainingPairs(both, [*self.relevant, *other.relevant])


@dataclass(frozen=True, slots=True)
class FittedMap:
    """A fitted map. `curve` is nDCG@10 on the questions held back, before and after each round.

    `ndcg` is the map's own, which need not be the curve's highest.
    """

    map: LinearMap
    curve: tuple[float, ...]
    ndcg: float


def fit_map(
    passages: Vectors,
    rated: TrainingPairs,
    *,
    headings: TrainingPairs | None = None,
    twins: Vectors | None = None,
    fused: FusedQuestions | None = None,
    config: MapConfig | None = None,
    seed: int = 0,
    on_progress: Tell = lambda _: None,
) -> FittedMap:
    """Fit a map to rated pairs of questions and passages.

    Args:
        passages: The embedder's vectors of all passages, shape (n, d).
        rated: What people found helpful.
        headings: The vectors of passages' own headings, as questions that those answer.
        twins: Those of noisy twins of the rated questions, a row for each; a question that is
            held back keeps its twin back.
        fused: The rated questions, to be measured as they are found beside words; else by vectors
            alone.
        config: How to fit.
        seed: The same seed gives the same map.
        on_progress: Is told about each round.

    Raises:
        ValueError: If there are fewer than four pairs, one of which stops the training.
    """
    config = config or MapConfig()
    if len(rated) < FEWEST_PAIRS:
        raise ValueError("a map needs at least four rated pairs")
    order = np.random.default_rng(seed).permutation(len(rated)).tolist()
    stop = max(1, int(len(rated) * config.held_back))
    learned = rated.part(order[stop:]).and_(headings)
    if twins is not None:
        learned = learned.and_(TrainingPairs(twins, rated.relevant).part(order[stop:]))
    learner = _Learner(passages, learned, config, seed=seed)
    held_back = rated.part(order[:stop])
    beside = fused.part(order[:stop]) if fused else None

    def measure(map_: LinearMap) -> Scores:
        if beside is None:
            return np.array(ndcg_of_each(map_, passages, held_back))
        asked = map_.of_queries(held_back.questions)
        scores: Scores = beside.ndcg(asked, map_.of_passages(passages))[0]
        return scores

    return learner.fit(measure, on_progress)


def whitening(passages: Vectors, config: MapConfig) -> Vectors:
    """The matrix that shrinks the directions in which the passages vary most, shape (d, d).

    Their covariance to the power of -`whitening`; `damping` times its mean eigenvalue is added, so
    that directions without any variance are not blown up.
    """
    centred = passages - passages.mean(axis=0)
    values, directions = np.linalg.eigh(centred.T @ centred / len(passages))
    values = np.maximum(values, 0)
    powers = (values + config.damping * values.mean() + 1e-12) ** -config.whitening
    matrix: Vectors = ((directions * powers) @ directions.T).astype(np.float32)
    return matrix / np.float32(matrix.diagonal().mean())


def ndcg_of_each(map_: LinearMap, passages: Vectors, pairs: TrainingPairs) -> list[float]:
    """nDCG@10 of the dense search alone, for each of the pairs' questions."""
    questions, found = map_.of_queries(pairs.questions), map_.of_passages(passages)
    return dense_ndcg(questions, found, pairs.relevant)


def is_surely_lower(now: Scores, before: Scores) -> bool:
    """Whether the mean of paired scores fell by more than twice its standard error."""
    changes = now - before
    error = changes.std() / math.sqrt(len(changes))
    return bool(changes.mean() < -2 * error)


class _Learner:
    """A map on its way."""

    def __init__(
        self, passages: Vectors, learned: TrainingPairs, config: MapConfig, *, seed: int
    ) -> None:
        import torch

        self._config = config
        self._passages = torch.from_numpy(passages)
        self._learned = learned
        self._random = torch.Generator().manual_seed(seed)
        self._start = torch.from_numpy(whitening(passages, config))
        self._moves = [torch.zeros_like(self._start, requires_grad=True) for _ in range(2)]
        self._optimiser = torch.optim.Adam(self._moves, lr=config.learning_rate)

    def fit(self, measure: Callable[[LinearMap], Scores], on_progress: Tell) -> FittedMap:
        """Learn until the questions held back are surely answered worse; the last map before."""
        kept = self._map()
        scores = best = measure(kept)
        curve = [float(scores.mean())]
        for number in range(1, self._config.rounds + 1):
            self._round()
            now = measure(self._map())
            curve.append(float(now.mean()))
            on_progress(f"round {number}: nDCG@10 {curve[-1]:.3f} on questions held back")
            if is_surely_lower(now, best):
                break
            kept, scores = self._map(), now
            best = max(best, now, key=np.mean)
        return FittedMap(kept, tuple(curve), float(scores.mean()))

    def _round(self) -> None:
        import torch

        questions = torch.from_numpy(self._learned.questions)
        size = self._config.batch
        batches = -(-len(self._learned) // size)
        for _ in range(-(-self._config.least_steps // batches)):
            order = torch.randperm(len(self._learned), generator=self._random)
            for rows in torch.split(order, size):
                self._step(questions[rows], [self._learned.relevant[row] for row in rows.tolist()])

    def _step(self, questions: torch.Tensor, relevant: Sequence[Sequence[int]]) -> None:
        import torch
        from torch.nn.functional import normalize

        rows, targets = self._choices(relevant)
        kept = torch.rand(questions.shape, generator=self._random) > self._config.dropout
        query, passage = (self._start + move for move in self._moves)
        asked = normalize((questions * kept) @ query, dim=1)
        found = normalize(self._passages[rows] @ passage, dim=1)
        likelihood = torch.log_softmax(self._config.scale * asked @ found.T, dim=1)
        decay = self._config.decay * sum(move.square().sum() for move in self._moves)
        loss = decay - (targets * likelihood).sum(dim=1).mean()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()

    def _choices(self, relevant: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows of passages to choose from, and each question's share of right ones among them."""
        import torch

        wanted = {row for rows in relevant for row in rows}
        others = torch.randint(
            len(self._passages), (self._config.negatives,), generator=self._random
        )
        rows = sorted(wanted.union(others.tolist()))
        places = {row: place for place, row in enumerate(rows)}
        targets = torch.zeros(len(relevant), len(rows))
        for number, mine in enumerate(relevant):
            targets[number, [places[row] for row in mine]] = 1 / len(mine)
        return torch.tensor(rows), targets

    def _map(self) -> LinearMap:
        query, passage = ((self._start + move).detach().numpy() for move in self._moves)
        return LinearMap(query, passage)
