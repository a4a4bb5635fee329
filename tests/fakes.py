"""Small stand-ins that do real work: an answerer over a handful of sentences, a reindexer."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.review.document_lookup import DocumentLookup, Held
from bot.store.turns import DocumentRef
from retrieval.answering.questions import clean
from retrieval.errors import IndexNotFoundError, QuestionError
from retrieval.index.account import Account
from retrieval.index.building import IndexReport
from retrieval.index.changes import Changes
from retrieval.index.generation import Rollback
from retrieval.index.manifest import Manifest, Recipe
from retrieval.index.searcher import lowered
from retrieval.language import language_of, words
from retrieval.records import PUBLIC, Answer, AnswerRequest, Citation, Failure, Hit, Passage, Source
from retrieval.registry.runs import Deployment, Facts, ModelKind, Run
from retrieval.registry.trials import Trial
from retrieval.serving.installation import Installation, LearnedModel
from tests.retrieval.word_embedder import WordEmbedder

HANDBOOK = {
    "Leave": ("Every employee has 30 days of paid leave a year.", PUBLIC),
    "Printer": ("The printer on floor 2 is called Heron.", PUBLIC),
    "Salaries": ("The salary band of engineers is E4.", "hr"),
    "年假": ("每位员工每年有三十天带薪年假。", PUBLIC),
}
_COMMON = frozenset(words("the a an of is on how many what which who do i have does every"))


def passage(title: str, text: str, *, audience: str = PUBLIC) -> Passage:
    digest = hashlib.sha256(text.encode()).hexdigest()
    source = Source(
        id=f"handbook/{title}.md",
        title=title,
        path=f"handbook/{title}.md",
        language=language_of(text),
        sha256=digest,
        modified="2026-01-01T00:00:00+00:00",
        url=f"https://docs.example/{title}",
        audience=audience,
    )
    return Passage(digest[:12], source, text, 0, len(text), ("Rules",), 3, content_hash=digest)


class SentenceAnswerer:
    """Answers with the sentence that shares most words with the question, or abstains.

    `asked` keeps the requests.
    """

    def __init__(self) -> None:
        self.passages = [passage(t, text, audience=a) for t, (text, a) in HANDBOOK.items()]
        self.asked: list[AnswerRequest] = []

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,  # noqa: ARG002 - part of the interface
        should_stop: Callable[[], bool] | None = None,  # noqa: ARG002 - part of the interface
    ) -> Answer:
        self.asked.append(request)
        question, sources = request.text, tuple(request.sources)
        if len(question) > 4_000:
            raise QuestionError(f"The question has {len(question)} characters; 4000 are allowed.")
        query = " ".join([*(m.text for m in request.history if m.role == "user"), question])
        asked = set(words(query)) - _COMMON
        readable = [
            p
            for p in self.passages
            if p.source.audience in request.audience and p.source.id.startswith(sources or "")
        ]
        hits = sorted(
            (Hit(p, float(len(asked & set(words(p.text))))) for p in readable),
            key=lambda hit: -hit.score,
        )
        threshold = 0.5 if request.threshold is None else request.threshold
        answer = self._card(question, query, tuple(hits), threshold)
        return replace(answer, language=request.language or answer.language)

    def _card(self, question: str, query: str, hits: tuple[Hit, ...], threshold: float) -> Answer:
        best = hits[0] if hits else Hit(self.passages[0], 0.0)
        is_found = best.score / (best.score + 1) >= threshold
        text = f"{best.passage.text} [1]" if is_found else "I did not find that."
        return Answer(
            id=uuid.uuid4().hex[:12],
            question=question,
            query=query,
            kind="answer" if is_found else "abstention",
            text=text,
            language=language_of(question),
            confidence=best.score / (best.score + 1),
            citations=(Citation(1, best.passage, best.passage.text, 1.0),) if is_found else (),
            hits=hits,
            method="extracted" if is_found else "none",
            prompt_version="p1",
            generator="sentences",
            embedder="words",
            generation="g1",
            timings={"total": 0.001},
        )


class GatedAnswerer(SentenceAnswerer):
    """Waits at a gate before it answers, as a slow model would."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Answer:
        is_stopped = False
        while not is_stopped and not self.gate.wait(0.01):
            is_stopped = should_stop is not None and should_stop()
        return replace(super().answer(request, on_text=on_text), stopped=is_stopped)


def answer_to(question: str, *, audience: frozenset[str] = frozenset({PUBLIC})) -> Answer:
    """What a `SentenceAnswerer` says to people who may read the documents of an audience."""
    return SentenceAnswerer().answer(AnswerRequest(question, audience=audience))


