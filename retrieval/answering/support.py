"""Whether passages support a sentence: its numbers, names, denials and words, each looked up.

A number, a name or a denial that the passages do not have makes support 0, and so do other things
than theirs. What is left loses a part for each doubt. Words of two languages cannot be compared:
there numbers, names in Latin letters and, with an embedder, cosines decide.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from retrieval.answering.quantities import (
    MONTHS,
    NUMBER_WORDS,
    Quantity,
    dates,
    factors,
    quantities,
    ranges,
)
from retrieval.documents.tables import heads_of
from retrieval.language import language_of, sentence_spans
from retrieval.records import Passage
from retrieval.search.lexical import terms

SUPPORT_THRESHOLD = 0.6
"""A sentence with less support than this is not said."""

_NUMBER_TERMS = frozenset(terms(" ".join(NUMBER_WORDS | MONTHS)))
_CLAUSE_END = re.compile(
    r"[,;:](?=\s)|[，；：。！？、\n]|(?<=[.!?])\s"
    r"|(?<!hundred)(?<!thousand)\s(?:and(?! a (?:half|quarter)\b)"
    r"|or(?! (?:more|less|fewer|longer|older|over|above|younger)\b)|but|while)\s"
)
_SENTENCE_END = re.compile(r"[;；]")
_NAME = re.compile(r"[\w.+-]+@[\w.-]+\w|\w(?:[\w+#]|[./\\-](?=\w))*", re.ASCII)
_NUMBER = re.compile(
    r"\d[\d.,:]*(?:st|nd|rd|th|[ap]\.?m|mn?|bn|k|k?g|[kcm]m|min|h|[kmgt]b)", re.IGNORECASE
)
"""No name or code, but a number: 27th, 5pm, $5M."""

_HALF_OF_DAY = re.compile(r"\s[ap]\.?m\b\.?", re.IGNORECASE)

_CODE = re.compile(r"[@_/\\\d]|[a-z][A-Z]|\w\.\w|[A-Z]{2}")
_REPLY = re.compile(
    r"^(?:no|yes|不(?:能|可以|行|用|需要|会|是)?|否|没有)[,，.。]\s*", re.IGNORECASE
)
_DENIAL = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|cannot|without|unless|except|instead"
    r"|un(?!der|i|til)[a-z]{4,}|[a-z]+less|fail\w*|lack\w*|refus\w+|forbid\w*|prohibit\w*)\b|n['’]t\b"
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

_CLAUSE_WORDS = 2
"""A clause with fewer words says nothing by itself."""

_NAMED = 2
"""So many words a name counts for, where it is asked what a number is said of."""

MANY_KNOWN = 0.6
"""With this share of its words in the passages, a sentence is about what they say."""

_FEW_KNOWN = 0.2
"""With less it is about other things, unless an embedder finds it near."""

_HARDLY_KNOWN, _MANY_WORDS = 0.1, 8
"""With hardly one of many words in common, a sentence is never about what passages say."""

_ADDED = 0.4
"""With no larger share of words of its own, a sentence says the question's again: the passages
must know most of it, and something of what it adds."""

_SWAPPED = 0.3
"""So much more of a number's clause stands beside another number: it belongs to something else."""

_ELSEWHERE, _CLEARLY = 0.1, 0.2
"""So much more of a whole sentence stands beside another number, or clearly beside this one."""

_COPIED, _WHOLLY_COPIED = 0.65, 0.9
"""A clause with this share of its words in one clause of a passage was taken from there."""

_SUM = re.compile(r"\b(?:total|together|altogether|in all|sum)\b|共|合计|总", re.IGNORECASE)
_MORE = re.compile(
    r"^\W*(?:(?!or\b)\w+\W+){0,2}"
    r"(?:more|less|fewer|longer|shorter|earlier|later|left|extra|remain\w*)\b",
    re.IGNORECASE,
)
"""Stands behind a number that is a difference."""

_MORE_BY = re.compile(
    r"(?:\b(?:differen\w+|remain\w*|left|more|less) (?:of|by|is|are|with)\s"
    r"|(?:(?<![最至])[多少]|[剩差])\w{0,4})$",
    re.IGNORECASE,
)
"""Stands before one."""

