"""Shows a number as a spreadsheet does: amounts, percentages, dates and times."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache

ISO_DATE, ISO_TIME = "yyyy-mm-dd", "yyyy-mm-dd hh:mm"
"""Instead of the formats that each reader's system chooses."""

# fmt: off
BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "#,##0", 6: "#,##0", 7: "#,##0.00",
    8: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: ISO_DATE,
    15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm",
    21: "h:mm:ss", 22: ISO_TIME, 37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00",
    41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss",
    47: "mm:ss", 48: "0.0E+0", **dict.fromkeys((*range(27, 37), *range(50, 59)), ISO_DATE),
}
# fmt: on
"""The formats that are known by their number; all others are as they are, `General`."""

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|[_*].|\[\$(?P<currency>[^\]-]*)[^\]]*\]|'
    r"\[(?P<elapsed>h+|m+|s+)\]|\[[^\]]*\]|(?P<general>general|@)|(?P<half>AM/PM|A/P|上午/下午)|"
    r"(?P<date>y+|m+|d+|h+|s+|e+(?![-+])|a{3,})|(?P<digit>[0#?])|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_SECTION = re.compile(r'((?:"[^"]*"|\\.|\[[^\]]*\]|[^;"\\\[])*)(?:;|\Z)')
_MONTHS = "January February March April May June July August September October November December"
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_LAST_DAY = 2_958_465  # 9999-12-31
_MAX_NUMBER = 1e15  # where floats stop telling one from the next
_MAX_DIGITS = 12

Token = tuple[str, str]


def shown(value: float, code: str, *, is_1904: bool = False) -> str:
    """A number as a cell with this format shows it; months and days in English."""
    sections = _sections(code)
    section = sections[0]
    if value < 0 and len(sections) > 1:
        section, value = sections[1], -value
    elif value == 0 and len(sections) > 2:
        section = sections[2]
    if not section and len(sections) > 1:
        return ""
    kinds = {kind for kind, _ in section}
    if "date" in kinds or "elapsed" in kinds:
        days = value + 1462 * is_1904
        return _moment(days, section) if 0 <= days <= _LAST_DAY else general(value)
    if "digit" in kinds:
        return _number(value, section) if abs(value) < _MAX_NUMBER else general(value)
    if section and "general" not in kinds:
        return "".join(text for _, text in section).strip()
    out = [general(value) if kind == "general" else text for kind, text in section]
    return "".join(out) or general(value)


def hides_words(code: str) -> bool:
    """Whether a cell with this format shows no words, as with `;;;`."""
    parts = [match[1] for match in _SECTION.finditer(code[:1_000])]
    return code.count(";") > 2 and len(parts) > 3 and not parts[3].strip()


def general(value: float) -> str:
    """A number without a format."""
    if value == int(value) and abs(value) < _MAX_NUMBER:
        return str(int(value))
    return f"{value:.{11 if abs(value) < 1e11 else 15}g}"


@lru_cache(1_000)
def _sections(code: str) -> list[list[Token]]:
    found = [match[1] for match in _SECTION.finditer(code[:1_000]) if match[0]]
    return [_tokens(section) for section in found] or [[]]


def _tokens(section: str) -> list[Token]:
    tokens: list[Token] = []
    for match in _TOKEN.finditer(section):
        kind = match.lastgroup
        if kind in ("quoted", "escaped", "currency"):
            tokens.append(("literal", match[kind]))
        elif kind == "other":
            is_sign = match[0] in ".,%/Ee"
            tokens.append((match[0] if is_sign else "literal", match[0]))
        elif kind:
            tokens.append((kind, match[kind].lower()))
        elif match[0].startswith("_"):
            tokens.append(("literal", " "))
    return tokens


def _moment(days: float, tokens: list[Token]) -> str:
    seconds = round(days * 86_400)
    # The year 1900 has a 29th of February here.
    moment = datetime(1899, 12, 31 if days < 60 else 30) + timedelta(seconds=seconds)
    is_half = any(kind == "half" for kind, _ in tokens)
    out: list[str] = []
    for n, (kind, text) in enumerate(tokens):
        if kind == "elapsed":
            total = seconds // {"h": 3_600, "m": 60, "s": 1}[text[0]]
            out.append(str(total).zfill(len(text)))
        elif kind == "half":
            out.append("AM" if moment.hour < 12 else "PM")
        elif kind == "date":
            is_minute = text[0] == "m" and len(text) < 3 and _beside_time(tokens, n)
            out.append(_part_of(moment, "n" * len(text) if is_minute else text, is_half=is_half))
        elif kind != "digit":
            out.append(text)
    return "".join(out).strip().rstrip(".")


def _beside_time(tokens: list[Token], place: int) -> bool:
    """Whether an `m` stands after hours or before seconds, and so means minutes."""
    before = [text[0] for kind, text in tokens[:place] if kind in ("date", "elapsed")]
    after = [text[0] for kind, text in tokens[place + 1 :] if kind in ("date", "elapsed")]
    return before[-1:] == ["h"] or after[:1] == ["s"]


def _part_of(moment: datetime, text: str, *, is_half: bool) -> str:
    length = len(text)
    match text[0]:
        case "y" | "e":
            return f"{moment.year % 100:02}" if length < 3 and text[0] == "y" else str(moment.year)
        case "m" if length > 2:
            name = _MONTHS.split()[moment.month - 1]
            return name[: {3: 3, 5: 1}.get(length)]
        case "d" | "a" if length > 2:
            return _DAYS.split()[moment.weekday()][: 3 if length == 3 else None]
        case "h":
            number = (moment.hour - 1) % 12 + 1 if is_half else moment.hour
        case letter:
            number = {"m": moment.month, "d": moment.day, "n": moment.minute, "s": moment.second}[
                letter
            ]
    return str(number).zfill(min(length, 2))


def _number(value: float, tokens: list[Token]) -> str:
    kinds = [kind for kind, _ in tokens]
    first = kinds.index("digit")
    last = len(kinds) - 1 - kinds[::-1].index("digit")
    before = "".join(text for kind, text in tokens[:first] if kind in ("literal", "%"))
    after = "".join(text for kind, text in tokens[last + 1 :] if kind in ("literal", "%"))
    sign, amount = "-" if value < 0 else "", Decimal(repr(abs(value))) * 100 ** kinds.count("%")
    inner = tokens[first : last + 1]
    amount /= 1000 ** sum(kind == "," for kind in kinds[last + 1 :])
    text = _digits(amount, inner)
    if not re.search("[1-9]", text):
        sign = ""
    return f"{sign}{before}{text}{after}".strip()


def _digits(amount: Decimal, tokens: list[Token]) -> str:
    kinds = [kind for kind, _ in tokens]
    point = kinds.index(".") if "." in kinds else len(kinds)
    whole = [text for kind, text in tokens[:point] if kind == "digit"]
    decimals = [text for kind, text in tokens[point:] if kind == "digit"]
    if "E" in kinds or "e" in kinds:
        at = next(n for n, kind in enumerate(kinds) if kind in "Ee")
        return f"{float(amount):.{min(kinds[point:at].count('digit'), _MAX_DIGITS)}E}"
    if "/" in kinds:
        return _fraction(amount, kinds[kinds.index("/") :].count("digit"))
    places = min(len(decimals), _MAX_DIGITS)
    rounded = f"{amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    ones, _, tenths = rounded.partition(".")
    ones = ones.lstrip("0").zfill(min(whole.count("0"), _MAX_DIGITS))
    while len(tenths) > decimals.count("0") and tenths.endswith("0"):
        tenths = tenths[:-1]
    if "," in kinds[:point]:
        ones = re.sub(r"(?<=\d)(?=(?:\d{3})+\Z)", ",", ones)
    elif "literal" in kinds[:point]:
        ones = _filled(ones, tokens[:point])
    return f"{ones or '0' * (not tenths)}{'.' if tenths else ''}{tenths}"


def _filled(digits: str, tokens: list[Token]) -> str:
    """Digits with what stands between them, such as the hyphens of a telephone number."""
    left, out = list(digits), []
    for kind, text in reversed(tokens):
        if kind == "digit":
            out.append(left.pop() if left else "")
        else:
            out.append(text)
    return "".join([*left, *reversed(out)])


def _fraction(amount: Decimal, length: int) -> str:
    part = Fraction(amount).limit_denominator(10 ** min(max(length, 1), 3) - 1)
    whole, rest = divmod(part.numerator, part.denominator)
    broken = f"{rest}/{part.denominator}" if rest else ""
    return f"{whole} {broken}".strip() if whole or not rest else broken