class SentenceDocuments(DocumentLookup):
    """The passages of a `SentenceAnswerer`, which a test may change, and an embedder of words."""

    generator, generation = "sentences", "g1"
    embedder = WordEmbedder(dimension=512)

    def __init__(self, passages: list[Passage] | None = None) -> None:
        self.passages = SentenceAnswerer().passages if passages is None else passages
        self.embedder = WordEmbedder(dimension=512)

    def held(self) -> Held:
        passages = {DocumentRef(p.source.id, p.content_hash): p for p in self.passages}
        return Held(self.generation, self.embedder, passages)

    def search(
        self,
        query: str,
        *,
        k: int,
        audience: frozenset[str],
        sources: Sequence[str] = (),
        outdated: Mapping[str, str] | None = None,
    ) -> list[Hit]:
        answerer = SentenceAnswerer()
        answerer.passages = self.passages
        asked = AnswerRequest(
            clean(query, max_chars=4_000), audience=audience, sources=tuple(sources)
        )
        hits = [hit for hit in answerer.answer(asked).hits if hit.score]
        return lowered(hits, outdated or {})[:k]


class FolderReindexer:
    """Counts the files of a folder, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *, full: bool, on_progress: Callable[[str, int, int], None]) -> IndexReport:
        files = sorted(path.name for path in self._folder.glob("*.md"))
        for done, _ in enumerate(files, start=1):
            on_progress("reading", done, len(files))
        changes = Changes(added=tuple(files)) if full else Changes(changed=tuple(files))
        return index_report(changes)


def index_report(
    changes: Changes, failures: Sequence[Failure] = (), partial: Sequence[Source] = ()
) -> IndexReport:
    account = Account(53, len(partial), len(failures), {".png": 2})
    whole = (tuple(failures), tuple(partial), 12.4, "g2", account, Path("g2"))
    return IndexReport(changes, 812, 30, *whole)


def manifest(name: str, created: str) -> Manifest:
    recipe = Recipe("words", "1", 1, 99, {})
    return Manifest(1, name, created, recipe, ("docs",), 64, 4, 812, {}, (), {})


class NoCandidates:
    """Models that nobody publishes or tries."""

    def refresh(self) -> None:
        """There is nothing new."""

    def shadow(self, request: AnswerRequest, **_: Any) -> Answer | None:  # noqa: ARG002
        return None


class TwoGenerations(Installation):
    """The documents of `SentenceAnswerer` with an index before the one that is served."""

    def __init__(self) -> None:
        self.served = manifest("g2", "2026-02-02T08:00:00+00:00")
        self.previous: Manifest | None = manifest("g1", "2026-01-01T08:00:00+00:00")
        self.taken_back = 0

    def models(self) -> Mapping[str, str]:
        return {"embedder": "words", "generator": "sentences"}

    def generations(self) -> tuple[Manifest, Manifest | None]:
        return self.served, self.previous

    def generation_names(self) -> tuple[str, str | None]:
        return self.served.name, self.previous.name if self.previous else None

    def rollback(self, *, reason: str) -> Rollback:  # noqa: ARG002  kept with learned models
        if self.previous is None:
            raise IndexNotFoundError("no other generation of the index is kept to roll back to")
        self.served, self.previous = self.previous, self.served
        changes = Changes(removed=("handbook/Printer.md",))
        return Rollback(self.previous.name, self.previous.recipe.embedder, self.served, changes)

    def sources(self) -> list[Source]:
        return [p.source for p in SentenceAnswerer().passages]

    def account(self) -> Account:
        return Account(52, 1, 3, {".png": 4, "hidden file": 1})

    def learned(self) -> list[LearnedModel]:
        facts = Facts("words", "0123456789abcdef", 0, "1")
        runs = [Run(f"r{n}", "retriever", f"2026-01-0{n}T08:00:00", facts, {}) for n in (1, 2)]
        return [LearnedModel(runs[0], False, "forgotten"), LearnedModel(runs[1], True, None)]

    def deployments(self) -> list[Deployment]:
        at = "2026-02-01T08:00:00+00:00"
        return [Deployment(at, "retriever", "publish", "base", "r2", "better")]

    def roll_back_model(self, kind: ModelKind, *, reason: str) -> Deployment:
        return Deployment("2026-02-03T08:00:00+00:00", kind, "rollback", "r9", "base", reason)

    def trial(self) -> Trial | None:
        return None

    def complete_trial(self, trial: Trial, *, reason: str) -> Deployment:
        raise NotImplementedError

    def end_trial(self, trial: Trial, *, reason: str) -> bool:
        raise NotImplementedError

    def take_back(self) -> bool:
        self.taken_back += 1
        return False

    @property
    def embedder(self) -> WordEmbedder:
        return WordEmbedder()
