"""How sure it is that the documents hold the answer, from how the hits stand out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from retrieval.answering.units import is_heading
from retrieval.errors import ModelUnsuitableError, SettingsError
from retrieval.language import language_of
from retrieval.records import Hit, Passage
from retrieval.registry.runs import MODEL, Run, base_of, folder_of, run_of, serving, verify
from retrieval.search.embedding import Embedder
from retrieval.search.lexical import terms
from retrieval.search.reading import Reader, reader_of
from retrieval.search.reranking import Reranker

JUDGED_HITS = 200
"""The judge needs this many hits, so that the best one's language has enough of its own."""

_BACKGROUND_HITS = 50
"""The best hits are compared with the rest of so many, which are mostly chance neighbours."""

_BEST_HITS = 10
_LEAST_BAND = 0.01
"""Cosines of nothing but copies leave no band to measure in."""

JUDGE_FILE = "judge.json"
READING_JUDGE_FILE = "reading_judge.json"

FEATURES = ("gap", "covered", "agreed", "lead", "ahead", "ahead_in_words", "length")
"""What a judge may give weights to."""

READ, BEST_READ = "read", "best_read"
"""And what one with a reader may, too: what the reader says of the first hit, or of the best."""

IN_CHINESE = "in_chinese"
"""1 where the question is Chinese: people may be answered rightly more often in one language."""

LEAST = -9.0
"""No read counts for less, as log-odds, nor any for more than its opposite."""

MUCH_LESS_LIKELY = 3.0
"""Log-odds: one in twenty. By less the order that search gave is the better guide."""

PLACE = 0.5
"""Log-odds that a hit must be likelier to answer than the one before it, to come first."""

READ_HITS = 6
"""So many hits are read for the best of them: the answer stands in the first six where it is found
at all, nearly always, and every other costs time."""


def features(query: str, hits: Sequence[Hit], *, chance: float) -> dict[str, float]:
    """What is seen of a search's hits, best first; all 0 where nothing was found.

    `chance` is the mean cosine of a question with the passages in its language; it stands in for
    the ranks that a small corpus does not have.

    - `gap`: how far the highest cosine stands above the mean cosine of ranks 11 to 50, as a share
      of the way from there to 1, all among passages in the best hit's language. Every embedder's
      cosines live in a band of their own for each pair of languages; this share means nearly the
      same for all.
    - `covered`: the share of the query's terms that the best three hits contain.
    - `agreed`: 1 where both legs have the same best passage.
    - `lead`: like `gap`, of the first hit, whose cosine need not be the highest.
    - `ahead`: how far the first hit's cosine stands above those of other documents, as a share of
      the same way. Where several documents are equally near, any of them may be meant.
    - `ahead_in_words`: the same of BM25 scores, as a share of the higher.
    - `length`: the natural logarithm of the first hit's characters. Longer passages answer more.
    """
    if not hits:
        return dict.fromkeys(FEATURES, 0.0)
    dense = _cosines(hits)
    asked = set(terms(query))
    found = {term for hit in hits[:3] for term in terms(hit.passage.indexed_text)}
    background = _background(dense, chance=chance)
    above_chance = max(1 - background, _LEAST_BAND)
    first, others = hits[0], _of_other_documents(hits)
    cosine = background if first.dense is None else first.dense
    rival = max((hit.dense for hit in others if hit.dense is not None), default=background)
    return {
        "gap": (dense[0] - background) / above_chance if dense else 0.0,
        "covered": len(asked & found) / len(asked) if asked else 0.0,
        "agreed": float(any(hit.dense_rank == 1 and hit.lexical_rank == 1 for hit in hits)),
        "lead": (cosine - background) / above_chance,
        "ahead": (cosine - rival) / above_chance,
        "ahead_in_words": _ahead(first.lexical, [hit.lexical for hit in others]),
        "length": math.log(max(1, len(first.passage.text))),
    }


def _of_other_documents(hits: Sequence[Hit]) -> list[Hit]:
    """The hits in the first one's language that are not of its document."""
    first = hits[0].passage.source
    return [
        hit
        for hit in hits
        if hit.passage.source.language == first.language and hit.passage.source.id != first.id
    ]


def _ahead(first: float | None, others: Sequence[float | None]) -> float:
    """How far a BM25 score is above the best other one, -1 to 1; 0 where there are no words."""
    rival = max((score for score in others if score is not None), default=0.0)
    higher = max(first or 0.0, rival)
    return ((first or 0.0) - rival) / higher if higher else 0.0


def _cosines(hits: Sequence[Hit]) -> list[float]:
    """The cosines of the hits in the first one's language, the highest first."""
    same = [hit for hit in hits if hit.passage.source.language == hits[0].passage.source.language]
    return sorted((hit.dense for hit in same if hit.dense is not None), reverse=True)


def _background(cosines: Sequence[float], *, chance: float) -> float:
    """The mean cosine of ranks 11 to 50, each missing one counted as `chance`."""
    ranks = _BACKGROUND_HITS - _BEST_HITS
    known = cosines[_BEST_HITS:_BACKGROUND_HITS]
    return fmean([*known, *[chance] * (ranks - len(known))])


