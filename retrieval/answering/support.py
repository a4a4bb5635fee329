"""Whether passages support a sentence: its numbers, names, denials and words, each looked up.

A number, a name or a denial that the passages do not have makes support 0, and so do other things
than theirs. What is left loses a part for each doubt. Words of two languages cannot be compared:
there numbers, names in Latin letters and, with an embedder, cosines decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from retrieval.answering.quantities import Quantity, quantities
from retrieval.language import language_of, sentence_spans
from retrieval.records import Passage
from retrieval.search.lexical import terms

SUPPORT_THRESHOLD = 0.6
"""A sentence with less support than this is not said."""

_CLAUSE_END = re.compile(r"[,;:](?=\s)|[，；：。！？、\n]|(?<=[.!?])\s|\s(?:and|but|or|while)\s")
_NAME = re.compile(r"[\w.+-]+@[\w.-]+\w|\w(?:[\w+#]|[./\\-](?=\w))*", re.ASCII)
_CODE = re.compile(r"[@_/\\\d]|[a-z][A-Z]|\w\.\w|[A-Z]{2}")
_REPLY = re.compile(
    r"^(?:no|yes|不(?:能|可以|行|用|需要|会|是)?|否|没有)[,，.。]\s*", re.IGNORECASE
)
_DENIAL = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|cannot|without|unless|except|instead"
    r"|un(?!der|i|til)[a-z]{4,}|[a-z]+less|fail\w*|lack\w*|refus\w+|forbid\w*|prohibit\w*)\b|n't\b"
    r"|[不没无未非别勿否]|禁止",
    re.IGNORECASE,
)
_TURNS = [
    re.compile(words, re.IGNORECASE)
    for words in (
        (
            r"\b(?:all|always|every\w*|any|anyone|only|both|must|entirely)\b"
            r"|所有|全部|任何|一律|只有|仅|必须|总是"
        ),
        r"\b(?:because|since|so that|due to|therefore)\b|因为|由于|为了|因此",
    )
]
"""How far something holds, and why."""

_DOUBTED = 0.8
"""What a turn that the passages do not take leaves of support."""

_UNWORDED = 0.75
"""What is left of support if the passages have none of the words."""

MANY_KNOWN = 0.6
"""With this share of its words in the passages, a sentence is about what they say."""

_FEW_KNOWN = 0.2
"""With less it is about other things, unless an embedder finds it near."""

_ADDED = 0.4
"""With no larger share of words of its own, a sentence says the question's again: the passages
must know most of it, and something of what it adds."""

_SWAPPED = 0.3
"""So much more of a number's clause stands beside another number: it belongs to something else."""

_COPIED, _WHOLLY_COPIED = 0.65, 0.9
"""A clause with this share of its words in one clause of a passage was taken from there."""

_MULTIPLE = re.compile(r"\b(?:twice|double|triple|times|half)\b|倍|±", re.IGNORECASE)
_SUM = re.compile(r"\b(?:total|together|altogether|in all|sum)\b|共|合计|总", re.IGNORECASE)
_OPERANDS = 24
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\s?(?:to|[-–—~至到])\s?(\d+(?:\.\d+)?)")


class SupportReader(Protocol):
    """Says from 0 to 1 how likely it is that passages, read as a whole, support a sentence."""

    def support(self, sentence: str, passages: Sequence[Passage]) -> float:
        """The probability; passages are cut where the reader cannot take them whole."""


@dataclass(frozen=True)
class Clause:
    """A piece of text that says one thing."""

    text: str

    @cached_property
    def words(self) -> frozenset[str]:
        """Its terms without digits."""
        return frozenset(term for term in terms(self.text) if not term[0].isdigit())

    @cached_property
    def numbers(self) -> tuple[Quantity, ...]:
        """Its numbers in order."""
        return tuple(quantities(self.text))

    @cached_property
    def claimed_numbers(self) -> list[Quantity]:
        """Those that must stand elsewhere: "a day" says no number."""
        return [n for n in self.numbers if n.value != 1 or not n.written[0].isalpha() or n.is_share]

    def states(self, number: Quantity) -> bool:
        """Whether it has this number, in whatever unit or script."""
        return any(number.is_said_by(other) for other in self.numbers)

    def share_of(self, words: frozenset[str]) -> float:
        """The share of words that it has."""
        return len(words & self.words) / len(words) if words else 0.0


def clauses(text: str) -> list[Clause]:
    """The clauses of a text; an item of a list and a row of a table are some, too."""
    return [Clause(piece) for piece in _CLAUSE_END.split(text) if piece.strip()]


