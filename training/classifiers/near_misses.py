"""Questions with passages that answer them and near misses that do not, made from data sets."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from retrieval.answering.questions import standalone
from retrieval.evaluation.dataset import ANSWERS, Dataset, read_dataset
from retrieval.evaluation.evaluate import asked_before, spread
from retrieval.index.searcher import Searcher
from retrieval.jsonl import first_of
from retrieval.language import language_of, sentence_spans
from retrieval.records import Passage
from retrieval.search.lexical import terms
from training.classifiers.judge_fit import is_held_out

_NEAR = 20
"""Of the hits that do not answer so many are kept, and a few passages from anywhere."""

_FAR = 4
_ALIKE = 0.7
"""A passage with so many of an answering one's terms may say the same: it is no near miss."""

_SAID = 0.6
"""A sentence with so many of its terms in the answer says it, in whatever words."""

_HEADING_CHARS = {"zh": 30}
_LONGEST_HEADING = 70
_LEAST_CHARS = 80
_STOPS = {
    "en": re.compile(
        r"\b(?:what|is|are|the|an?|do|does|did|i|my|me|we|to|of|for|in|on|can|could|should|would|"
        r"will|how|you|your|it|be|if|there|have|has|am|any|at|that|this|and)\b",
        re.IGNORECASE,
    ),
    "zh": re.compile("什么|怎么|如何|哪些|哪个|哪|是否|吗|呢|的|了|为何|为什么|是|请问|多少|怎样"),
}
_ENDS = re.compile(r"[?？。.]+$")


@dataclass(frozen=True, slots=True)
class ReadingGroup:
    """A question, texts that answer it, none for one without an answer, and others near it.

    `cut` are those that answer, without the sentences that do.
    """

    question: str
    answering: tuple[str, ...]
    others: tuple[str, ...]
    cut: tuple[str, ...] = ()


def is_learned_from(id_: str) -> bool:
    """Whether a reader learns from an answer of this id.

    It does from three in four of the half that is not held out; the rest is for calibration.
    """
    return not is_held_out(id_) and hashlib.sha256(id_.encode()).digest()[1] % 4 > 0


def reading_groups(
    folder: Path, searcher: Searcher, seed: int, limit: int | None = None
) -> Iterator[ReadingGroup]:
    """What a data set's judged questions, answers and headings have a reader learn.

    - A question to learn from (`queries_train.jsonl`) is answered by what was judged relevant.
    - One of `answers_train.jsonl`, and of those of `answers.jsonl` that are learned from, is
      answered by its passages, and not by the same passage without the sentences that hold the
      answer.
    - A short first line of a passage, such as a heading, is answered by the rest.

    A passage `LANGUAGE:NAME` says the same as that of this name in another language. Each question
    comes as it is written, or as people type: in lower case, or in keywords.

    Args:
        folder: In the format of `retrieval.evaluation.dataset`.
        searcher: Of its passages; what it finds and is not right is a near miss.
        seed: Of what is drawn.
        limit: Take only so many questions of each kind, evenly spread.
    """
    corpus = _Corpus(searcher, random.Random(seed))
    dataset = read_dataset(folder)
    for group in (
        *_judged(folder, corpus, limit),
        *_answered(folder, dataset, corpus, limit),
        *_headed(dataset, corpus, limit),
    ):
        typed = as_typed(group.question, corpus.random)
        yield replace(group, question=corpus.random.choice((group.question, typed)))


def as_typed(question: str, random_: random.Random) -> str:
    """The question as people type it: without its end, in lower case, or only its keywords."""
    plain = _ENDS.sub("", question).lower()
    if random_.random() < 0.5:
        return plain
    stops = _STOPS["zh" if language_of(question) == "zh" else "en"]
    keywords = " ".join(stops.sub(" ", re.sub("[?？。.,，]", " ", plain)).split())
    return keywords if len(terms(keywords)) > 1 else plain


