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

from retrieval.answering.answerer import declines
from retrieval.answering.citations import SUPPORT_THRESHOLD, Citer
from retrieval.answering.judge import JUDGED_HITS
from retrieval.answering.prompt import Prompt, build_prompt
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

MOST_LEFT_OUT = 0.02
"""More rows than this share that are too long would make another data set of it."""

DECLINES = {
    "en": "The passages do not mention this.",
    "zh": "段落中没有提到这一点。",
}
"""What the bot takes for silence, and nobody ever reads."""

_MARKER = re.compile(r"\s*\[\d+\]")


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


class Layout:
    """Lays examples out with the passages of an index, as the bot would for a question."""

    def __init__(
        self, wording: ChatFormat, searcher: Searcher, settings: Settings, *, seed: int
    ) -> None:
        self._wording = wording
        self._searcher = searcher
        self._settings = settings
        self._random = random.Random(seed)
        self._passages = {each.content_hash: each for each in searcher.index.passages}

    def answers(self, examples: Sequence[Example]) -> list[TokenRow]:
        """A row for each answer, and beside them so many questions to decline, in each language.

        Where too few questions are to be declined, answered ones come a second time, without the
        passages that hold the answer. Answers whose passages are gone are left out.
        """
        gold = self._answerable(examples)
        silent = [each for each in examples if each.kind == "answer" and not each.is_good]
        rows = [self._answered(each, found) for each, found in gold.items()]
        rows += [
            self._declined(each, gold.get(each, ()))
            for each in self._declined_beside([*gold], silent, [*gold])
        ]
        return self._shuffled(rows)

    def preferences(self, examples: Sequence[Example]) -> list[TokenRow]:
        """A row for each answer that somebody gave in place of the bot's.

        Beside each that declines, in the same language, an approved answer is better than to
        decline; else declining would be learned whatever the passages hold. What finds no such
        answer is left out.
        """
        some = [each for each in examples if each.kind == "preference" and each.rejected]
        some = [each for each in some if each.answer and self._seen(each)]
        silent = [each for each in some if declines(each.answer or "")]
        gold = self._answerable(examples)
        pairs = list(self._in_pairs(silent, [*gold]))
        better = [
            *(each for each in some if not declines(each.answer or "")),
            *(declined for declined, _ in pairs),
        ]
        rows = [
            self._row(each, self._seen(each), each.answer or "", rejected=each.rejected)
            for each in better
        ]
        rows += [
            self._answered(each, gold[each], rejected=_silence(each.language)) for _, each in pairs
        ]
        return self._shuffled(rows)

    def votes(self, examples: Sequence[Example]) -> list[TokenRow]:
        """A row for each answer that people voted on, liked and disliked ones in turn.

        Silence is left out: liking it teaches silence everywhere.
        """
        some = [
            self._row(each, self._seen(each), each.answer, is_good=each.is_good)
            for each in examples
            if each.kind == "judgement"
            and each.answer
            and not declines(each.answer)
            and self._seen(each)
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
        for language, count in Counter(each.language for each in spoken).items():
            own = ([one for one in some if one.language == language] for some in others)
            wanted = round(DECLINED_SHARE / (1 - DECLINED_SHARE) * count)
            yield from [one for some in own for one in self._shuffled(some)][:wanted]

    def _in_pairs(
        self, silent: Sequence[Example], answered: Sequence[Example]
    ) -> Iterator[tuple[Example, Example]]:
        """Two by two of the same language, as many as there are of both."""
        for language in dict.fromkeys(each.language for each in silent):
            own = ([one for one in some if one.language == language] for some in (silent, answered))
            yield from zip(*map(self._shuffled, own), strict=False)

    def _answerable(self, examples: Sequence[Example]) -> dict[Example, list[Passage]]:
        """The approved answers, with the passages that hold them."""
        some = [each for each in examples if each.kind == "answer" and each.is_good]
        return {each: found for each in some if (found := self._gold(each))}

    def _answered(
        self, example: Example, gold: Sequence[Passage], *, rejected: str | None = None
    ) -> TokenRow:
        assert example.answer, "only answers have passages that hold them"
        passages = [*gold, *self._others(example, gold)][: self._settings.hits]
        return self._row(example, passages, example.answer, rejected=rejected)

    def _declined(self, example: Example, gold: Sequence[Passage]) -> TokenRow:
        passages = self._others(example, gold)[: self._settings.hits]
        return self._row(example, passages, _silence(example.language))

    def _others(self, example: Example, gold: Sequence[Passage]) -> list[Passage]:
        """What search finds and does not hold the answer, best first."""
        known = {passage.content_hash for passage in gold}
        hits = self._searcher.search(example.question, k=JUDGED_HITS)
        others = (hit.passage for hit in hits if hit.passage.content_hash not in known)
        wanted = (each for each in others if not (example.answer and _holds(each, example)))
        return [each for _, each in zip(range(self._settings.hits), wanted, strict=False)]

    def _gold(self, example: Example) -> list[Passage]:
        """The passages that hold the answer; the first, whoever wrote it had it from there."""
        if not example.answer or declines(example.answer):
            return []
        seen = self._seen(example)
        return [each for each in seen if _holds(each, example)] or seen[:1]

    def _seen(self, example: Example) -> list[Passage]:
        """The passages that stood beside the answer and are still what they were."""
        hashes = [snippet.content_hash for snippet in example.passages]
        found = [self._passages[each] for each in hashes if each in self._passages]
        return found[: self._settings.hits]

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
            tuple(self._wording.read(self._prompt(example, passages))),
            self._written(text),
            self._written(rejected) if rejected else (),
            is_good,
        )

    def _prompt(self, example: Example, passages: Sequence[Passage]) -> str:
        """The prompt with as many of the passages as fit, the first for sure, in any order."""
        kept = self._laid_out(example, passages).passages
        prompt = self._laid_out(example, self._shuffled(kept))
        return self._wording.render([("system", prompt.system), ("user", prompt.user)])

    def _laid_out(self, example: Example, passages: Sequence[Passage]) -> Prompt:
        return build_prompt(
            example.question,
            [Hit(passage, 0.0) for passage in passages],
            language=example.language,
            count_tokens=self._wording.count_tokens,
            max_tokens=self._settings.prompt_tokens,
        )

    def _written(self, text: str) -> tuple[int, ...]:
        """An answer's tokens to its end. Its markers go: the bot itself says what supports what."""
        end = self._wording.tokenizer.eos_token_id
        said = _MARKER.sub("", text).strip()
        return (*self._wording.encode(said, has_special=False), int(end))

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
    text = _MARKER.sub("", example.answer or "")
    citer = Citer(example.question, [passage])
    return all(
        citer.support(text[start:end]) >= SUPPORT_THRESHOLD for start, end in sentence_spans(text)
    )


def _interleaved(some: Sequence[T], others: Sequence[T]) -> Iterator[T]:
    """Both, the rarer spread evenly among the others."""
    places = [((n + 0.5) / len(each), one) for each in (some, others) for n, one in enumerate(each)]
    yield from (one for _, one in sorted(places, key=lambda place: place[0]))
