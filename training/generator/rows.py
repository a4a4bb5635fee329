"""What a generator learns from: examples as rows of tokens, laid out exactly as when it answers.

An approved or corrected answer stands after its own passages among others that search finds, in any
order, as in RAFT (Zhang et al. 2024); where none of them holds the answer, the row declines.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from retrieval.answering.citations import Citer
from retrieval.answering.decline_filter import declines
from retrieval.answering.judge import JUDGED_HITS
from retrieval.answering.prompt import Prompt, build_prompt
from retrieval.answering.support import SUPPORT_THRESHOLD
from retrieval.errors import DataError
from retrieval.examples import Example
from retrieval.index.searcher import Searcher
from retrieval.language import sentence_spans
from retrieval.llm.chat_format import ChatFormat
from retrieval.records import Hit, Passage
from retrieval.settings import Settings

T = TypeVar("T")

Method = Literal["sft", "dpo", "kto"]

DECLINED_SHARE = 0.1
"""Of the rows, so many are to decline.

With fewer, a small model answers whatever is asked; with more, it declines what it could answer.
"""

WATCHED_SHARE = 0.2
"""The same where rows held back say when that is too much."""

MOST_LEFT_OUT = 0.02
"""More rows than this share that are too long would make another data set of it."""

DECLINES = {
    "en": "The passages do not mention this.",
    "zh": "段落中没有提到这一点。",
}
"""What the bot takes for silence, and nobody ever reads."""

MARKER = re.compile(r"\s*\[\d+\]")
"""What cites a passage."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """Tokens: a prompt and what is to be written after it.

    `rejected` is what is not to be written instead; empty where nobody said so. `is_good` is false
    where the completion is what somebody was given and did not want.
    """

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    rejected: tuple[int, ...] = ()
    is_good: bool = True

    @property
    def tokens(self) -> int:
        """The length of the longest text that it holds."""
        return len(self.prompt) + max(len(self.completion), len(self.rejected))


class RowLayout:
    """Lays examples out with the passages of an index, as the bot would for a question."""

    def __init__(
        self,
        chat_format: ChatFormat,
        searcher: Searcher,
        settings: Settings,
        *,
        seed: int,
        declined_share: float = DECLINED_SHARE,
    ) -> None:
        self._declined_share = declined_share
        self._chat_format = chat_format
        self._searcher = searcher
        self._settings = settings
        self._seed = seed
        self._random = random.Random(seed)
        passages = searcher.index.passages
        self._rows = {passage.content_hash: row for row, passage in enumerate(passages)}

    def answers(self, examples: Sequence[Example]) -> list[TokenRow]:
        """A row for each answer, and beside them so many questions to decline, in each language.

        Where too few questions are to be declined, answered ones come a second time, without the
        passages that hold the answer. Answers whose passages are gone are left out.
        """
        relevant = self._answerable(examples)
        silent = [
            example for example in examples if example.kind == "answer" and not example.is_good
        ]
        rows = [self._answered(example, found) for example, found in relevant.items()]
        rows += [
            self._declined(example, relevant.get(example, ()))
            for example in self._declined_beside([*relevant], silent, [*relevant])
        ]
        return self._shuffled(rows)

    def pairs(self, examples: Sequence[Example]) -> list[tuple[TokenRow, TokenRow]]:
        """A row for each answer, and one without the passages that hold it, which declines."""
        return [
            (self._answered(example, found), self._declined(example, found))
            for example, found in self._answerable(examples).items()
        ]

    def each_alone(self, examples: Sequence[Example]) -> list[TokenRow]:
        """A row for each answer that would be the same without all others.

        Chance decides which of those that are answered decline, without the passages that hold the
        answer, so that one answer changes one row and no more.
        """
        relevant = self._answerable(examples)
        rows = []
        for example in (example for example in examples if example.kind == "answer"):
            self._random = random.Random(f"{self._seed} {example.id}")
            found = relevant.get(example)
            if found and self._random.random() >= DECLINED_SHARE:
                rows.append(self._answered(example, found))
            elif found or not example.is_good:
                rows.append(self._declined(example, found or ()))
        return rows

    def preferences(self, examples: Sequence[Example]) -> list[TokenRow]:
        """A row for each answer that somebody gave in place of the bot's.

        Beside each that declines, in the same language, an approved answer is better than to
        decline; else declining would be learned whatever the passages hold. What finds no such
        answer is left out.
        """
        some = [
            example for example in examples if example.kind == "preference" and example.rejected
        ]
        some = [example for example in some if example.answer and self._seen(example)]
        silent = [example for example in some if declines(example.answer or "")]
        relevant = self._answerable(examples)
        pairs = list(self._in_pairs(silent, [*relevant]))
        better = [
            *(example for example in some if not declines(example.answer or "")),
            *(declined for declined, _ in pairs),
        ]
        rows = [
            self._row(example, self._seen(example), example.answer or "", rejected=example.rejected)
            for example in better
        ]
        rows += [
            self._answered(example, relevant[example], rejected=_silence(example.language))
            for _, example in pairs
        ]
        return self._shuffled(rows)

    def votes(self, examples: Sequence[Example]) -> list[TokenRow]:
        """A row for each answer that people voted on, liked and disliked ones in turn.

        Silence is left out: liking it teaches silence everywhere.
        """
        some = [
            self._row(example, self._seen(example), example.answer, is_good=example.is_good)
            for example in examples
            if example.kind == "judgement"
            and example.answer
            and not declines(example.answer)
            and self._seen(example)
        ]
        liked = self._shuffled([row for row in some if row.is_good])
        disliked = self._shuffled([row for row in some if not row.is_good])
        return list(_interleaved(liked, disliked))

    def _declined_beside(
        self, spoken: Sequence[Example], *others: Sequence[Example]
    ) -> Iterator[Example]:
        """Of others, the first ones before the next, so many to decline in each language.

        Were it more in one of them, its questions would be declined for the language alone.
        """
        for language, count in Counter(example.language for example in spoken).items():
            own = ([example for example in some if example.language == language] for some in others)
            wanted = round(self._declined_share / (1 - self._declined_share) * count)
            yield from [example for some in own for example in self._shuffled(some)][:wanted]

    def _in_pairs(
        self, silent: Sequence[Example], answered: Sequence[Example]
    ) -> Iterator[tuple[Example, Example]]:
        """Two by two of the same language, as many as there are of both."""
        for language in dict.fromkeys(example.language for example in silent):
            own = (
                [example for example in some if example.language == language]
                for some in (silent, answered)
            )
            yield from zip(*map(self._shuffled, own), strict=False)

    def _answerable(self, examples: Sequence[Example]) -> dict[Example, list[Passage]]:
        """The approved answers, with the passages that hold them."""
        some = [example for example in examples if example.kind == "answer" and example.is_good]
        return {example: found for example in some if (found := self._relevant(example))}

    def _answered(
        self, example: Example, relevant: Sequence[Passage], *, rejected: str | None = None
    ) -> TokenRow:
        assert example.answer, "only answers have passages that hold them"
        passages = [*relevant, *self._others(example, relevant)][: self._settings.hits]
        return self._row(example, passages, example.answer, rejected=rejected)

    def _declined(self, example: Example, relevant: Sequence[Passage]) -> TokenRow:
        passages = self._others(example, relevant)[: self._settings.hits]
        return self._row(example, passages, _silence(example.language))

    def _others(self, example: Example, relevant: Sequence[Passage]) -> list[Passage]:
        """What search finds and does not hold the answer, best first."""
        known = {passage.content_hash for passage in relevant}
        hits = self._searcher.search(example.question, k=JUDGED_HITS)
        others = (hit.passage for hit in hits if hit.passage.content_hash not in known)
        wanted = (
            passage for passage in others if not (example.answer and _holds(passage, example))
        )
        return [passage for _, passage in zip(range(self._settings.hits), wanted, strict=False)]

    def _relevant(self, example: Example) -> list[Passage]:
        """The passages that hold the answer; the first, whoever wrote it had it from there."""
        if not example.answer or declines(example.answer):
            return []
        seen = self._seen(example)
        return [passage for passage in seen if _holds(passage, example)] or seen[:1]

    def _seen(self, example: Example) -> list[Passage]:
        """The passages that stood beside the answer and are still what they were."""
        hashes = [passage.content_hash for passage in example.passages]
        rows = [self._rows[digest] for digest in hashes if digest in self._rows]
        return [self._searcher.index.passages[row] for row in rows[: self._settings.hits]]

    def _row(
        self,
        example: Example,
        passages: Sequence[Passage],
        text: str,
        *,
        rejected: str | None = None,
        is_good: bool = True,
    ) -> TokenRow:
        return TokenRow(
            tuple(self._chat_format.read(self._prompt(example, passages))),
            self._written(text),
            self._written(rejected) if rejected else (),
            is_good,
        )

    def _prompt(self, example: Example, passages: Sequence[Passage]) -> str:
        """The prompt with as many of the passages as fit, the first for sure, in any order."""
        kept = self._laid_out(example, passages).passages
        prompt = self._laid_out(example, self._shuffled(kept))
        return self._chat_format.render([("system", prompt.system), ("user", prompt.user)])

    def _laid_out(self, example: Example, passages: Sequence[Passage]) -> Prompt:
        return build_prompt(
            example.question,
            [Hit(passage, 0.0) for passage in passages],
            language=example.language,
            count_tokens=self._chat_format.count_tokens,
            max_tokens=self._settings.prompt_tokens,
        )

    def _written(self, text: str) -> tuple[int, ...]:
        """An answer's tokens to its end. Its markers go: the bot itself says what supports what."""
        end = self._chat_format.tokenizer.eos_token_id
        said = MARKER.sub("", text).strip()
        return (*self._chat_format.encode(said, has_special=False), int(end))

    def _shuffled(self, some: Sequence[T]) -> list[T]:
        return self._random.sample(some, len(some))


