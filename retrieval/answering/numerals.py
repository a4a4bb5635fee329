"""Numbers as words: a hundred and fifty, half a million, 2½, 一点五倍, 两个半小时."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable


def _numbered(names: str, *values: float) -> dict[str, float]:
    return dict(zip(names.split(), map(float, values), strict=True))


TENS = _numbered("twenty thirty forty fifty sixty seventy eighty ninety", *range(20, 91, 10))
ONES = _numbered("one two three four five six seven eight nine", *range(1, 10))
TEENS = _numbered(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    *range(10, 20),
)
CARDINALS = {
    **ONES,
    **TENS,
    **TEENS,
    **_numbered("zero dozen twice double triple", 0, 12, 2, 2, 3),
    **_numbered("a an each every per", *[1] * 5),
    **_numbered("half quarter", 0.5, 0.25),
}
ORDINALS = _numbered(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth",
    *range(1, 13),
)
POWERS = {
    "k": 1e3,
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
}
HAN = dict(zip("零一二三四五六七八九两〇", [*range(10), 2, 0], strict=True))
HAN_POWERS = {"十": 10, "百": 100, "千": 1_000, "万": 10_000, "亿": 100_000_000}


def any_of(words: Iterable[str]) -> str:
    """A pattern for any of some words, the longest first."""
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


NUMERAL = f"[{''.join(HAN | HAN_POWERS)}]"
"""A pattern for a character of a Chinese numeral."""

_SMALL = rf"(?:{any_of(TENS)})[-\ ](?:{any_of(ONES)})|{any_of({**TENS, **TEENS, **ONES})}"
_LARGE = "hundred|thousand|million|billion|trillion"
_SPAN = "(?:minute|hour|day|week|month|year|mile|time)s?"
_SPELLED = re.compile(
    rf"\b(?:an?|{_SMALL})"
    # In "between a hundred and two hundred" the second is a number of its own.
    rf"(?:[-\ ](?P<power>{_LARGE})\b(?:\ (?:and\ )?(?:{_SMALL})\b(?!-|\ (?P=power)))?){{1,4}}",
    re.VERBOSE,
)
_HALF_OF = re.compile(rf"\bhalf[-\ ]an?[-\ ]({_LARGE}|dozen)\b")
_HALF_MORE = re.compile(rf"\b(an?|\d{{1,9}}|{any_of(ONES)}) ({_LARGE}) and a half\b")
_MONEY = re.compile(
    r"(?<=[€$£¥])(\d{1,3}(?:,\d{3}){1,4}|\d{1,12}(?:\.\d{1,4})?)(m|\ ?mn|\ ?bn|b)\b(?![-/])"
)
_MONEY_POWERS = {"m": 1e6, "mn": 1e6, "b": 1e9, "bn": 1e9}
_AND_A_HALF = re.compile(
    rf"\b(\d{{1,9}}|an?|{_SMALL})"
    rf"(?:(\ {_SPAN})\ and\ a\ half\b(?!\ {_SPAN}\b)|[-\ ]and[-\ ]a[-\ ]half\b)",
    re.VERBOSE,
)
_HAN_HALF = re.compile(
    rf"(?P<number>\d{{1,4}}|{NUMERAL}{{1,4}})(?P<unit>个?小时|个?钟头|个?星期|个?月|天|周|年|倍)"
    r"半(?![价数天年月导径决薪夜挂])"
    rf"|(?P<before>\d{{1,4}}|{NUMERAL}{{1,4}})个半(?=小时|钟头|星期|月)"
)
_HAN_DECIMAL = re.compile(
    # Behind 上午, or before 天 and 年, it may be a time of day.
    rf"(?<![午早晚上])({NUMERAL}{{1,4}})点([{''.join(HAN)}]{{1,4}})"
    r"(?=倍|个?(?:小时|月|百分点)|公里|公斤|千克|吨|[万亿元折])"
)
_PER_CENT = re.compile(
    rf"(?<!{NUMERAL})百分之(?:({NUMERAL}{{1,9}})(?:点([{''.join(HAN)}]{{1,4}}))?|(\d{{1,4}}(?:\.\d{{1,4}})?))"
)
_VULGAR_PARTS = {"½": ".5", "¼": ".25", "¾": ".75"}
_VULGAR = re.compile("(?<=\\d)[½¼¾]")


def in_digits(text: str) -> str:
    """The text in lower case, its letters in their usual form, and compound numbers in digits."""
    text = _VULGAR.sub(lambda match: _VULGAR_PARTS[match.group()], text)
    text = unicodedata.normalize("NFKC", text).lower()
    text = _HALF_OF.sub(lambda match: _digits((POWERS | CARDINALS)[match[1]] / 2), text)
    text = _HALF_MORE.sub(lambda m: _digits((value_of(m[1]) + 0.5) * POWERS[m[2]]), text)
    text = _SPELLED.sub(lambda match: _digits(_spelled(match.group())), text)
    text = _MONEY.sub(_money, text)
    text = _AND_A_HALF.sub(_with_half, text)
    text = _PER_CENT.sub(lambda match: f"{match[3] or _decimal(match[1], match[2] or '')}%", text)
    text = _HAN_DECIMAL.sub(lambda match: _decimal(match[1], match[2]), text)
    return _HAN_HALF.sub(_with_han_half, text)


def value_of(word: str) -> float:
    """The value of a number in digits, an English word or a Chinese numeral."""
    if word.replace(".", "", 1).isdecimal():
        return float(word)
    return from_han(word) if word[0] in HAN | HAN_POWERS | {"半": 0} else CARDINALS[word]


def from_han(numeral: str) -> float:
    """The value of a Chinese numeral: 三十, 一百二十, 两万; digits alone are read one by one."""
    if numeral == "半":
        return 0.5
    if not set(numeral) & {*HAN_POWERS}:
        return float("".join(str(HAN[character]) for character in numeral))
    total = section = digit = 0
    for character in numeral:
        power = HAN_POWERS.get(character)
        if power is None:
            digit = HAN[character]
        elif power < 10_000:
            section += (digit or 1) * power
            digit = 0
        else:
            total += (section + digit or 1) * power
            section = digit = 0
    return float(total + section + digit)


def _spelled(words: str) -> float:
    total = section = 0.0
    for word in re.split("[- ]", words):
        power = POWERS.get(word, 1)
        if power > 100:
            total, section = total + (section or 1) * power, 0
        elif power > 1:
            section = (section or 1) * power
        elif word != "and":
            section += value_of(word)
    return total + section


def _money(match: re.Match[str]) -> str:
    return _digits(float(match[1].replace(",", "")) * _MONEY_POWERS[match[2].strip()])


def _digits(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() else repr(value)


def _decimal(whole: str, part: str) -> str:
    digits = "".join(str(HAN[character]) for character in part)
    return f"{from_han(whole):.0f}{'.' if digits else ''}{digits}"


def _with_half(match: re.Match[str]) -> str:
    return f"{_spelled(match[1]) + 0.5}{match[2] or ''}"


def _with_han_half(match: re.Match[str]) -> str:
    return f"{value_of(match['number'] or match['before']) + 0.5}{match['unit'] or '个'}"
