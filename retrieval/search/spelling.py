"""Mends typing errors in a query: words that nothing has, one error away from those of passages.

A word is mended only where it means nothing to either leg: no passage has it, and the embedder has
to read it in pieces. Only what passages say is put in its place. In Chinese an error is another
character of the same sound, as keyboards offer them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from string import ascii_lowercase

from retrieval.search.lexical import STOP_WORDS, stems

SHORTEST = 6
"""Shorter words have too many neighbours."""

_WORD = re.compile(r"(?<![\w@/.:#'’`-])[A-Za-z]+(?![\w@/#'’`(-]|[.:]\w)")
_CONTRACTED = re.compile(
    "(?:are|is|does|did|was|were|would|could|should|has|have|had|must)nt|(?:there|where|what)s"
)
"""What only lacks its apostrophe is not mistyped; of a negation it would be the contrary."""

# Keyboards for Chinese write these wide, too; other wide marks are Chinese itself.
_NARROW = {ord(wide): ord(wide) - 0xFEE0 for wide in "％＋－．／＝＠＿"} | {
    code: code - 0xFEE0
    for first, last in ("０９", "ＡＺ", "ａｚ")
    for code in range(ord(first), ord(last) + 1)
}

Pieces = Callable[[str], int]
"""In how many pieces the embedder reads a word."""

Frequencies = Callable[[Sequence[str]], Mapping[str, int]]
"""How many of the passages that may be seen have each of some terms; those of none are left out."""

ALIKE = 24
"""Among so many characters before and behind one, by sound, are those that sound like it."""

_HAN = re.compile("[\u4e00-\u9fff]{3,}")
"""Two characters alone tell too little of what was meant."""


def _by_sound() -> str:
    codes = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return b"".join(codes).decode("gb2312", errors="ignore")


BY_SOUND = _by_sound()
"""The 3,755 commonest Chinese characters by their pinyin: so GB 2312 orders its first level."""

PLACE_BY_SOUND: Mapping[str, int] = {sign: place for place, sign in enumerate(BY_SOUND)}


def mended(query: str, pieces: Pieces, frequencies: Frequencies) -> str:
    """The query with words one error away in the place of such as nothing has.

    An error is a letter too much, too few, a wrong one, or two that are swapped, behind the first
    letter; or a Chinese character in the place of one that sounds alike. Wide letters and digits
    become usual ones. Names, abbreviations, and parts of
    addresses or code stay. A word gives way to one that the embedder reads whole, with letters
    swapped or else of most passages.

    Args:
        query: In any language.
        pieces: How the embedder reads.
        frequencies: Looks terms up.
    """
    query = query.translate(_NARROW)
    doubtful = {
        match[0]
        for match in _WORD.finditer(query)
        if len(match[0]) >= SHORTEST
        and (match[0].islower() or (match[0].istitle() and match.start() == 0))
        and not _CONTRACTED.fullmatch(match[0].lower())
        and pieces(match[0]) > 1
    }
    looked_up = dict(zip(doubtful, stems([word.lower() for word in doubtful]), strict=True))
    known = frequencies([*looked_up.values()]) if doubtful else {}
    unknown = [word for word, stem in looked_up.items() if stem not in known]
    nearest = _nearest(unknown, pieces, frequencies) if unknown else {}
    latin = _WORD.sub(lambda match: nearest.get(match[0], match[0]), query)
    return _HAN.sub(lambda match: _mended_run(match[0], pieces, frequencies), latin)


def _mended_run(run: str, pieces: Pieces, frequencies: Frequencies) -> str:
    """Chinese characters, of which some give way to others that sound alike."""
    known = frequencies([*_pairs(run)])
    others: dict[int, list[str]] = {}
    for at, sign in enumerate(run):
        place = PLACE_BY_SOUND.get(sign)
        if place is not None and not any(pair in known for pair in _around(run, at, sign)):
            others[at] = [*BY_SOUND[max(0, place - ALIKE) : place + ALIKE + 1]]
    looked_up = {
        pair for at, signs in others.items() for sign in signs for pair in _around(run, at, sign)
    }
    found = frequencies(sorted(looked_up)) if looked_up else {}
    signs = [*run]
    for at, candidates in others.items():

        def passages(sign: str, at: int = at) -> int:
            return min(found.get(pair, 0) for pair in _around(run, at, sign))

        best = max(candidates, key=passages)
        before, after = (_around(run, at, sign) for sign in (run[at], best))
        if passages(best) and sum(map(pieces, after)) < sum(map(pieces, before)):
            signs[at] = best
    return "".join(signs)


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)]


def _around(run: str, at: int, sign: str) -> list[str]:
    """The pairs that a character would be in at a place of a run."""
    return _pairs(run[max(0, at - 1) : at] + sign + run[at + 1 : at + 2])


def _nearest(words: Sequence[str], pieces: Pieces, frequencies: Frequencies) -> dict[str, str]:
    """For each word the likeliest that is one error away, if there is any."""
    near = {word: [*dict.fromkeys(_one_error_away(word.lower()))] for word in words}
    telling = sorted({other for others in near.values() for other in others} - STOP_WORDS)
    stem_of = dict(zip(telling, stems(telling), strict=True))
    known = frequencies(sorted(set(stem_of.values())))

    def passages(other: str) -> int:
        return known.get(stem_of[other], 0) if other in stem_of else 0

    def is_word(other: str) -> bool:
        """Whether it is more than a stem that it shares with words of the passages."""
        return bool(passages(other)) and pieces(other) == 1

    nearest = {}
    for word, others in near.items():
        # What is only swapped is likelier meant than what is more often said.
        swapped = [
            other for other in others if sorted(other) == sorted(word.lower()) and passages(other)
        ]
        found = [*filter(is_word, swapped or others)]
        if found:
            nearest[word] = max(found, key=passages)
    return nearest


def _one_error_away(word: str) -> Iterator[str]:
    """Words that may have been meant, in the order of how often they are.

    The first letter stays, and so does what is one word: "atypical" and "inactive" would become
    their contraries.
    """
    parts = [(word[:at], word[at:]) for at in range(1, len(word) + 1)]
    yield from (a + b[1] + b[0] + b[2:] for a, b in parts if len(b) > 1)
    yield from (a + b[1:] for a, b in parts if b)
    yield from (a + letter + b for a, b in parts for letter in ascii_lowercase)
    yield from (a + letter + b[1:] for a, b in parts if b for letter in ascii_lowercase)
