"""Whether a text has what a question asks for, an amount or a time, and leaves which it is open."""

from __future__ import annotations

import re

from retrieval.answering.quantities import amounts, times
from retrieval.answering.questions import asks_for_amount, asks_for_time
from retrieval.answering.support import Clause, clauses
from retrieval.language import CJK, sentences
from retrieval.search.lexical import terms

_CJK_CHARACTER = re.compile(f"[{CJK}]")
_GRAMMAR = frozenset("的了是在为要和与及有会能可以需于从由被把将就也都其这那")
_LIGHT = frozenset(terms("get take give receive use need want must cost pay last be keep happen"))
_OF_EACH = re.compile(r"(?:an?|per|each|every)\b|每")


def tells(text: str, question: str) -> bool:
    """Whether a text has an amount or a time, if nothing else answers the question."""
    return bool(
        (amounts(text, question) or not asks_for_amount(question))
        and (times(text, question) or not asks_for_time(question))
    )


def retells(sentence: str, quote: str, question: str) -> bool:
    """Whether a sentence tells what is asked, and nothing but what a sentence of a quote tells.

    That one has its numbers, and its words but for such as "get": what another sentence has, or the
    question alone, would be something else that it is said of.
    """
    said = _words(sentence) - _LIGHT
    return tells(sentence, question) and any(
        said <= _words(known) and all(map(Clause(known).covers, Clause(sentence).numbers))
        for known in sentences(quote)
    )


def _words(text: str) -> set[str]:
    """The terms of a text without numbers, and its Chinese characters, but for those of grammar."""
    latin = {term for term in Clause(text).words if not _CJK_CHARACTER.match(term)}
    return latin | {*_CJK_CHARACTER.findall(text)} - _GRAMMAR


def leaves_choice(text: str, question: str) -> bool:
    """Whether it takes reading to say which amount or time of a text is the answer."""
    if asks_for_amount(question):
        return len([a for a in amounts(text, question) if not _OF_EACH.match(a)]) > 1
    timed = [part for part in clauses(text) if times(part.text, question)]
    return asks_for_time(question) and len(timed) > 1
