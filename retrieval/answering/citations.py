"""Which passages support which sentence of an answer; what none supports is not said."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from retrieval.answering.support import (
    MANY_KNOWN,
    SUPPORT_THRESHOLD,
    Clause,
    Grounds,
    SupportReader,
    clauses,
)
from retrieval.language import CJK, sentence_spans
from retrieval.records import Citation, Passage, Vectors
from retrieval.registry.runs import base_of
from retrieval.search.lexical import terms

if TYPE_CHECKING:
    from retrieval.search.embedding import Embedder

MAX_CITATIONS = 5
MOST_TOGETHER = 3
"""At most so many passages support one sentence together."""

_JOINED_GAIN = 0.075
"""So much more than one has several passages must support; it is 30 % of a sentence's words."""

NEAR = {"multilingual-e5-small": (0.86, 0.805)}
"""By embedder, the cosine from which a sentence may be about what a passage says, in its language
and in another. About 2 % of the supported claims of the half that was chosen on have less."""

_MARKER = re.compile(r"\s*[\[【](\d+(?:\s*[,，、]\s*\d+)*)[\]】]")
# "Passage [1] says …, [3] says …": without its marker, such a sentence tells nothing apart.
_NAMED_SOURCE = re.compile(
    r"((?:\b(?:passages?|documents?|sources?|(?:according|compared) to|than|as|in)\s"
    r"|段落|文档|来源|资料|根据|按照|与|和))[\[【](\d{1,4})[\]】]"
    r"|((?:\b(?:and|but|while|whereas)\s|[而但]|[,;:，；：]\s?|^))[\[【](\d{1,4})[\]】]"
    r"(?=\s?(?:(?:says?|said|states?|gives?|puts?|has|names?|mentions?|is)\b|[说写为是则规指\d]))",
    re.IGNORECASE,
)
_PLACE = re.compile("\ue000(\\d{1,4})\ue001")
_OF_SOURCES = re.compile(
    r"\b(?:(?:the|an?|its?) )?(?:passages?|documents?|sources?|pages?|texts?|handbooks?"
    r"|polic(?:y|ies)|according to|compared to|says?|said|states?|gives?|puts?|has|have|names?"
    r"|mentions?|is|are|(?:conflict|contradict|disagree|differ|inconsisten)\w*|each other"
    r"|the other|another|one|newer|older|latest|here|while|whereas|however|but|note that)\b"
    r"|段落|文档|文件|来源|资料|[两一另]一?[处份个]|互相|相互|矛盾|冲突|不一致|不一|说法|根据|按照"
    r"|写着?的?是?|说的?是?|规定|指出|[为是则而但或和与]",
    re.IGNORECASE,
)
"""What sentences about sources that contradict each other say besides what stands in them."""

_OF_QUESTION = re.compile(
    r"^(?:the|this|your) (?:question|query)\s(?:asks?|is (?:asking|about)|refers|concerns|seeks)\b"
    r"|^(?:the|this) user\s(?:asks?|asked|is asking)\b"
    r"|^(?:这个?|该|您的|你的)?(?:问题|提问)(?:问的?|询问|是关于|涉及|想知道)|^用户(?:问|询问|想知道)",
    re.IGNORECASE,
)
"""How a sentence begins that says the question again."""

_MARKERS_FIRST = re.compile(rf"(?:{_MARKER.pattern})*")
# "Based on the passages, …": true of every sentence that is said, so nobody needs to read it.
_PREAMBLE = re.compile(
    r"^(?:based on|according to|as (?:stated|mentioned) in) (?:the |this )?(?:information in the |"
    r"information provided in the |provided |given )?(?:passages?|documents?|text|information|"
    r"context)(?: provided| above| \d+)?\s*,\s*"
    r"|^(?:根据|按照|依据)(?:以上|上述|所给|提供的|给出的)?(?:段落|原文|文档|文件|信息|资料|内容)+\d*"
    r"(?:的内容|的信息|中的信息|内容|所述)?[，,]\s*"
    r"|^(?:the|this) (?:passages?|documents?|text|information|context)(?: provided| above| \d+)? "
    r"(?:states?|says?|mentions?|indicates?|specif(?:y|ies)|notes?|explains?) that,?\s+"
    r"|^(?:段落|原文|文档|文中|资料)中?(?:提到|指出|说明|写道|表明)[，,：:]\s*",
    re.IGNORECASE,
)
_STOP = re.compile(r"[.!?。！？][\"'”’)）」』*]*\s*\Z")
_CJK_END = re.compile(f"[{CJK}。！？；：，、）」』”]\\Z")
_WINDOW_SENTENCES = 2