@dataclass(frozen=True, slots=True)
class Judgement:
    """How likely the hits hold the answer, and each of the first does, where those were read."""

    confidence: float
    reads: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Judge:
    """A logistic model of "these hits hold the answer" over `features`.

    `weights` belong to features as they are, not standardised. `threshold` is the probability from
    which an answer is given. `chance` belongs to `features`. `embedder` says for whose cosines it
    was calibrated and `data` on what.
    """

    weights: Mapping[str, float]
    bias: float
    threshold: float
    chance: float
    embedder: str
    data: str

    def __post_init__(self) -> None:
        if unknown := {*self.weights} - {*FEATURES, READ, BEST_READ, IN_CHINESE}:
            raise ValueError(f"no such features: {', '.join(sorted(unknown))}")
        if not all(map(math.isfinite, (*self.weights.values(), self.bias, self.threshold))):
            raise ValueError("a judge's weights are numbers")

    def judgement(
        self, query: str, hits: Sequence[Hit], *, reads: Sequence[float] | None = None
    ) -> Judgement:
        """What is thought of the hits; 0 without any. What was read of them is not read again."""
        if not hits:
            return Judgement(0.0)
        reads = self.reads(query, hits) if reads is None else reads
        odds = self.log_odds(query, hits, reads=reads)
        if math.isnan(odds):  # nothing is known, so that nothing may be said
            return Judgement(0.0, tuple(reads))
        return Judgement(1 / (1 + math.exp(-max(-30.0, min(30.0, odds)))), tuple(reads))

    def confidence(
        self, query: str, hits: Sequence[Hit], *, reads: Sequence[float] | None = None
    ) -> float:
        """The probability, 0 to 1, that the hits hold the answer; 0 without any hit."""
        return self.judgement(query, hits, reads=reads).confidence

    def log_odds(
        self, query: str, hits: Sequence[Hit], *, reads: Sequence[float] | None = None
    ) -> float:
        """The same as a number without bounds; there is at least one hit."""
        reads = self.reads(query, hits) if reads is None else reads
        seen = features(query, hits, chance=self.chance) | read_features(hits, reads)
        seen[IN_CHINESE] = float(language_of(query) == "zh")
        return self.bias + sum(weight * seen[name] for name, weight in self.weights.items())

    def reads(self, query: str, hits: Sequence[Hit]) -> tuple[float, ...]:  # noqa: ARG002
        """How likely each of the first hits answers, as a reader says; this judge has none."""
        return ()

    @property
    def id(self) -> str:
        """Names this very judge, by what `save` writes."""
        return self._digest()

    def _digest(self) -> str:
        return f"judge@{hashlib.sha256(self._text().encode()).hexdigest()[:8]}"

    def with_threshold(self, threshold: float) -> Judge:
        """The same judge, which answers from another confidence on."""
        return replace(self, threshold=threshold)

    def save(self, path: Path) -> None:
        """Write the judge as JSON, appearing whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        beside.write_text(self._text(), "utf-8")
        beside.replace(path)

    def _text(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(Judge)}
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


class PairReader(Protocol):
    """Says from 0 to 1 how well each passage suits a query."""

    def scores(self, query: str, passages: Sequence[Passage]) -> list[float]:
        """A score for each passage, in their order."""


@dataclass(frozen=True, slots=True)
class ReadingJudge(Judge):
    """A judge that has an encoder read the question together with the best hits, too.

    Its weights have one for `read` or `best_read`.
    """

    reader: PairReader

    @property
    def id(self) -> str:
        """Names the judge, and the reader where that is not a part of the judge's own run."""
        own = self._digest()
        return f"{own}+{self.reader.id}" if isinstance(self.reader, Reader) else own

    def reads(self, query: str, hits: Sequence[Hit]) -> tuple[float, ...]:
        """As `Judge.reads`, of as many hits as the weights need."""
        most = READ_HITS if BEST_READ in self.weights else 1
        return tuple(self.reader.scores(query, [hit.passage for hit in hits[:most]]))


def read_features(hits: Sequence[Hit], reads: Sequence[float]) -> dict[str, float]:
    """The log-odds, -9 to 9, that the first hit, and that the best one answers; {} unread.

    The best one is among those in the first one's language, from which an answer is made.
    """
    if not reads:
        return {}
    language = hits[0].passage.source.language
    best = max(
        read
        for hit, read in zip(hits, reads, strict=False)
        if hit.passage.source.language == language
    )
    return {READ: log_odds_of(reads[0]), BEST_READ: log_odds_of(best)}


