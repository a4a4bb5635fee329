"""Writes a question as people do in a hurry: mistyped, without marks, reworded, in two languages.

Numbers, names and what is negated stay as they are, so that what answers a question answers its
noisy twin, too. All randomness is the caller's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from retrieval.jsonl import read_lines
from retrieval.search.lexical import STOP_WORDS
from retrieval.search.spelling import BY_SOUND, PLACE_BY_SOUND

TERMS = Path(__file__).with_name("terms.tsv")
"""Words of offices, in English and, after a tab, in Chinese."""

SHORT = 3
"""Words of so many letters are hard to tell apart once they are mistyped."""

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_HAN = "\u4e00-\u9fff"
_WORD = re.compile(rf"[^\W\d_{_HAN}]+(?:['’][^\W\d_{_HAN}]+)*|[{_HAN}]")
_MARKS = re.compile(rf"[.,:](?=\s|$|[{_HAN}])|[!?;\"'`“”‘’…，。？！；：、（）()《》]")
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*|[零一二三四五六七八九十百千万亿两半]")
_SENTENCE_BEGINS = re.compile(r"(?:^|[.?!。？！])[\s\"'“(]*$")
_NEGATIONS = frozenset(
    _WORD.findall(
        "no not never none nobody nothing neither nor without except unless cannot cant dont doesnt"
        " didnt isnt arent wasnt werent wont wouldnt couldnt shouldnt mustnt hasnt havent hadnt"
        " 不 没 未 无 非 勿 别 莫 除"
    )
)
_EITHER = re.compile(r"(\w)[不没]\1|可不可以")
"""Asks whether something is so, and negates nothing."""

_ADDRESS_BEFORE = re.compile(r"[\w@/.:-]", re.ASCII)
_ADDRESS = re.compile(r"[\w@/-]|[.:]\S", re.ASCII)
_SMALL_WORDS = re.compile("请问|[的了吗呢啊吧是]")
_SMALL = STOP_WORDS - _NEGATIONS
_TERM = rf"([A-Za-z][A-Za-z -]{{1,30}}|[{_HAN}]{{2,10}})"
_BILINGUAL = re.compile(rf"(?=.*[A-Za-z])(?=.*[{_HAN}])\s*{_TERM}\s*[/|（(-]\s*{_TERM}\s*[）)]?\s*")

_REWORDED = (
    (r"^how (?:do|can|should) (?:i|we|you)\b", "how to", "what is the way to", "steps to"),
    (r"^how to\b", "how do i", "what is the way to", "how can one"),
    (r"^(?:can|may) (?:i|we)\b", "am i allowed to", "is it possible to", "is it ok to"),
    (r"^(?:am i|are we) allowed to\b", "can i", "is it ok to", "may we"),
    (r"^(?:do|must) (?:i|we) (?:have|need) to\b", "is it required to", "must i", "should i"),
    (r"^what(?: is|'s|’s)\b", "whats", "tell me", "can you say what is"),
    (r"^where (?:do|can) (?:i|we)\b", "where to", "what is the place to", "wheres the place to"),
    (r"^who (?=is|can|has)", "which person ", "do you know who ", "whoever "),
    (r"^when\b", "at what time", "by when", "on which day"),
    (r"^why\b", "for what reason", "how come", "what is the reason why"),
    (r"什么时候", "何时", "啥时候", "几时"),
    (r"为什么", "为何", "为啥", "怎么会"),
    (r"怎么样|怎么|如何|怎样", "怎样", "咋", "如何", "怎么"),
    (r"能不能|可不可以|能否", "可否", "能否", "是否可以"),
    (r"哪里|哪儿", "什么地方", "哪里", "何处"),
    (r"多少", "多少个", "几"),
    (r"什么", "啥", "哪些"),
)
"""What is replaced, and by what: of the latter every second belongs to the same part."""

_POLITE = {
    "en": ("hi, quick question: {}?", "does anyone know, {}?", "{}? thanks!", "sorry, but {}?"),
    "zh": ("请问，{}？", "想问一下{}", "{}？谢谢", "大家好，{}？"),
}


@dataclass(frozen=True)
class Ways:
    """How much noise there is, and which half of all ways to say something is used.

    A `rate` of the words is mistyped or translated, one at least. Of wordings and terms every
    second is used, from `part` on, which is 0 or 1: what learned from one part is tried on the
    other. `terms` are words in small letters, and what they are in the other language.
    """

    rate: float = 0.15
    part: int = 0
    terms: Mapping[str, str] = field(default_factory=dict)

    def own(self, some: Sequence[str]) -> Sequence[str]:
        """This part's half of them; of one there is no half."""
        return some[self.part :: 2] or some

    def count(self, words: Sequence[object]) -> int:
        """How many of the words are changed."""
        return max(1, round(self.rate * len(words)))