_EACH = re.compile(r"\b(?:per|each|every|apiece)\b|[每/]", re.IGNORECASE)
_CASE = re.compile(
    r"(?:\b(?:if|when|once|after|with|whoever)\W+(?:\w+\W+){0,3}"
    r"|(?:如果|若|要是|当|工作|入职|满|出差)\w{0,6})$",
    re.IGNORECASE,
)
"""Stands before a number of the asker's case."""

_OPERANDS = 24
_MOST_NUMBERS = 24
"""Of a sentence with more, a whole table, it is only looked up whether they stand in the passages:
what each belongs to takes time by the square of them."""


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
        """Its terms without numbers."""
        found = terms(self.text)
        return frozenset(term for term in found if not term[0].isdigit()) - _NUMBER_TERMS

    @cached_property
    def numbers(self) -> tuple[Quantity, ...]:
        """Its numbers in order."""
        return tuple(quantities(self.text))

    @cached_property
    def claimed_numbers(self) -> list[Quantity]:
        """Those that must stand elsewhere: "a day" says no number."""
        return [
            n
            for n in self.numbers
            if n.value != 1 or not n.written[0].isalpha() or n.is_share or n.is_rate
        ]

    @cached_property
    def ranges(self) -> tuple[tuple[Quantity, Quantity], ...]:
        """Its ranges, each by its least and its most."""
        return tuple(ranges(self.text))

    def covers(self, number: Quantity) -> bool:
        """Whether it has this number, or a range that it lies in."""
        return self.states(number) or any(
            number.is_within(least, most) for least, most in self.ranges
        )

    def states(self, number: Quantity) -> bool:
        """Whether it has this number, in whatever unit or script."""
        return any(number.is_said_by(other) for other in self.numbers)

    def compares(self, number: Quantity) -> bool:
        """Whether words beside a number of it say that it is a difference."""
        before, _, behind = self.text.lower().partition(number.written)
        return bool(_MORE.match(behind) or _MORE_BY.search(before))

    @cached_property
    def marks(self) -> dict[str, int]:
        """Its words, and how much each tells of what is meant: names tell more."""
        named = {term for name in _names(self.text) for term in terms(name)}
        return {word: _NAMED if word in named else 1 for word in self.words}

    def share_of(self, said: Clause, *, beside: Quantity | None = None) -> float:
        """The share of another's words that it has, and of its numbers except one."""
        others = [n for n in said.claimed_numbers if beside is not None and n != beside]
        total = sum(said.marks.values()) + len(others)
        had = sum(weight for word, weight in said.marks.items() if word in self.words)
        return (had + sum(map(self.covers, others))) / total if total else 0.0


def clauses(text: str) -> list[Clause]:
    """The clauses of a text; an item of a list and a row of a table are some, too.

    One that has hardly a word, such as "In 2008", is a part of the next.
    """
    found: list[Clause] = []
    begun = 0
    for end in [*_CLAUSE_END.finditer(text), None]:
        clause = Clause(text[begun : end.start() if end else len(text)])
        if len(clause.words) >= _CLAUSE_WORDS or end is None or "\n" in end.group():
            if clause.text.strip():
                found.append(clause)
            begun = end.end() if end else 0
    return found