@dataclass(frozen=True, slots=True)
class Window:
    """One sentence of a passage, or several neighbouring ones, and the terms in and above it."""

    passage: Passage
    quote: str
    terms: frozenset[str]
    terms_above: frozenset[str]


def windows(passage: Passage, *, sentences: int = _WINDOW_SENTENCES) -> list[Window]:
    """Every run of 1 to `sentences` sentences of a passage; shorter runs come first.

    Title and headings stand above each window; they are not quoted.
    """
    spans = sentence_spans(passage.text)
    above = " ".join((passage.source.title, *passage.headings))
    terms_above = frozenset(terms(above))
    quotes = [
        passage.text[spans[i][0] : spans[i + size - 1][1]]
        for size in range(1, sentences + 1)
        for i in range(len(spans) - size + 1)
    ]
    return [
        Window(
            passage,
            quote,
            terms=frozenset(terms(quote)),
            terms_above=terms_above,
        )
        for quote in quotes
    ]


@dataclass(frozen=True, slots=True)
class FoundSupport:
    """How well passages together support a sentence, and the window of each that says most."""

    support: float
    windows: tuple[Window, ...]


class Citer:
    """Takes an answer sentence by sentence, and keeps what the passages support.

    Support is what `Grounds` finds in one passage, or in the few that say the parts of a sentence.
    An embedder, if it is one of `NEAR`, tells sentences about other things; a reader's probability
    counts as much as the words. Passages that the answer marks are looked at first.
    """

    def __init__(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        embedder: Embedder | None = None,
        reader: SupportReader | None = None,
    ) -> None:
        self._question = question
        self._asked = frozenset(terms(question))
        # A passage without text says nothing.
        self._passages = passages = [passage for passage in passages if passage.text.strip()]
        self._grounds = [Grounds(question, [passage]) for passage in passages]
        self._windows = [windows(passage) for passage in passages]
        self._near = NEAR.get(base_of(embedder.id).partition("@")[0]) if embedder else None
        self._embedder = embedder.unmoved() if embedder and self._near else None
        self._vectors: Vectors | None = None
        self._reader = reader
        self._cited: dict[str, tuple[Window, float]] = {}
        self._said: set[str] = set()
        # A model that copies its prompt copies what stands above each passage, too.
        self._headings = {
            passage.indexed_text.split("\n")[0]
            for passage in passages
            if passage.source.title or passage.headings
        }

    @property
    def citations(self) -> tuple[Citation, ...]:
        """One citation a passage, numbered in the order of first use."""
        return tuple(
            Citation(number, window.passage, window.quote, round(support, 3))
            for number, (window, support) in enumerate(self._cited.values(), start=1)
        )

    def add(self, sentence: str) -> str | None:
        """The sentence with its citations' numbers, or None if it should not be said.

        Unsupported and repeated sentences are not said, nor headings, nor the question again, nor
        what would need more than `MAX_CITATIONS` passages. Markers that the model wrote itself are
        replaced by checked ones, and openings such as "Based on the passage," are removed.
        """
        placed = _NAMED_SOURCE.sub(_placed, sentence)
        text = _capitalise(_without_preamble(placed))
        if not text or text in self._said or self._is_heading(text) or _OF_QUESTION.match(text):
            return None
        found = self._find(_PLACE.sub("", text), _marked(placed, len(self._passages)))
        keys = [window.passage.id for window in found.windows]
        if found.support < SUPPORT_THRESHOLD or len({*self._cited, *keys}) > MAX_CITATIONS:
            return None
        self._said.add(text)
        for key, window in zip(keys, found.windows, strict=True):
            if key not in self._cited or found.support > self._cited[key][1]:
                self._cited[key] = (window, found.support)
        gap = "" if _CJK_END.search(text) else " "
        cited = [*self._cited]
        numbers = {key: f"[{cited.index(key) + 1}]" for key in keys}
        # One that names another passage than those that say it is mistaken.
        ids = ["", *(passage.id for passage in self._passages)]
        text = _PLACE.sub(
            lambda place: numbers.get("".join(ids[int(place[1]) :][:1]), numbers[keys[0]]), text
        )
        return f"{text}{gap}{''.join(numbers.values())}"

    def _is_heading(self, text: str) -> bool:
        """Whether a text is what stands above a passage, or the end of it with a step or more."""
        bare = text.rstrip(".。")
        return text in self._headings or (
            " > " in bare and any(heading.endswith(bare) for heading in self._headings)
        )

    def support(self, sentence: str) -> float:
        """How well the passages support a sentence, 0 to 1."""
        return self._find(_MARKER.sub("", sentence), _marked(sentence, len(self._passages))).support

    def _find(self, sentence: str, marked: Sequence[int]) -> FoundSupport:
        if not self._passages:
            return FoundSupport(0.0, ())
        said = Clause(sentence)
        cosines = self._cosines(said)
        scores = [
            grounds.support(sentence, is_near=self._is_near(grounds, said, cosines[n]))
            for n, grounds in enumerate(self._grounds)
        ]
        if marked:
            # Nearness alone, across languages, says too little to overrule a marker.
            foreign = {
                n for n, found in enumerate(self._grounds) if found.known_share(said) is None
            }
            scores = [0.0 if n in foreign - {*marked} else s for n, s in enumerate(scores)]
        likest = [self._likest(said, n, cosines[n]) for n in range(len(scores))]
        supported = [n for n, score in enumerate(scores) if score >= SUPPORT_THRESHOLD]
        among = [n for n in marked if n in supported] or supported or range(len(scores))
        best = max(among, key=lambda n: likest[n][1])
        chosen, support = [best], scores[best]
        if len(parts := self._parts(said, marked)) > 1:
            joined = self._joined(sentence, parts, is_marked=len(marked) > 1)
            if joined >= max(SUPPORT_THRESHOLD, support + _JOINED_GAIN):
                chosen, support = parts, joined
        if self._reader is not None:
            read = self._reader.support(sentence, [self._passages[n] for n in chosen])
            support = (support + read) / 2
        return FoundSupport(support, tuple(likest[n][0] for n in chosen))

    def _joined(self, sentence: str, parts: Sequence[int], *, is_marked: bool) -> float:
        """How well passages together support a sentence, which may tell that they differ."""
        grounds = Grounds(self._question, [self._passages[n] for n in parts])
        support = grounds.support(sentence)
        bare = _OF_SOURCES.sub(" ", sentence)
        numbers = Clause(bare).claimed_numbers
        own = [{n for n in numbers if self._grounds[p].states(n)} for p in parts]
        # Each of them has a number that the others have not.
        are_at_odds = is_marked and all(
            mine.difference(*own[:i], *own[i + 1 :]) for i, mine in enumerate(own)
        )
        if not are_at_odds or not all(map(grounds.states, numbers)):
            return support
        rest = bare.lower()
        for number in numbers:
            rest = rest.replace(number.written, " ")
        return max(support, grounds.support(bare) if terms(rest) else 1.0)

    def _parts(self, said: Clause, marked: Sequence[int]) -> list[int]:
        """The passages that say the parts of a sentence: those it marks, or each part's likest."""
        if len(marked) > 1:
            return [*marked[:MOST_TOGETHER]]
        likest = [
            max(range(len(self._passages)), key=lambda n: self._likest(clause, n)[1])
            for clause in clauses(said.text)
        ]
        return [*dict.fromkeys(likest)][:MOST_TOGETHER]

    def _likest(
        self, said: Clause, n: int, cosines: Sequence[float] | None = None
    ) -> tuple[Window, float]:
        """The window of a passage that says most of a sentence, and how much, for comparing."""
        wanted = frozenset(terms(said.text))
        # What the question did not say already is what the answer adds.
        added = wanted - self._asked or wanted
        some = self._windows[n]
        likeness = cosines or [
            _share(wanted, window.terms | window.terms_above) + _share(added, window.terms)
            for window in some
        ]
        i = max(range(len(some)), key=likeness.__getitem__)
        return some[i], likeness[i]

    def _is_near(
        self, grounds: Grounds, said: Clause, cosines: Sequence[float] | None
    ) -> bool | None:
        if cosines is None or self._near is None:
            return None
        return max(cosines) >= self._near[grounds.known_share(said) is None]

    def _cosines(self, said: Clause) -> list[Sequence[float] | None]:
        """Of each passage the cosines of its windows, where words do not suffice to judge by."""
        unknown: list[Sequence[float] | None] = [None] * len(self._passages)
        shares = [grounds.known_share(said) for grounds in self._grounds]
        if self._embedder is None or any(s is not None and s >= MANY_KNOWN for s in shares):
            return unknown
        if self._vectors is None:
            quotes = [window.quote for some in self._windows for window in some]
            self._vectors = self._embedder.embed_passages(quotes)
        cosines = iter((self._vectors @ self._embedder.embed_query(said.text).T).ravel().tolist())
        return [[*islice(cosines, len(some))] or None for some in self._windows]