Noise = Callable[[str, Ways, Random], str]
"""Gives a noisy text, or the same where there is nothing to change."""


def typos(text: str, ways: Ways, random: Random) -> str:
    """Some words with a letter beside the right one, dropped, doubled or swapped, or no space.

    Chinese characters give way to others that sound alike.
    """
    words = list(_WORD.finditer(text))
    some = [word for word in words if _may_err(word)]
    chosen = random.sample(some, min(len(some), ways.count(words)))
    return _with(text, [_mistyped(word, random) for word in chosen])


def careless(text: str, _: Ways, __: Random) -> str:
    """The text in small letters, without marks and accents."""
    bare = unicodedata.normalize("NFD", _MARKS.sub("", text).lower())
    return "".join(sign for sign in bare if not unicodedata.combining(sign)).strip()


def paraphrase(text: str, ways: Ways, random: Random) -> str:
    """The question asked in another way, or with something polite around it."""
    asked = text.strip().rstrip("?？。.!！ ")
    for pattern, *wordings in _REWORDED:
        if match := re.search(pattern, asked, re.IGNORECASE):
            others = [wording for wording in ways.own(wordings) if wording != match[0].lower()]
            if others:
                return asked[: match.start()] + random.choice(others) + asked[match.end() :]
    polite = _POLITE["zh" if re.search(f"[{_HAN}]", asked) else "en"]
    return random.choice(ways.own(polite)).format(asked)


def mixed(text: str, ways: Ways, random: Random) -> str:
    """Some terms in the other language, as people speak who work in both."""
    found: list[tuple[int, int, str]] = []
    for term in sorted(ways.own(sorted(ways.terms)), key=len, reverse=True):
        pattern = rf"\b{re.escape(term)}s?\b" if term.isascii() else re.escape(term)
        for match in re.finditer(pattern, text, re.IGNORECASE):
            if all(match.end() <= start or end <= match.start() for start, end, _ in found):
                found.append((*match.span(), ways.terms[term]))
    count = min(len(found), ways.count(_WORD.findall(text)))
    chosen = random.sample(found, count)
    apart = [(start, end, f" {term} " if term.isascii() else term) for start, end, term in chosen]
    return re.sub(" {2,}", " ", _with(text, apart)).strip()


def keywords(text: str, _: Ways, __: Random) -> str:
    """What a search field would be given: the words that say something, and no sentence."""
    kept = [word for word in _MARKS.sub("", text).split() if _plain(word) not in _SMALL]
    return _SMALL_WORDS.sub("", " ".join(kept)).strip()


def wide(text: str, _: Ways, __: Random) -> str:
    """Letters, digits and marks as wide as Chinese characters, from a keyboard for those."""
    return text.translate({0x20: 0x3000} | {code: code + 0xFEE0 for code in range(0x21, 0x7F)})


NOISES: Mapping[str, Noise] = {
    "typos": typos,
    "careless": careless,
    "paraphrase": paraphrase,
    "mixed": mixed,
    "keywords": keywords,
    "wide": wide,
}