class Grounds:
    """What a sentence may rest on: passages, what stands above them, and the question."""

    def __init__(self, question: str, passages: Sequence[Passage]) -> None:
        texts = [passage.text for passage in passages]
        above = [part for passage in passages for part in (passage.source.title, *passage.headings)]
        self._texts = Clause("\n".join(texts))
        self._here = Clause("\n".join([*texts, *above]))
        self._lower = self._here.text.lower()
        self._asked = Clause(question)
        self._stems = {word[:5] for word in self._here.words if len(word) > 4}
        self._language = language_of(self._texts.text)
        self._clauses = [clause for text in texts for clause in clauses(text)]
        self._sentences = [Clause(t[start:end]) for t in texts for start, end in sentence_spans(t)]

    def support(self, sentence: str, *, is_near: bool | None = None) -> float:
        """How well the passages support a sentence, 0 to 1.

        `is_near` says whether an embedder finds the sentence near the passages, if one was asked.
        """
        said = Clause(_REPLY.sub("", sentence))
        known = self.known_share(said)
        if self._is_about_other_things(said, known, is_near) or self._contradicts(said):
            return 0.0
        support = _UNWORDED + (1 - _UNWORDED) * (0.5 if known is None else known)
        for turn in _TURNS:
            if {*turn.findall(said.text.lower())} - {*turn.findall(self._lower)}:
                support *= _DOUBTED
        return support

    def known_share(self, said: Clause) -> float | None:
        """The share of a sentence's words that stand here; None across languages."""
        if language_of(said.text) != self._language:
            return None
        known = sum(self._knows(word) for word in said.words)
        return known / len(said.words) if said.words else 1.0

    def _knows(self, word: str) -> bool:
        return word in self._here.words or (len(word) > 4 and word[:5] in self._stems)

    def _is_about_other_things(
        self, said: Clause, known: float | None, is_near: bool | None
    ) -> bool:
        if not terms(said.text):
            return True
        if known is None:
            return is_near is False
        added = said.words - self._asked.words
        is_echo = len(added) <= _ADDED * len(said.words)
        is_empty = len(added) > 1 and not any(map(self._knows, added))
        if is_echo and (is_empty or known < MANY_KNOWN):
            return True
        # What stands above a passage is no answer.
        if not said.words & self._texts.words and not any(map(self._texts.states, said.numbers)):
            return not is_near
        return known < _FEW_KNOWN if is_near is None else known < MANY_KNOWN and not is_near

    def _contradicts(self, said: Clause) -> bool:
        return (
            (bool(_DENIAL.search(said.text)) and not _DENIAL.search(self._lower))
            or not all(map(self._has_name, _names(said.text)))
            or self._reorders_numbers(said)
            or any(
                self._is_wrong(number, clause, said)
                for clause in clauses(said.text)
                for number in clause.claimed_numbers
            )
        )

    def _has_name(self, name: str) -> bool:
        if name.lower() in self._lower:
            return True
        if _CODE.search(name):
            return "@" not in name and all(map(self._knows, terms(name)))
        # Another language may write names in other letters.
        return self._language != "en" or any(map(self._knows, terms(name)))

    def _is_wrong(self, number: Quantity, clause: Clause, said: Clause) -> bool:
        """Whether a number stands nowhere, or belongs to something else than what it is said of."""
        if _SUM.search(said.text) and self._follows(number, said):
            return False
        here, rival = self._beside(number, clause, self._clauses)
        around, other = self._beside(number, said, self._sentences)
        if not self._here.states(number):
            # "Two ways" may be counted where the passages list them.
            is_count = not number.unit and not number.written[0].isdigit() and number.value <= 10
            is_asked = self._asked.states(number)
            if not (is_count or is_asked or self._follows(number, said)):
                return True
            return max(rival, other) >= (_SWAPPED if is_count else _COPIED)
        return max(rival - here, other - around) > _SWAPPED

    def _beside(
        self, number: Quantity, said: Clause, among: Sequence[Clause]
    ) -> tuple[float, float]:
        """The largest share of words beside this number, and beside one it may be mistaken for."""
        here = rival = 0.0
        for clause in among:
            like = [other for other in clause.numbers if number.is_like(other)]
            if clause.states(number):
                here = max(here, clause.share_of(said.words))
            elif like and not any(map(said.states, like)):
                rival = max(rival, clause.share_of(said.words))
        return here, rival

    def _reorders_numbers(self, said: Clause) -> bool:
        """Whether a sentence was copied, but for the order of its numbers or one of them."""
        copied = [
            known for known in self._sentences if known.share_of(said.words) >= _WHOLLY_COPIED
        ]
        return bool(copied) and not any(_in_order(said.claimed_numbers, known) for known in copied)

    def _follows(self, number: Quantity, said: Clause) -> bool:
        """Whether a number lies in a range here, or words say that it is a sum of those here."""
        ranges = _RANGE.findall(self._texts.text)
        if any(float(low) < number.value < float(high) for low, high in ranges):
            return True
        values = {number.value for number in (*self._texts.numbers[:_OPERANDS], *said.numbers)}
        values.discard(number.value)
        results: set[float] = set()
        if _MULTIPLE.search(self._lower):
            results |= {r for a in values for b in values for r in (a * b, a + b, a - b)}
        if _SUM.search(said.text):
            results |= {a + b for a in values for b in values if a != b}
        return any(abs(number.value - result) < 1e-6 for result in results)


def _in_order(numbers: Sequence[Quantity], source: Clause) -> bool:
    """Whether numbers stand in a text in this order, others among them."""
    rest = iter(source.numbers)
    return all(any(number.is_said_by(other) for other in rest) for number in numbers)


def _names(sentence: str) -> Iterator[str]:
    """Names and codes in Latin letters; in English a capital makes a name of a later word."""
    is_foreign = language_of(sentence) != "en"
    for match in _NAME.finditer(sentence):
        name, before = match.group(), sentence[: match.start()].rstrip("\"'“‘( ")
        if name == "I" or not any(character.isalpha() for character in name):
            continue
        is_later = before != "" and before[-1] not in ".!?:"
        if is_foreign or _CODE.search(name) or (name[0].isupper() and is_later):
            yield name