def _placed(match: re.Match[str]) -> str:
    return f"{match[1] or match[3] or ''}\ue000{match[2] or match[4]}\ue001"


def _share(wanted: frozenset[str], found: frozenset[str]) -> float:
    return len(wanted & found) / max(1, len(wanted))


def _marked(sentence: str, count: int) -> list[int]:
    """The places of the passages, of so many, that a sentence's markers name.

    Those in front of it belong to the sentence before.
    """
    own = _PLACE.sub(r"[\1]", _MARKERS_FIRST.sub("", sentence, count=1))
    named = [int(n) - 1 for marker in _MARKER.findall(own) for n in re.findall(r"\d{1,4}", marker)]
    return [n for n in dict.fromkeys(named) if 0 <= n < count]


def _without_preamble(sentence: str) -> str:
    """A sentence without markers and an opening such as "Based on the passage,"."""
    return _PREAMBLE.sub("", _MARKER.sub("", sentence).strip())


def _capitalise(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


class CheckedStream:
    """Joins the pieces that a generator writes into sentences, and lets checked ones through.

    With so many sentences, `most` if any, it is full; items of lists are not counted. A sentence
    that is not `accepted` is not looked up at all.
    """

    def __init__(
        self,
        citer: Citer,
        *,
        most: int | None = None,
        accepted: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.citer = citer
        self._accepted = accepted
        self._pending = ""
        self._left = most
        self.text = ""

    @property
    def is_full(self) -> bool:
        """Whether nothing more is let through."""
        return self._left == 0

    def feed(self, piece: str) -> str:
        """What may be shown now: the sentences that this piece completed and that are supported."""
        self._pending += piece
        spans = sentence_spans(self._pending)
        # The last sentence may still be growing.
        return self._take(spans[:-1])

    def close(self) -> str:
        """What the end of the text completes."""
        return self._take(sentence_spans(self._pending))

    def _take(self, spans: Sequence[tuple[int, int]]) -> str:
        shown = ""
        done = 0
        for start, end in spans:
            gap = self._pending[done:start]
            done = end
            sentence = self._pending[start:end]
            is_looked_up = not self.is_full and self._accepted(_without_preamble(sentence))
            checked = self.citer.add(sentence) if is_looked_up else None
            if checked is not None:
                if self._left is not None and _STOP.search(_MARKER.sub("", sentence)):
                    self._left -= 1
                shown += _separator(gap, after=self.text + shown) + checked
        self._pending = self._pending[done:]
        self.text += shown
        return shown


def _separator(gap: str, *, after: str) -> str:
    if not after:
        return ""
    return "\n" * min(2, gap.count("\n")) or (
        "" if _CJK_END.search(_MARKER.sub("", after)) else " "
    )