class Grounds:
    """What a sentence may rest on: passages, what stands above them, and the question."""

    def __init__(self, question: str, passages: Sequence[Passage]) -> None:
        texts = [passage.text for passage in passages]
        above = [part for passage in passages for part in (passage.source.title, *passage.headings)]
        self._texts = Clause("\n".join(texts))
        self._here = Clause("\n".join([*texts, *above]))
        self._lower = _without_accents(self._here.text).lower()
        self._asked = Clause(question)
        self._digits = {term for term in terms(self._here.text) if term[0].isdigit()}
        self._stems = {word[:5] for word in self._here.words if len(word) > 4}
        self._language = language_of(self._texts.text)
        self._sentences = [sentence for text in texts for sentence in _sentences(text)]
        self._clauses = [part for sentence in self._sentences for part in _parts(sentence)]

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

    def states(self, number: Quantity) -> bool:
        """Whether a number stands in the passages, in whatever unit or script."""
        return self._texts.states(number)

    def known_share(self, said: Clause) -> float | None:
        """The share of a sentence's words that stand here; None across languages."""
        if language_of(said.text) != self._language:
            return None
        known = sum(self._knows(word) for word in said.words)
        return known / len(said.words) if said.words else 1.0

    def _knows(self, word: str) -> bool:
        if word[0].isdigit():
            return word in self._digits
        return word in self._here.words or (len(word) > 4 and word[:5] in self._stems)

    def _is_about_other_things(
        self, said: Clause, known: float | None, is_near: bool | None
    ) -> bool:
        if not terms(said.text):
            return True
        if known is None:
            return is_near is False
        if known < _HARDLY_KNOWN and len(said.words) >= _MANY_WORDS:
            return True
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
            or self._misdates(said)
            or self._has_wrong_numbers(said)
        )

    def _has_wrong_numbers(self, said: Clause) -> bool:
        if len(said.claimed_numbers) > _MOST_NUMBERS:
            return not all(map(self._here.states, said.claimed_numbers))
        return self._reorders_numbers(said) or any(
            self._is_wrong(number, clause, said)
            for clause in clauses(said.text)
            for number in clause.claimed_numbers
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
        if self._is_computed(number, said) or self._is_a_case(number, clause):
            return False
        if number.is_year and self._here.states(number) and not self._texts.states(number):
            return False  # it stands above all that the passages say
        around, other = _beside(number, said, self._sentences)
        here, rival = _beside(number, clause, self._clauses)
        if not self._here.states(number):
            # "Two ways" may be counted where the passages list them.
            is_count = number.is_rate or not number.unit
            is_count = is_count and not number.written[0].isdigit() and number.value <= 10
            is_asked = self._asked.states(number)
            if not (is_count or is_asked or self._follows(number, said)):
                return True
            return max(rival, other) >= (_SWAPPED if is_count else _COPIED)
        # Of words in another language, too few are known to tell sentences apart.
        if other - around > _ELSEWHERE and language_of(said.text) == self._language:
            return True
        if rival - here > _SWAPPED and around - other < _CLEARLY:
            return True
        # Within the sentences that have it, it may stand beside something else.
        having = [sentence for sentence in self._sentences if sentence.states(number)]
        inside = [_beside(number, clause, _parts(sentence)) for sentence in having]
        return bool(inside) and all(rival - here > _SWAPPED for here, rival in inside)

    def _reorders_numbers(self, said: Clause) -> bool:
        """Whether a sentence was copied, but for the order of its numbers or one of them."""
        copied = [
            known
            for known in self._sentences
            if "|" not in known.text and known.share_of(said) >= _WHOLLY_COPIED
        ]
        dated = {value for date in dates(said.text) for _, value in date}  # looked at by themselves
        taken = [
            number
            for number in said.claimed_numbers
            if number.value not in dated and not self._is_computed(number, said)
        ]
        return bool(copied) and not any(_in_order(taken, known) for known in copied)

    def _is_a_case(self, number: Quantity, clause: Clause) -> bool:
        """Whether a number is the asker's, and a range here is about such numbers."""
        before = clause.text.lower().partition(number.written)[0]
        return bool(_CASE.search(before)) and any(
            number.unit == most.unit
            and number.is_within(least, most)
            and (number.unit or number.counted in (least.counted, most.counted))
            for least, most in self._here.ranges
        )

    def _misdates(self, said: Clause) -> bool:
        """Whether a date is said that is not here, where there are others as exact as it is."""
        here = [*dates(self._here.text), *dates(self._asked.text)]
        return any(
            not any(date <= known for known in here)
            and any(dict(date).keys() <= dict(known).keys() for known in here)
            for date in dates(said.text)
        )

    def _is_computed(self, number: Quantity, said: Clause) -> bool:
        """Whether a number is a sum, a difference or a product, and words say that it is one."""
        here = [known for known in self._texts.numbers[:_OPERANDS] if number.is_like(known)]
        asked = [*(n for n in said.claimed_numbers if n != number), *self._asked.claimed_numbers]
        asked = asked[:_OPERANDS]
        values = {q.value: q for q in (*here, *filter(number.is_like, asked))}.values()
        pairs = [(a, b) for a, b in itertools.permutations(values, 2) if not {a, b} & {number}]
        results: list[Quantity] = []
        if _SUM.search(said.text):
            results += [_valued(a, a.value + b.value) for a, b in pairs]
        if self._here.states(number):
            return any(map(number.is_said_by, results))
        if said.compares(number):
            results += [_valued(a, a.value - b.value) for a, b in pairs if a.value > b.value]
        results += [_valued(a, a.value * b.value) for a in here for b in filter(self._rates, asked)]
        return any(map(number.is_said_by, results))

    def _rates(self, number: Quantity) -> bool:
        """Whether something here holds for each of what a number counts."""
        if not number.unit:
            return bool(_EACH.search(self._lower))
        return any(known.value == 1 and known.unit == number.unit for known in self._texts.numbers)

    def _follows(self, number: Quantity, said: Clause) -> bool:
        """Whether a number is the end of a range here, or a multiple that words here name."""
        ends = [end for pair in self._texts.ranges for end in pair if 0 < end.value < math.inf]
        bases = [
            *(known for known in self._texts.numbers[:_OPERANDS] if number.is_like(known)),
            *(other for other in said.claimed_numbers[:_OPERANDS] if other != number),
            *self._asked.claimed_numbers[:_OPERANDS],
        ]
        multiples = [
            _valued(base, base.value * factor)
            for factor in factors(self._texts.text)
            for base in bases
        ]
        return any(map(number.is_said_by, [*ends, *multiples]))


def _valued(quantity: Quantity, value: float) -> Quantity:
    return replace(quantity, value=value)


def _sentences(text: str) -> list[Clause]:
    """The sentences of a text; a row of a table with its head, and what a semicolon ends, too."""
    heads = heads_of(text)
    return [
        Clause(f"{heads.get(part, '')} {part}")
        for start, end in sentence_spans(text)
        for part in _SENTENCE_END.split(text[start:end])
    ]


def _parts(sentence: Clause) -> list[Clause]:
    """The clauses of a sentence; a row of a table is one."""
    return [sentence] if sentence.text.lstrip().startswith("|") else clauses(sentence.text)


def _beside(number: Quantity, said: Clause, among: Sequence[Clause]) -> tuple[float, float]:
    """The largest share of words beside this number, and beside one it may be mistaken for."""
    here = rival = 0.0
    for clause in among:
        is_row = "|" in clause.text  # where units stand in heads
        like = [n for n in clause.claimed_numbers if number.is_like(n) or (is_row and not n.unit)]
        if clause.states(number):
            here = max(here, clause.share_of(said, beside=number))
        elif like and not any(map(said.states, like)):
            rival = max(rival, clause.share_of(said, beside=number))
    return here, rival


def _in_order(numbers: Sequence[Quantity], source: Clause) -> bool:
    """Whether numbers stand in a text in this order, others among them."""
    rest = iter(source.numbers)
    return all(any(number.is_said_by(other) for other in rest) for number in numbers)


def _without_accents(text: str) -> str:
    letters = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", re.sub(r"[\u0300-\u036f]", "", letters))


def _names(sentence: str) -> Iterator[str]:
    """Names and codes in Latin letters; in English a capital makes a name of a later word."""
    is_foreign = language_of(sentence) != "en"
    sentence = _HALF_OF_DAY.sub("", _without_accents(sentence))
    for match in _NAME.finditer(sentence):
        name, before = match.group(), sentence[: match.start()].rstrip("\"'“‘( ")
        if name == "I" or not any(character.isalpha() for character in name):
            continue
        if name.lower() in NUMBER_WORDS or _NUMBER.fullmatch(name):
            continue
        is_later = before != "" and before[-1] not in ".!?:"
        if is_foreign or _CODE.search(name) or (name[0].isupper() and is_later):
            yield name