def keeps_meaning(text: str, twin: str) -> bool:
    """Whether a twin has the numbers, names and negations of the text, and something is left."""
    said = _words(twin)
    return bool(said) and _facts(text) == _facts(twin) and _names(text).issubset(said)


def read_terms(headings: Iterable[str] = ()) -> dict[str, str]:
    """What words are in the other language: by our own list, and by headings in both.

    Such a heading is `请假 (Leave)` or `Leave / 请假`.
    """
    pairs: list[Sequence[str]] = [line.split("\t") for _, line in read_lines(TERMS)]
    pairs += [match.groups() for text in headings if (match := _BILINGUAL.fullmatch(text))]
    known: dict[str, str] = {}
    for first, second in pairs:
        known.setdefault(first.strip().lower(), second.strip())
        known.setdefault(second.strip().lower(), first.strip())
    return known


def _may_err(word: re.Match[str]) -> bool:
    """Whether a word is no negation or number, not short, and no part of an address or name."""
    said, text = _plain(word[0]), word.string
    if said in PLACE_BY_SOUND:
        return said not in _NEGATIONS and not _NUMBER.fullmatch(said)
    is_part = _ADDRESS_BEFORE.search(text[: word.start()][-1:]) or _ADDRESS.match(text, word.end())
    is_plain = said.isascii() and said not in _NEGATIONS and not _is_name(word)
    return len(said) > SHORT and is_plain and not is_part


def _mistyped(word: re.Match[str], random: Random) -> tuple[int, int, str]:
    """Where a word stands, up to the space behind it where that is left out, and what is there."""
    (start, end), said = word.span(), word[0]
    if said in PLACE_BY_SOUND:
        near = PLACE_BY_SOUND[said] + random.choice((-2, -1, 1, 2))
        return start, end, BY_SOUND[near % len(BY_SOUND)]
    at = random.randrange(1, len(said) - 1)
    before, letter, behind = said[:at], said[at], said[at + 1 :]
    wrong = (
        before + _beside(letter, random) + behind,
        before + behind,
        before + letter * 2 + behind,
        before + behind[0] + letter + behind[1:],
        said,
    )
    choice = random.choice(wrong)
    is_space_left_out = choice == said and word.string[end:][:1] == " "
    return start, end + is_space_left_out, choice


def _beside(letter: str, random: Random) -> str:
    """A letter beside this one on a keyboard."""
    for row, keys in enumerate(_KEYS):
        if (place := keys.find(letter)) >= 0:
            above = _KEYS[row - 1][place] if row else ""
            return random.choice([*filter(None, (keys[:place][-1:], keys[place + 1 :][:1], above))])
    return letter


def _with(text: str, changes: Iterable[tuple[int, int, str]]) -> str:
    """The text with other words at some places."""
    for start, end, word in sorted(changes, reverse=True):
        text = text[:start] + word + text[end:]
    return text


def _plain(word: str) -> str:
    return re.sub("['’]", "", word).casefold()


def _words(text: str) -> list[str]:
    return [_plain(word) for word in _WORD.findall(unicodedata.normalize("NFKC", text))]


def _is_name(word: re.Match[str]) -> bool:
    """Whether a word is written large, though no sentence begins with it."""
    is_large = word[0][0].isupper() and len(word[0]) > 1
    begins = _SENTENCE_BEGINS.search(word.string, 0, word.start())
    return is_large and (word[0].isupper() or not begins)


def _names(text: str) -> set[str]:
    return {
        unicodedata.normalize("NFKC", _plain(word[0]))
        for word in _WORD.finditer(text)
        if _is_name(word)
    }


def _facts(text: str) -> tuple[list[str], list[str]]:
    """The numbers and negations of a text, in order."""
    plain = _EITHER.sub("", unicodedata.normalize("NFKC", text))
    return _NUMBER.findall(plain), [word for word in _words(plain) if word in _NEGATIONS]
