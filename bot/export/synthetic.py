"""Questions made from the documents themselves, to learn from before anybody has rated anything.

A generator asks them; or a heading that asks something is a question already, and else a heading
with its title, or a sentence, stands for one. A question is kept only if search finds the passage
that it was made from. Passages found further down are its hard negatives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from bot.export.corpus import passage_text
from retrieval.examples import Example, content_id
from retrieval.language import sentences, words
from retrieval.records import PUBLIC, Completion, Hit, Passage
from retrieval.secret_forms import has_secret

FOUND_WITHIN = 10
"""A passage that its own question does not find among the first so many teaches nothing."""

DEPTH = 50
NEGATIVES_FROM = 5
"""So many places below the passage, others rarely answer the same question."""

NEGATIVES = 2
WEIGHT = 0.25
SENTENCE_WORDS = range(6, 41)
QUESTION_TOKENS = 48
PASSAGE_CHARS = 2_000

_TOGETHER = 16
"""Passages asked about at once: a generator writes several texts nearly as fast as one."""

_ASK = {
    "en": (
        "You write the question that an employee would ask a colleague. Write one short question "
        "in English that the text answers. Write nothing but the question."
    ),
    "zh": "你替员工提问。根据下面的文字写一个简短的中文问题，文字必须能回答它。只写问题。",
}

_ASKS = re.compile(
    r"[?？]\s*$|^(?:who|what|when|where|which|why|how|can|do|does|is|are)\b|什么|怎么|如何|多少|吗",
    re.IGNORECASE,
)


class PassageSearch(Protocol):
    """What this needs of a searcher."""

    def search(self, query: str, *, k: int) -> list[Hit]:
        """The `k` nearest passages, the nearest first."""


class QuestionWriter(Protocol):
    """What this needs of a generator."""

    def generate(self, messages: Sequence[tuple[str, str]], *, max_tokens: int) -> Completion:
        """What the model writes after the messages of (role, text)."""


def synthesise(
    passages: Sequence[Passage],
    searcher: PassageSearch,
    count: int,
    *,
    generator: QuestionWriter | None = None,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Example]:
    """At most `count` pairs of a made question and its passage, then its hard negatives.

    Only what everybody may see is asked about. The same index gives the same questions.
    """
    public = [passage for passage in passages if passage.source.audience == PUBLIC]
    public.sort(key=lambda passage: content_id("synthetic", passage.content_hash))
    examples: list[Example] = []
    asked: set[str] = set()
    for passage, question in _asked(public, generator):
        if len(examples) == count:
            break
        if question in asked or has_secret(passage.text):
            continue
        asked.add(question)
        hits = [hit.passage for hit in searcher.search(question, k=DEPTH)]
        if passage in hits[:FOUND_WITHIN]:
            examples.append(_example(question, passage, hits[hits.index(passage) + 1 :]))
            on_progress("making questions", len(examples), count)
    return examples


def _asked(
    passages: Sequence[Passage], generator: QuestionWriter | None
) -> Iterator[tuple[Passage, str]]:
    """Passages with a question each; those about which there is none to ask are left away."""
    for start in range(0, len(passages), _TOGETHER):
        some = passages[start : start + _TOGETHER]
        written = _written(some, generator) if generator else [""] * len(some)
        for passage, question in zip(some, written, strict=True):
            if question := question or next(questions_of(passage), ""):
                yield passage, question


def _written(passages: Sequence[Passage], generator: QuestionWriter) -> list[str]:
    """What the generator asks of each passage; empty where it asks nothing."""

    def write(passage: Passage) -> str:
        system = _ASK["zh" if passage.source.language == "zh" else "en"]
        user = passage.indexed_text[:PASSAGE_CHARS]
        messages = [("system", system), ("user", user)]
        text = generator.generate(messages, max_tokens=QUESTION_TOKENS).text.strip()
        question = text.splitlines()[0].strip() if text else ""
        return question if _ASKS.search(question) and question not in passage.text else ""

    with ThreadPoolExecutor(_TOGETHER) as threads:
        return list(threads.map(write, passages))


def questions_of(passage: Passage) -> Iterator[str]:
    """What might be asked of a passage, the likest to a person's question first."""
    heading = passage.headings[-1] if passage.headings else ""
    if _ASKS.search(heading):
        yield heading
    fitting = [
        sentence for sentence in sentences(passage.text) if len(words(sentence)) in SENTENCE_WORDS
    ]
    is_titled = heading and heading != passage.source.title
    by_heading = [f"{passage.source.title} {heading}"] if is_titled else []
    # Half and half: headings are short like what people type, sentences say more.
    is_even = int(passage.content_hash[:8], 16) % 2 == 0
    yield from (*by_heading, *fitting) if is_even else (*fitting, *by_heading)


def _example(question: str, passage: Passage, below: Sequence[Passage]) -> Example:
    lower = below[NEGATIVES_FROM:]
    negatives = [other for other in lower if other.content_hash != passage.content_hash]
    return Example(
        id=content_id("synthetic", question, passage.content_hash),
        kind="pair",
        question=question,
        language=passage.source.language,
        passages=tuple(map(passage_text, (passage, *negatives[:NEGATIVES]))),
        source="synthetic",
        day=passage.source.modified[:10],
        weight=WEIGHT,
    )
