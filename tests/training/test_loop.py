"""From ratings to the gate: what honest people rate passes, whatever else is learned does not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from bot.export.exporting import export_log
from bot.export.ratings import import_ratings
from bot.export.records import Policy
from bot.store.database import Database
from retrieval.answering.judge import load_judge
from retrieval.errors import DataError
from retrieval.examples import Example
from retrieval.index.generation import load_index
from retrieval.index.memory import Index
from retrieval.index.searcher import Searcher
from retrieval.records import Passage
from retrieval.search.embedding import Embedder
from retrieval.search.linear_map import LinearMap, identity
from retrieval.settings import Settings
from tests.training import jargon
from training.data.labelled_queries import LabelledQuery, labelled_queries
from training.gate.decision import GateDecision, decide
from training.gate.retriever_trial import searcher_with, try_retriever
from training.retriever.learned_map import learn_map
from training.trainer import LearnOptions

pytestmark = pytest.mark.slow

Row = dict[str, Any]


@dataclass(frozen=True)
class Company:
    """The company's index, the embedder that made it, and what its people would ask."""

    settings: Settings
    embedder: Embedder
    index: Index

    @cached_property
    def searcher(self) -> Searcher:
        return Searcher(self.index, self.embedder)

    def questions(self, *, held_out: bool) -> list[Example]:
        """Those about every fourth document, or those about the others."""
        return [
            jargon.example(asked, passage)
            for asked in range(len(jargon.ASKED))
            for number, passage in enumerate(self.index.passages)
            if (number % 4 == 0) is held_out
        ]

    def passage(self, document: str) -> Passage:
        return next(passage for passage in self.index.passages if passage.source.id == document)

    def exported(self, folder: Path, rows: Iterable[Row]) -> Path:
        """The data set that rated answers come to."""
        database = Database(folder / "whimbrel.db")
        bring_in(rows, folder, database)
        dataset, _ = export_log(
            self.settings, database, self.embedder, policy=Policy(), allows_nothing=True
        )
        database.close()
        return dataset

    def learned(self, folder: Path, rows: Iterable[Row]) -> GateDecision:
        """What the gate says of a map that was learned from rated answers."""
        return learn_map(
            self.exported(folder, rows), self.settings, self.embedder, LearnOptions()
        ).decision

    def judged(self, map_: LinearMap) -> GateDecision:
        """What the gate says of a map that came from elsewhere."""
        asked = labelled_queries(self.questions(held_out=True), self.index.passages)
        judge = load_judge(self.settings.models_folder, self.embedder)
        moved = self.embedder.moved(map_, name="candidate")
        candidate = searcher_with(self.index, moved, map_.of_passages(self.index.vectors))
        served, learned = (
            try_retriever(searcher, judge, asked) for searcher in (self.searcher, candidate)
        )
        (decision,) = decide(served, [learned])
        return decision


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    embedder = Embedder.load(Settings(embedder="all-minilm-l6-v2"))
    settings = jargon.build(tmp_path_factory.mktemp("company"), embedder)
    return Company(settings, embedder, load_index(settings.index_folder, embedder))