def promising(
    hits: Sequence[Hit], reads: Sequence[float], *, most: int
) -> tuple[Sequence[Hit], Sequence[float]]:
    """The hits, at most so many, that may answer, and the reads of those that were read.

    They come in the order of how likely they answer and of the search, taken together. Left out are
    headings without a text, and hits that are much less likely to answer than the best one in their
    language. Those that were not read come last, if any are wanted.
    """
    best: dict[str, float] = {}
    for hit, read in zip(hits, reads, strict=False):
        language = hit.passage.source.language
        best[language] = max(best.get(language, -math.inf), log_odds_of(read))
    places = sorted(
        range(min(len(hits), len(reads))),
        key=lambda place: PLACE * place - log_odds_of(reads[place]),
    )
    kept = [
        (hit, read)
        for hit, read in ((hits[place], reads[place]) for place in places)
        if best[hit.passage.source.language] - log_odds_of(read) <= MUCH_LESS_LIKELY
        and not is_heading(hit.passage.text)
    ]
    unread = [
        hit for hit in hits[len(reads) : max(most, len(reads))] if not is_heading(hit.passage.text)
    ]
    return [*(hit for hit, _ in kept), *unread][:most], [read for _, read in kept][:most]


def log_odds_of(said: float) -> float:
    """The log-odds, -9 to 9, of what a reader says from 0 to 1; what is no number counts least."""
    if math.isnan(said):
        return LEAST
    if said in (0.0, 1.0):
        return math.copysign(-LEAST, said - 0.5)
    return max(LEAST, min(-LEAST, math.log(said / (1 - said))))


def load_judge(models_folder: Path, embedder: Embedder, *, run: Run | None = None) -> Judge:
    """The published judge, that of the embedder's own run, the one calibrated here, the package's.

    A judge that was published counts only for the very embedder whose hits it learned from. A run
    of an embedder brings a judge where its cosines mean something else than the base model's.

    Args:
        models_folder: Where models, runs and judges are kept.
        embedder: The one whose hits are judged; where there is a reader for it, the judge may read.
        run: A judge to load whether it was published or not.

    Raises:
        ModelUnsuitableError: If the judge of `run` learned from another embedder's hits, or needs a
            reader that there is none of for this embedder.
        ModelCorruptError: If a run's file is missing or is not what was written.
        SettingsError: If the one calibrated here belongs to another embedder.
    """
    home = models_folder / "runs"
    learned = run or serving(home, "judge")
    if learned is not None:
        verify(home, learned)
        folder = folder_of(home, learned)
        judge = read_judge(folder / JUDGE_FILE)
        if judge.embedder == embedder.id:
            if (folder / MODEL).is_dir():
                return with_reader(judge, Reranker(str(folder / MODEL)))
            return _reading(judge, embedder, models_folder)
        if run is not None:
            raise ModelUnsuitableError(f"{run.id} judges {judge.embedder}, not {embedder.id}")
    of_run = home / "retriever" / run_of(embedder.id) / JUDGE_FILE
    if of_run.is_file():
        return read_judge(of_run)
    is_own = (models_folder / JUDGE_FILE).is_file()
    reader = None if is_own else reader_of(embedder, models_folder)
    judge = find_judge(models_folder, can_read=reader is not None)
    if is_own and judge.embedder != base_of(embedder.id):
        raise SettingsError(
            f"{models_folder / JUDGE_FILE} was calibrated for {judge.embedder}, but {embedder.id} "
            "is configured; run `whimbrel calibrate FOLDER` again or delete the file"
        )
    return _reading(judge, embedder, models_folder, reader)


def with_reader(judge: Judge, reader: PairReader) -> ReadingJudge:
    """The judge with what reads for it."""
    values = {field.name: getattr(judge, field.name) for field in fields(Judge)}
    return ReadingJudge(**values, reader=reader)


def _reading(
    judge: Judge, embedder: Embedder, models_folder: Path, reader: Reader | None = None
) -> Judge:
    """The judge with the reader for its embedder, if it needs one."""
    if BEST_READ not in judge.weights:
        if READ in judge.weights:
            raise ModelUnsuitableError(f"{judge.id} reads, and comes without its reader")
        return judge
    reader = reader or reader_of(embedder, models_folder)
    if reader is None:
        raise ModelUnsuitableError(
            f"{judge.id} reads, and there is no reader for {embedder.id}; run `whimbrel calibrate "
            "FOLDER` again"
        )
    return with_reader(judge, reader)


def find_judge(models_folder: Path, *, can_read: bool) -> Judge:
    """The judge that would be used, whatever the embedder: calibrated here, or the package's.

    Of the package's two the one that reads needs an embedder that there is a reader for.

    Raises:
        SettingsError: If the file of the one calibrated here is damaged.
    """
    own = models_folder / JUDGE_FILE
    if own.is_file():
        return read_judge(own)
    name = READING_JUDGE_FILE if can_read else JUDGE_FILE
    return _JUDGES.validate_json(files("retrieval.answering").joinpath(name).read_bytes())


def read_judge(path: Path) -> Judge:
    """The judge that `Judge.save` wrote, without its reader.

    Raises:
        SettingsError: If the file is damaged.
    """
    try:
        return _JUDGES.validate_json(path.read_bytes())
    except ValidationError as error:
        raise SettingsError(
            f"{path} is damaged; run `whimbrel calibrate FOLDER` again or delete the file"
        ) from error


_JUDGES = TypeAdapter(Judge)
