"""The numbers of a text as values with units, however written: 14 days, two weeks, 两周."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from retrieval.answering.numerals import (
    CARDINALS,
    HAN,
    HAN_POWERS,
    NUMERAL,
    ONES,
    ORDINALS,
    POWERS,
    TEENS,
    TENS,
    any_of,
    from_han,
    in_digits,
    value_of,
)

_SCALES = {
    "second": ("time", 1), "minute": ("time", 60), "hour": ("time", 3_600),
    "day": ("time", 86_400), "week": ("time", 7 * 86_400), "month": ("time", 30 * 86_400),
    "quarter": ("time", 91 * 86_400), "year": ("time", 365 * 86_400),
    "decade": ("time", 3_650 * 86_400), "century": ("time", 36_500 * 86_400),
    "quarter of an hour": ("time", 900), "clock": ("clock", 1), "of the year": ("month", 1),
    "%": ("share", 0.01), "成": ("share", 0.1), "part": ("share", 1),
    "mm": ("length", 1), "cm": ("length", 10), "m": ("length", 1e3), "km": ("length", 1e6),
    "inch": ("length", 25.4), "foot": ("length", 304.8), "mile": ("length", 1_609_344),
    "mg": ("weight", 1), "g": ("weight", 1e3), "kg": ("weight", 1e6), "t": ("weight", 1e9),
    "ounce": ("weight", 28_350), "pound": ("weight", 453_592),
    "kb": ("bytes", 1), "mb": ("bytes", 1e3), "gb": ("bytes", 1e6), "tb": ("bytes", 1e9),
}  # fmt: skip
"""What a unit measures, and how many of the first of its kind it is."""

_ROUGH = {"month", "quarter", "year", "decade", "century", "inch", "foot", "mile", "ounce", "pound"}
"""Units that nobody converts to the last digit: 3 months are 90 days."""

_ROUGHLY, _ABOUT = 0.03, 0.1
_ABOUT_WORD = re.compile(r"(?:\b(?:about|around|roughly|approximately|nearly|almost)\s|约|差不多)$")

_UNITS = {name: name for name in _SCALES if name not in ("clock", "part", "of the year")} | {
    "sec": "second", "min": "minute", "hr": "hour", "centurie": "century", "percent": "%",
    "per cent": "%",
    "inche": "inch", "feet": "foot", "ft": "foot", "lb": "pound", "oz": "ounce", "tonne": "t",
    "millimetre": "mm", "millimeter": "mm", "centimetre": "cm", "centimeter": "cm", "metre": "m",
    "meter": "m", "kilometre": "km", "kilometer": "km", "gram": "g", "kilogram": "kg",
    "quarters of an hour": "quarter of an hour",
    "秒": "second", "秒钟": "second", "分钟": "minute", "小时": "hour", "个小时": "hour",
    "天": "day", "日": "day", "周": "week", "星期": "week", "个星期": "week", "个月": "month",
    "月": "of the year", "季度": "quarter", "年": "year", "周年": "year", "毫米": "mm",
    "厘米": "cm", "米": "m", "公里": "km", "千米": "km", "克": "g", "公斤": "kg", "千克": "kg",
    "吨": "t",
}  # fmt: skip
"""How units are written; an English plural goes without its s."""


_MONTH_NAMES = (
    "january february march april may june july august september october november december"
)
_MONTHS = {name: float(place) for place, name in enumerate(_MONTH_NAMES.split(), start=1)}
_MONTHS |= {name[:3]: value for name, value in _MONTHS.items()}
NUMBER_WORDS = frozenset({*ONES, *TEENS, *TENS, *ORDINALS, *POWERS} - {"k"})
"""Words that say a number, also where a capital makes them look like names."""

MONTHS = frozenset(_MONTHS) - {"may"}

_OF_EITHER_HALF = re.compile(r"(?<![a-z])[a-z]+ o'clock|(?<![^ ])[^ 午早晚夜晨]{1,3}点")
"""Does not say which half of the day."""

_LATE = {"下午", "晚上", "晚间", "今晚", "傍晚", "夜里"}
_PARTS_OF_HOURS = {"半": 0.5, "一刻": 0.25, "三刻": 0.75}
_PARTS = {"third": 1 / 3, "quarter": 1 / 4, "fifth": 1 / 5, "tenth": 1 / 10}

_COUNTED = "个名位次等种类项级条点倍元岁章台件只张页号楼人月门所座届层家部支队辆间份本"


_WORD = any_of(CARDINALS)
_ENGLISH_UNIT = any_of(unit for unit in _UNITS if unit < "\u3000")
_HAN_UNIT = any_of(unit for unit in _UNITS if unit > "\u3000")
_BEFORE_RATES = ("every", "each", "per", "每")
_RATES = {
    "hourly": "hour", "daily": "day", "nightly": "day", "weekly": "week", "monthly": "month",
    "quarterly": "quarter", "yearly": "year", "annual": "year", "annually": "year",
}  # fmt: skip
_UNIT = (
    r"(?:(?:[-\ ]?(?:working|business|calendar|full|more|an?)\b|个?工作)?[-\ ]?"
    rf"(?P<{{}}>(?:{_ENGLISH_UNIT})(?=s?(?![a-z]))|{_HAN_UNIT}))?"
)
_NUMBER = re.compile(
    rf"""(?P<verbatim>\d+(?:\.\d+){{2,}})
    | (?P<daytime>上午|早上|凌晨|清晨|下午|晚上|晚间|今晚|傍晚|夜里|中午)?
        (?:(?P<hours>\d{{1,2}}):(?P<minutes>\d\d)
          |(?P<hour>\d{{1,2}}|{_WORD}|[{"".join(HAN)}十]{{1,3}})
           (?:(?=\ ?[ap]\.?m\b)|\ o'clock
             |点(?:(?P<part_hour>半|[一三]刻)|(?P<past>\d{{1,2}}|{NUMERAL}{{1,3}})分|(?!\d))))
        (?:\ ?(?P<pm>[ap])\.?m\b)?
    | (?P<digits>\d{{1,3}}(?:[,\ ]\d{{3}}){{1,4}}(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?)
        (?:(?:st|nd|rd|th)\b)?
        [-\ ]?(?P<power>(?:{any_of(POWERS)})\b|[十百千万亿]{{1,2}})?{_UNIT.format("unit")}
    | (?<=\bby\ )(?P<byhalf>half)\b
    | \b(?P<parts>{any_of(ONES)}|an?)[-\ ]
        (?P<part>thirds?|fifths?|tenths?|quarters?(?=\ of\b(?!\ an?\ hour)))\b
    | (?P<hanwhole>{NUMERAL}{{1,3}})分之(?P<hanparts>{NUMERAL}{{1,3}})
    | \b(?<!\bthe\ )(?P<word>(?:{any_of(TENS)})[-\ ](?:{any_of(ONES)})|{_WORD})\b
        (?:[-\ ](?P<wordpower>{any_of(POWERS)})\b)?{_UNIT.format("wordunit")}
    | \b(?P<name>{any_of(name for name in ORDINALS | _MONTHS if name != "may")}
        |may(?=\ \d)|(?<=\d\ )may(?=[^\w\s]|$)|(?:(?<=\bin\ )|(?<=\bof\ ))may)\b
    | \b(?P<rate>{any_of(_RATES)})\b
    | (?P<every>每)(?:个?(?P<everyunit>{_HAN_UNIT}|月))
    | (?P<han>{NUMERAL}{{1,12}}|半)(?:个?工作)?
        (?P<counted>{_HAN_UNIT}|[{_COUNTED}])?""",
    re.VERBOSE,
)


_FEW_ITEMS = 2
_ITEMS = re.compile(r"^[^\S\n]*(?:[-*•]|\d{1,2}[.)、])\s*", re.MULTILINE)
_AMOUNTS = re.compile(
    r"\b(?:no|none|nothing|nobody|free|all|both|once|several|few|single|(?:un)?limit\w*"
    r"|as (?:much|many|long)|never|always|(?:for)?ever|until|till|permanent\w*|indefinite\w*)\b"
    r"|免费|无限|不限|任何|全部|所有|每|没有|不收|无需|不用|永久|一直|直到|长期|终身|随时",
    re.IGNORECASE,
)
"""What says how much without a number."""

_CASE = re.compile(
    r"\b(?:when\w*|if|once|after|before|until|till|since|as (?:soon|long) as|upon|during|while"
    r"|within|by the|at the time|always|never|any ?time|on (?:request|demand|receipt|arrival)"
    r"|round the clock)\b"
    r"|[时前后当]|随时|如果|一旦|只要|直到",
    re.IGNORECASE,
)
_TIME = re.compile(
    rf"\b(?:at (?:\d\d?|{any_of(ONES)}|ten|eleven|twelve)\b(?! \w)|"
    rf"(?:{any_of(ORDINALS)}) (?:hour|day|week|month|quarter|year)|q[1-4]|week \d\d?|"
    r"half past|quarter (?:to|past)|\d\d?[./]\d\d?[./]\d{2,4}|\d\d?/\d\d?|"
    r"immediately|now|today|tonight|tomorrow|already|not yet|current\w*|early|later?|latest"
    r"|first|next|last|beginning|start|middle|end|every|each"
    r"|(?:daily|(?:bi)?weekly|(?:bi)?monthly|quarterly|annual|annually|yearly)"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekends?|weekdays?"
    r"|mornings?|noon|afternoons?|evenings?|nights?|midnight|spring|summer|autumn|winter|christmas"
    r"|easter|holidays?|centur\w+|decade|period|era|age|\d{1,2}(?:st|nd|rd|th)|in 1\d{3}"
    r"|(?:hour|day|week|month|year)s? (?:in|into|later|earlier|ago|ahead|following|old)"
    r"|(?:of|this|same|that|working) (?:hour|day|week|month|year))\b"
    r"|[年月日号天周期每起早晚今明昨现]|星期|礼拜|立[即刻]|马上|世纪",
    re.IGNORECASE,
)
"""What says when: in which case, and at what point in time or how often."""

_A_UNIT = re.compile(r"(?:an?|per|each|every)\b|每")
_HOW_LONG = re.compile(r"\bhow (?:long|old|far)\b|多[久长远]", re.IGNORECASE)

_ONE = re.compile(r"\d|\bone\b|一")
"""What says one as a number, which "a month" and "annual" do not."""

_CURRENCIES = {
    "€": "EUR", "euro": "EUR", "eur": "EUR", "欧": "EUR", "$": "USD", "dollar": "USD",
    "usd": "USD", "£": "GBP", "gbp": "GBP", "¥": "CNY", "cny": "CNY", "rmb": "CNY", "yuan": "CNY",
    "元": "CNY", "chf": "CHF", "franc": "CHF", "krona": "SEK", "sek": "SEK", "zloty": "PLN",
}  # fmt: skip
"""How currencies are written; the others are not told apart."""

_MONTH = any_of(name for name in _MONTHS if name != "may") + "|(?-i:May)"
_TH = "st|nd|rd|th"
_DATES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<year>\d{4})\s?年\s?(?P<month>\d{1,2})\s?月(?:\s?(?P<day>\d{1,2})\s?[日号])?",
        r"(?<!\d)(?P<month>\d{1,2})\s?月\s?(?P<day>\d{1,2})\s?[日号]",
        r"\b(?P<year>\d{4})-(?P<month>\d\d)(?:-(?P<day>\d\d))?\b",
        rf"\b(?P<day>\d\d?)(?:{_TH})?(?: of)? (?P<month>{_MONTH})\b\.?(?:,? (?P<year>\d{{4}})\b)?",
        rf"\b(?P<month>{_MONTH})\b\.? (?P<day>\d\d?)(?:{_TH})?\b(?:\s?,? (?P<year>\d{{4}})\b)?",
        rf"\b(?P<month>{_MONTH})\b\.?,?(?: of)? (?P<year>\d{{4}})\b",
    )
]

_CODE = re.compile(r"(?<![a-z\d.])([a-z]{1,12})-?(\d{1,5})(?![\d.%])", re.IGNORECASE)
"""What tells a model from its siblings: LX-40, GW5, SEV1."""

_A_CENTURY = re.compile(r"(?:19|20)\d\d年?")
_A_YEAR = r"(?<![a-z\d_.,/#€$£¥-])(?P<year>(?:19|20)\d\d)(?![a-z\d%]|[.,/-]\d)"
_YEAR = re.compile(
    rf"(?P<since>\b(?:since|from|as of)\s(?:\d?\d\s)?(?:[a-z]+\s)?(?:\d?\d,?\s)?|[自从])?{_A_YEAR}",
    re.IGNORECASE,
)
_ASKED_YEAR = re.compile(rf"{_A_YEAR}(?=\s?年(?!代)|\W*\Z)", re.IGNORECASE)
"""A number at the end of a question, or one that 年 follows; others may count something."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in a text, as it is `written`; `unit` is "" where none is known.

    A version such as 2.19.0 has no value: it is NaN. `is_about` says that it is not meant exactly.
    What is `counted` is a currency, or the word behind.
    """

    value: float
    unit: str
    written: str
    is_about: bool = False
    counted: str = field(default="", compare=False)

    @property
    def kind(self) -> str:
        """What it measures: time, length, money …; "" where that is not known."""
        return "money" if self.counted in _CURRENCIES else _SCALES.get(self.unit, ("", 1))[0]

    @property
    def is_share(self) -> bool:
        """Whether it is a part of something, as percent are."""
        return self.unit in ("%", "成", "part")

    @property
    def is_year(self) -> bool:
        """Whether it may be a year: four digits of these centuries, which count nothing."""
        return bool(_A_CENTURY.fullmatch(self.written)) and self.counted not in _CURRENCIES

    @property
    def is_rate(self) -> bool:
        """Whether it says how often: every year, weekly."""
        return self.written.startswith(_BEFORE_RATES) or (
            self.written in _RATES and self.written != "annual"  # leave, which says nothing
        )

    def is_said_by(self, other: Quantity) -> bool:
        """Whether another says the same, in its own unit or without one."""
        if math.isnan(self.value) or math.isnan(other.value):
            return self.written == other.written
        kinds = {self.kind, other.kind}
        if "money" in kinds and not kinds & {"", "weight"}:  # 45 pounds may be £45
            codes = {_CURRENCIES.get(self.counted), _CURRENCIES.get(other.counted)}
            return len(codes) == 1 and math.isclose(self.value, other.value)
        mine, theirs = _SCALES.get(self.unit, ("", 1)), _SCALES.get(other.unit, ("", 1))
        if mine[0] and theirs[0]:
            is_rough = self.unit != other.unit and not _ROUGH.isdisjoint((self.unit, other.unit))
            tolerance = _ROUGHLY if is_rough else 1e-9
            tolerance = _ABOUT if self.is_about else tolerance
            values = self.value * mine[1], other.value * theirs[1]
            if "clock" in kinds and _OF_EITHER_HALF.search(f"{self.written} {other.written}"):
                values = values[0] % 12, values[1] % 12
            return mine[0] == theirs[0] and math.isclose(*values, rel_tol=tolerance)
        scales = {1, *(scale for kind, scale in (mine, theirs) if kind == "share")}
        return any(math.isclose(self.value * a, other.value * b) for a in scales for b in scales)

    def is_within(self, least: Quantity, most: Quantity) -> bool:
        """Whether it lies between two others of its kind."""
        if not self.is_like(most):
            return False
        low, mine, high = (q.value * _SCALES.get(q.unit, ("", 1))[1] for q in (least, self, most))
        return low <= mine <= high

    def is_like(self, other: Quantity) -> bool:
        """Whether another is of the same kind, so that one may stand for the other by mistake."""
        kinds = [_SCALES.get(quantity.unit, ("", 1))[0] for quantity in (self, other)]
        return math.isnan(self.value) == math.isnan(other.value) and kinds[0] == kinds[1]


def amounts(text: str, question: str = "") -> set[str]:
    """What in a text says how much or how many, in numbers, in words or as a list.

    A number of the question's own is no answer to it, nor is a date unless it asks how long.
    """
    items = _ITEMS.findall(text)
    found = {match.group().lower() for match in _AMOUNTS.finditer(text)}
    if len(items) > _FEW_ITEMS:
        found.add("".join(items))
    text = _ITEMS.sub("", text)
    asked = [*quantities(question)]
    numbers = [n for n in quantities(text) if not any(map(n.is_said_by, asked))]
    if not _HOW_LONG.search(question):
        parts = {part for date in dates(text) for _, part in date}
        numbers = [n for n in numbers if n.unit != "of the year" and n.value not in parts]
    return found | {number.written for number in numbers}


def times(text: str, question: str = "") -> set[str]:
    """What in a text says when, besides what the question says."""
    asked = question.lower()
    cases = {match.group().lower() for match in _CASE.finditer(text)}
    said = {match.group().lower() for match in (*_TIME.finditer(text), *_YEAR.finditer(text))}
    # 年 is a part of the question, too, whichever it is asked for.
    said = {time for time in said if time not in asked or not time.isascii()}
    # "30 days from invoice" is a time; "a week" is what something is paid for.
    kinds = ("clock", "month", "time")
    numbers = {
        n.written for n in quantities(text) if n.kind in kinds and not _A_UNIT.match(n.written)
    }
    return cases | said | {number for number in numbers if number not in asked}


def quantities(text: str) -> Iterator[Quantity]:
    """The numbers of a text, in order; "one", "a" and 一 only where a unit follows."""
    return (quantity for quantity, _, _ in _found(text))


def ranges(text: str) -> Iterator[tuple[Quantity, Quantity]]:
    """The least and the most of each range of a text: 3 to 7 years, under 3, 8 or more, 20±0.5."""
    before: tuple[Quantity, str] | None = None
    for quantity, ahead, behind in _found(text):
        none, boundless = replace(quantity, value=0.0), replace(quantity, value=math.inf)
        is_between = before is not None and _BETWEEN.search(before[1]) and ahead.strip() == "and"
        if before is not None and (is_between or _TO.fullmatch(ahead)):
            yield replace(before[0], unit=before[0].unit or quantity.unit), quantity
        elif before is not None and ahead.strip() == "±":
            middle, deviation = before[0].value, quantity.value
            yield (
                replace(quantity, value=middle - deviation),
                replace(quantity, value=middle + deviation),
            )
        elif _AT_MOST.search(ahead) or _AND_LESS.match(behind):
            yield none, quantity
        elif _AT_LEAST.search(ahead) or _AND_MORE.match(behind):
            yield quantity, boundless
        before = quantity, ahead


def factors(text: str) -> Iterator[float]:
    """What a text multiplies by: twice, half the pay, three times, 两倍."""
    for quantity, _, behind in _found(text):
        if not quantity.unit and (_FACTOR.search(quantity.written) or _TIMES.match(behind)):
            yield quantity.value


def covers(text: str, question: str) -> bool:
    """Whether a date of a question, or without one a number, lies in the range that a text is.

    How often something is ("annual") and what a rate is of ("a month") is no such number.
    """
    if asked := _days(question):
        days = _days(text)
        return len(days) > 1 and any(_is_between(day, days[0], days[-1]) for day in asked)
    found = [*ranges(text)]  # in a table their units may stand in the head
    return any(
        all(
            (n if most.unit else replace(n, unit="")).is_within(least, most)
            for least, most in found
        )
        for n in quantities(question)
        if found and (n.value != 1 or _ONE.search(n.written))
    )


def misses_day(text: str, question: str) -> bool:
    """Whether a text names days, and a question others that are neither these nor between them."""
    asked, days = _days(question), _days(text)
    lines = [_days(line) for line in text.split("\n")]
    return bool(asked and days) and not any(
        day in days or any(_is_between(day, line[0], line[-1]) for line in lines if line)
        for day in asked
    )


def misses_year(text: str, question: str) -> bool:
    """Whether a text names years, and a question others that are neither these nor between them.

    What holds since a year holds in later ones.
    """
    asked = {int(match["year"]) for match in _ASKED_YEAR.finditer(question)}
    if not asked:
        return False
    found = [(int(match["year"]), match["since"]) for match in _YEAR.finditer(text)]
    years = [year for year, _ in found]
    since = min((year for year, is_since in found if is_since), default=math.inf)
    return bool(years) and not any(
        min(years) <= year <= max(years) or year >= since for year in asked
    )


def misses_code(text: str, question: str) -> bool:
    """Whether a question names something such as LX-30, and a text only siblings such as LX-40."""
    known = {(name.lower(), number) for name, number in _CODE.findall(text)}
    asked = {(name.lower(), number) for name, number in _CODE.findall(question)}
    return any(code not in known and code[0] in {name for name, _ in known} for code in asked)


_Day = tuple[int, int]


def _days(text: str) -> list[_Day]:
    """The days of a text that it names with their month, as month and day."""
    found = map(dict, dates(text))
    return [(date["month"], date["day"]) for date in found if "day" in date]


def _is_between(day: _Day, first: _Day, last: _Day) -> bool:
    """Whether a day lies between two, of which the second may be in the next year."""
    if first <= last:
        return first <= day <= last
    return day >= first or day <= last


def _found(text: str) -> Iterator[tuple[Quantity, str, str]]:
    """The numbers of a text, each with what stands between it and the last, and behind it."""
    text = in_digits(text)
    done = 0
    for match in _NUMBER.finditer(text):
        if (read := _read(match)) is not None:
            ahead, behind = text[done : match.start()], text[match.end() : match.end() + 20]
            is_about = bool(_ABOUT_WORD.search(ahead))
            written = match.group().rstrip(" -")
            counted = _CURRENCY.search(ahead) or _COUNTED_WORD.match(behind)
            word = counted.group(1).removesuffix("s") if counted else ""
            yield Quantity(*read, written.strip(), is_about, word), ahead, behind
            done = match.start() + len(written)


def dates(text: str) -> Iterator[frozenset[tuple[str, int]]]:
    """The dates of a text with at least two of year, month and day, each with what it names."""
    text = unicodedata.normalize("NFKC", text)
    for match in itertools.chain.from_iterable(pattern.finditer(text) for pattern in _DATES):
        parts = {name: value for name, value in match.groupdict().items() if value}
        yield frozenset(
            (name, int(_MONTHS.get(value.lower()) or value)) for name, value in parts.items()
        )


_CURRENCY = re.compile(r"([€$£¥])\s?$")
_COUNTED_WORD = re.compile(r"\W{0,2}([a-z]+|[\u4e00-\u9fff])")
_FACTOR = re.compile(r"^(?:twice|double|triple|half)$|倍$")
_TIMES = re.compile(r"\s?(?:times\b(?! (?:an?|per|each|every)\b)|倍)")
_MONEY = r"\s?[€$£¥]?\s?"
_TO = re.compile(rf"s?\s?(?:to|[-–—~至到]){_MONEY}")
_BETWEEN = re.compile(r"\bbetween\s$")
_AT_MOST = re.compile(
    r"(?:\b(?:under|below|within|up to|(?:less|fewer|younger|shorter) than|at most|no more than)"
    rf"(?: the)?|不满|不超过|不到|至多|最多|低于|少于){_MONEY}$"
)
_AT_LEAST = re.compile(
    r"(?:\b(?:over|above|from|at least|(?:more|older|longer|larger) than)(?: the)?"
    rf"|(?<!不)超过|(?<!不)满|至少|高于|多于){_MONEY}$"
)
_AND_LESS = re.compile(r"s?\s?(?:or (?:less|fewer|younger)|及?以下|以内|之内)")
_AND_MORE = re.compile(r"s?\s?(?:\+|(?:or|and) (?:more|longer|older|over|above)|及?以上)")


def _read(match: re.Match[str]) -> tuple[float, str] | None:
    """The value and the unit of a match; None for words that only happen to look like numbers."""
    if match["verbatim"]:
        return math.nan, ""
    if match["byhalf"] or match["part"] or match["hanparts"]:
        return _part(match)
    if match["rate"] or match["every"]:
        return 1.0, _RATES.get(match["rate"]) or _UNITS.get(match["everyunit"], "month")
    if match["hours"] or match["hour"]:
        return _clock(match), "clock"
    if match["name"]:
        name = match["name"]
        return (ORDINALS | _MONTHS)[name], "of the year" if name in _MONTHS else ""
    if match["digits"]:
        power = match["power"] or ""
        factor = POWERS.get(power) or math.prod(HAN_POWERS[character] for character in power)
        return float(re.sub("[, ]", "", match["digits"])) * factor, _unit(match["unit"])
    if match["han"]:
        is_number = len(match["han"]) > 1 or match["counted"]
        return (from_han(match["han"]), _unit(match["counted"])) if is_number else None
    value, unit = (
        sum(map(CARDINALS.__getitem__, re.split("[- ]", match["word"]))),
        match["wordunit"],
    )
    if value == 1 and not unit:
        return None
    return value * POWERS.get(match["wordpower"] or "", 1), _unit(unit)


def _part(match: re.Match[str]) -> tuple[float, str]:
    if match["byhalf"]:
        return 0.5, ""
    if match["part"]:
        return CARDINALS[match["parts"]] * _PARTS[match["part"].removesuffix("s")], "part"
    whole = from_han(match["hanwhole"])
    return from_han(match["hanparts"]) / whole if whole else math.nan, "part"


def _clock(match: re.Match[str]) -> float:
    hour = match["hours"] or match["hour"]
    minutes = match["minutes"] or match["past"]
    value = value_of(hour) + _PARTS_OF_HOURS.get(match["part_hour"], 0)
    value += value_of(minutes) / 60 if minutes else 0
    is_late = match["pm"] == "p" or match["daytime"] in _LATE
    value = value - 12 if match["pm"] == "a" and value >= 12 else value
    return value + 12 if is_late and value < 12 else value


def _unit(word: str | None) -> str:
    word = word or ""
    return _UNITS.get(word) or _UNITS.get(word.removesuffix("s")) or ""