def bring_in(rows: Iterable[Row], folder: Path, database: Database) -> None:
    """Import rated answers, by way of a folder, into a log."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "ratings.jsonl").write_text(text)
    import_ratings(folder, database, is_consented=True)


def liked(question: str, passage: Passage, *raters: str, is_expert: bool = False) -> Row:
    """An answer made from a passage, and who voted for it."""
    ratings = [{"rater": rater, "value": 1, "is_expert": is_expert} for rater in raters]
    shown = {"title": passage.source.title, "text": passage.text}
    return {"question": question, "passage": shown, "ratings": ratings}


def approved(company: Company, questions: Sequence[Example]) -> list[Row]:
    """The right answers, approved by an expert."""
    return [
        liked(query.question, company.passage(query.passages[0].document_id), "ada", is_expert=True)
        for query in questions
    ]


def for_the_test(company: Company) -> list[Row]:
    rows = approved(company, company.questions(held_out=True))
    return [row | {"split": "test"} for row in rows]


def pushed(company: Company, questions: Sequence[Example], colluders: int) -> list[Row]:
    """Answers that all quote one document, each voted for by one of those who want it found."""
    document = company.index.passages[-1]
    raters = cycle(f"colluder {number}" for number in range(colluders))
    return [liked(query.question, document, next(raters)) for query in questions]


def voted(company: Company, answers: Iterable[tuple[str, Passage]]) -> list[Row]:
    """Answers that two of sixty people voted for, as they all did for each that they got."""
    people = cycle(f"person {number}" for number in range(60))
    rows = [liked(question, passage, next(people), next(people)) for question, passage in answers]
    return [*rows, *for_the_test(company)]


def honest(company: Company) -> list[Row]:
    """The right answers to what is not held out, each voted for."""
    asked = company.questions(held_out=False)
    right = [(query.question, company.passage(query.passages[0].document_id)) for query in asked]
    return voted(company, right)


def unregularised(company: Company, train: Sequence[LabelledQuery]) -> LinearMap:
    """A map fitted as one would at first: fast, long, from nothing but the labelled queries."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    questions = torch.from_numpy(
        company.embedder.embed_queries([query.question for query in train])
    )
    passages = torch.from_numpy(company.index.vectors)
    right = torch.tensor([query.rows[0] for query in train])
    sides = [torch.eye(company.embedder.dimension, requires_grad=True) for _ in range(2)]
    optimiser = torch.optim.Adam(sides, lr=0.1)
    for _ in range(60):
        asked, found = normalize(questions @ sides[0]), normalize(passages @ sides[1])
        loss = cross_entropy(20 * asked @ found.T, right)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    query, passage = (side.detach().numpy() for side in sides)
    return LinearMap(query, passage)


def test_what_honest_people_voted_for_passes(company: Company, tmp_path: Path) -> None:
    decision = company.learned(tmp_path, honest(company))
    assert decision.is_passed
    assert decision.comparison.gain > 0.2


def test_a_log_in_which_everything_is_upvoted_is_stopped(company: Company, tmp_path: Path) -> None:
    asked = [query.question for query in company.questions(held_out=False)]
    shown = [(query, company.searcher.search(query, k=1)[0].passage) for query in asked]
    decision = company.learned(tmp_path, voted(company, shown))
    assert not decision.is_passed
    # Which of the two is said hangs on the last bits of the vectors, and so on the threads.
    assert decision.reasons[0] in (
        "the gain on held-out questions is not surely above zero",
        "too few questions got better for it not to be chance",
    )


def test_five_answers_are_too_few_and_it_says_how_many_are_missing(
    company: Company, tmp_path: Path
) -> None:
    rows = approved(company, company.questions(held_out=False)[:5])
    with pytest.raises(DataError, match=r"holds \d questions .* 9\d more"):
        company.learned(tmp_path, [*rows, *for_the_test(company)])


@pytest.mark.parametrize("colluders", [1, 3, 10])
def test_of_people_who_push_a_document_alone_nothing_is_learned(
    company: Company, tmp_path: Path, colluders: int
) -> None:
    rows = pushed(company, company.questions(held_out=False), colluders)
    with pytest.raises(DataError, match="holds 0 questions"):
        company.learned(tmp_path, [*rows, *for_the_test(company)])


def test_ten_people_who_push_a_document_spoil_nothing_beside_what_experts_approved(
    company: Company, tmp_path: Path
) -> None:
    right = approved(company, company.questions(held_out=False))
    wrong = pushed(company, company.questions(held_out=True), 10)
    decision = company.learned(tmp_path, [*right, *wrong])
    assert decision.is_passed
    assert decision.comparison.candidate > 0.95


def test_a_map_that_is_not_kept_from_forgetting_is_stopped(company: Company) -> None:
    things = tuple(jargon.WORDS)[::2]
    some = [
        query
        for query in company.questions(held_out=False)
        if Path(query.passages[0].document_id).name.startswith(things)
    ]
    train = labelled_queries(some, company.index.passages)
    decision = company.judged(unregularised(company, train))
    assert "the gain on held-out questions is not surely above zero" in decision.reasons


def test_a_map_that_moves_nothing_makes_no_difference(company: Company) -> None:
    decision = company.judged(identity(company.embedder.dimension))
    assert decision.is_no_difference
    assert not decision.is_passed