def fitting(rows: Sequence[TokenRow], *, max_tokens: int) -> list[TokenRow]:
    """The rows that are not too long for the model or for serving.

    Raises:
        DataError: If more than `MOST_LEFT_OUT` are; libraries would cut them without a word.
    """
    some = [row for row in rows if row.tokens <= max_tokens]
    left_out = len(rows) - len(some)
    if left_out > MOST_LEFT_OUT * len(rows):
        raise DataError(
            f"{left_out} of {len(rows)} rows are longer than {max_tokens} tokens; set "
            "WHIMBREL_PROMPT_TOKENS to more, or WHIMBREL_PASSAGE_TOKENS to less and index again"
        )
    return some


def _silence(language: str) -> str:
    return DECLINES.get(language, DECLINES["en"])


def _holds(passage: Passage, example: Example) -> bool:
    """Whether a passage supports every sentence of an example's answer."""
    text = MARKER.sub("", example.answer or "")
    citer = Citer(example.question, [passage])
    return all(
        citer.support(text[start:end]) >= SUPPORT_THRESHOLD for start, end in sentence_spans(text)
    )


def _interleaved(some: Sequence[T], others: Sequence[T]) -> Iterator[T]:
    """Both, the rarer spread evenly among the others."""
    places = [
        ((n + 0.5) / len(group), value) for group in (some, others) for n, value in enumerate(group)
    ]
    yield from (value for _, value in sorted(places, key=lambda place: place[0]))