@dataclass(frozen=True)
class _Corpus:
    """The passages of a data set, by document, and what search finds among them."""

    searcher: Searcher
    random: random.Random
    documents: Mapping[str, list[Passage]] = field(init=False)
    _terms: dict[str, frozenset[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        documents: dict[str, list[Passage]] = {}
        for passage in self.searcher.index.passages:
            documents.setdefault(passage.source.id, []).append(passage)
        object.__setattr__(self, "documents", documents)

    def known(self, documents: Iterable[str]) -> list[str]:
        """Those of some documents that are here."""
        return [id_ for id_ in documents if id_ in self.documents]

    def near_misses(self, question: str, gold: Sequence[str]) -> tuple[Passage, ...]:
        """What search finds that does not answer, best first, and a few drawn from anywhere."""
        own = [self.terms_of(passage) for id_ in gold for passage in self.documents[id_]]
        hits = self.searcher.search(question, k=_NEAR + 8)
        near = [
            hit.passage
            for hit in hits
            if hit.passage.source.id not in gold and not self._is_alike(hit.passage, own)
        ]
        passages = self.searcher.index.passages
        drawn = self.random.sample(passages, min(_FAR, len(passages)))
        far = [passage for passage in drawn if passage.source.id not in gold]
        return tuple(dict.fromkeys((*near[:_NEAR], *far)))

    def _is_alike(self, passage: Passage, others: Sequence[frozenset[str]]) -> bool:
        own = self.terms_of(passage)
        return any(
            len(own & terms) > _ALIKE * max(1, min(len(own), len(terms))) for terms in others
        )

    def terms_of(self, passage: Passage) -> frozenset[str]:
        """The terms of a passage, looked at once."""
        if passage.id not in self._terms:
            self._terms[passage.id] = frozenset(terms(passage.text))
        return self._terms[passage.id]

    def best_part(self, question: str, document: str, said: Sequence[str] = ()) -> Passage:
        """The passage of a document that has one of the texts, else the one nearest a question."""
        parts = self.documents[document]
        saying = [part for part in parts if any(text in part.text for text in said)] or parts
        if len(saying) == 1:
            return saying[0]
        embedder = self.searcher.embedder
        vectors = embedder.embed_passages([part.indexed_text for part in saying])
        return saying[int((vectors @ embedder.embed_query(question).T).argmax())]


def _judged(folder: Path, corpus: _Corpus, limit: int | None) -> Iterator[ReadingGroup]:
    if not any(folder.glob("queries_train.jsonl*")):
        return
    dataset = read_dataset(folder, part="train")
    known = [query for query in dataset.queries if corpus.known(dataset.qrels.get(query.id, ()))]
    for query in spread(known, limit):
        gold = corpus.known(dataset.qrels[query.id])
        question = standalone(query.text, asked_before(query))
        answering = (corpus.best_part(question, id_).indexed_text for id_ in gold)
        near = corpus.near_misses(question, gold)
        yield ReadingGroup(question, tuple(answering), tuple(p.indexed_text for p in near))


def _answered(
    folder: Path, dataset: Dataset, corpus: _Corpus, limit: int | None
) -> Iterator[ReadingGroup]:
    answers = [answer for answer in dataset.answers if is_learned_from(answer.id)]
    if first_of(folder, ANSWERS["train"]):
        answers += read_dataset(folder, part="train").answers
    known = [
        answer for answer in answers if answer.is_unanswerable or corpus.known(answer.passages)
    ]
    for answer in spread(known, limit):
        question = standalone(answer.question, asked_before(answer))
        gold = corpus.known(answer.passages)
        parts = [corpus.best_part(question, id_, answer.answers) for id_ in gold]
        yield ReadingGroup(
            question,
            tuple(part.indexed_text for part in parts),
            tuple(passage.indexed_text for passage in corpus.near_misses(question, gold)),
            tuple(text for part in parts if (text := _without(part, answer.answers))),
        )


def _headed(dataset: Dataset, corpus: _Corpus, limit: int | None) -> Iterator[ReadingGroup]:
    asked = {query.text.strip().lower() for query in dataset.queries}
    headings = Counter(_heading(passage) for passage in dataset.passages)
    headed = [
        (heading, passage)
        for passage in dataset.passages
        if (heading := _heading(passage))
        and headings[heading] == 1
        and heading.lower() not in asked
    ]
    for heading, passage in spread(headed, limit):
        gold = corpus.known(_translations(passage.source.id))
        near = corpus.near_misses(heading, gold)
        # A heading would tell at once: nothing keeps its own.
        answering = (_headless(corpus.documents[id_][0]) for id_ in gold)
        yield ReadingGroup(heading, tuple(answering), tuple(map(_headless, near)))


def _translations(id_: str) -> tuple[str, ...]:
    prefix, colon, name = id_.partition(":")
    return (f"en:{name}", f"zh:{name}") if colon and prefix in ("en", "zh") else (id_,)


def _heading(passage: Passage) -> str:
    """The first line of a passage, if it reads like a heading of enough text; or nothing."""
    first, _, rest = passage.text.partition("\n")
    first = first.strip()
    most = _HEADING_CHARS.get(passage.source.language, _LONGEST_HEADING)
    is_title = 0 < len(first) <= most and first[-1] not in "。.：:；;，,)?？"
    return first if is_title and len(rest) >= _LEAST_CHARS and first[0] not in ">-*|`#" else ""


def _headless(passage: Passage) -> str:
    text = passage.text
    return f"{passage.source.title}\n{text.partition(chr(10))[2] if _heading(passage) else text}"


def _without(passage: Passage, said: Sequence[str]) -> str:
    """The passage without the sentences that say one of the texts, or nothing."""
    answers = frozenset(term for text in said for term in terms(text))
    sentences = [passage.text[start:end] for start, end in sentence_spans(passage.text)]
    kept = [
        sentence
        for sentence in sentences
        if not any(text in sentence for text in said)
        and len(answers & {*terms(sentence)}) < _SAID * len({*terms(sentence)})
    ]
    if len(kept) == len(sentences) or len(kept) < 2:
        return ""
    gap = "" if passage.source.language == "zh" else " "
    return f"{passage.source.title}\n{gap.join(kept)}".strip()
