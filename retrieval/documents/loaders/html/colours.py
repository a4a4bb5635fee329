"""Reads colours and lengths of CSS, and tells whether words can be told from what is behind."""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Sequence

Colour = tuple[float, float, float]
"""Red, green and blue, 0 to 255."""

MIN_DIFFERENCE = 25
"""Less than this in every channel, and nobody sees words on what is behind them."""
FAINT = 0.06
"""What is less opaque than this is not seen."""
BLACK, WHITE = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)

# fmt: off
_NAMED = {
    "aliceblue": "f0f8ff", "azure": "f0ffff", "beige": "f5f5dc", "black": "000000",
    "blue": "0000ff", "brown": "a52a2a", "crimson": "dc143c", "darkblue": "00008b",
    "darkgray": "a9a9a9", "darkgreen": "006400", "darkgrey": "a9a9a9", "darkred": "8b0000",
    "darkslategray": "2f4f4f", "dimgray": "696969", "dodgerblue": "1e90ff",
    "floralwhite": "fffaf0", "gainsboro": "dcdcdc", "ghostwhite": "f8f8ff", "gold": "ffd700",
    "gray": "808080", "green": "008000", "grey": "808080", "honeydew": "f0fff0",
    "indigo": "4b0082", "ivory": "fffff0", "lavender": "e6e6fa", "lavenderblush": "fff0f5",
    "lightblue": "add8e6", "lightcyan": "e0ffff", "lightgray": "d3d3d3",
    "lightgreen": "90ee90", "lightgrey": "d3d3d3", "lightyellow": "ffffe0", "lime": "00ff00",
    "linen": "faf0e6", "maroon": "800000", "midnightblue": "191970", "mintcream": "f5fffa",
    "navy": "000080", "oldlace": "fdf5e6", "olive": "808000", "orange": "ffa500",
    "purple": "800080", "rebeccapurple": "663399", "red": "ff0000", "royalblue": "4169e1",
    "seashell": "fff5ee", "silver": "c0c0c0", "slategray": "708090", "snow": "fffafa",
    "steelblue": "4682b4", "teal": "008080", "tomato": "ff6347", "white": "ffffff",
    "whitesmoke": "f5f5f5", "yellow": "ffff00",
}
_POINTS = {
    "px": 1.0, "": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "q": 0.945,
}
_SIZES = {
    "xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0,
    "x-large": 24.0, "xx-large": 32.0, "xxx-large": 48.0,
}
_OKLAB = (
    (1.0, 0.3963377774, 0.2158037573), (1.0, -0.1055613458, -0.0638541728),
    (1.0, -0.0894841775, -1.2914855480),
)
_CONES = (
    (4.0767416621, -3.3077115913, 0.2309699292), (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)
_D50 = (0.9642957, 1.0, 0.8251046)
_XYZ = (
    (3.1341359, -1.6173864, -0.4906619), (-0.9787955, 1.9161415, 0.0334542),
    (0.0719551, -0.2289768, 1.4053861),
)
# fmt: on
_COLOUR = re.compile(
    r"#[0-9a-f]{3,8}\b|(?<![\w-])(?:rgba?|hsla?|hwb|(?:ok)?(?:lab|lch)|color)\([^()]*\)|"
    r"(?<![\w#(-])[a-z]{3,20}(?![\w(-])"
)
_SPACE = re.compile(r"color\(\s*[\w-]+")
_NUMBER = re.compile(r"(-?(?:\d+\.?\d*|\.\d+))(%|deg|turn|rad)?")
_LENGTH = re.compile(r"(-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?)([a-z]*|%)")


def colours(value: str) -> list[tuple[Colour, float]]:
    """The colours that a value names, each with how opaque it is; `transparent` is not."""
    apart = value.replace("gradient(", "gradient( ")
    return [found for match in _COLOUR.finditer(apart) if (found := _colour(match.group()))]


def of_digits(digits: str) -> Colour | None:
    """The colour of six or eight digits, as office files write it; None for anything else."""
    try:
        red, green, blue = bytes.fromhex(digits)[-3:]
    except ValueError:
        return None
    return float(red), float(green), float(blue)


def looks_like(words: Colour, behind: Colour) -> bool:
    """Whether words of one colour cannot be seen on another."""
    return max(abs(a - b) for a, b in zip(words, behind, strict=True)) < MIN_DIFFERENCE


def over(colour: Colour, opacity: float, behind: Colour) -> Colour:
    """What a colour that lets something through looks like on another."""
    red, green, blue = (
        opacity * a + (1 - opacity) * b for a, b in zip(colour, behind, strict=True)
    )
    return red, green, blue


def pixels(value: str, *, of: float = 16.0, whole: float | None = None) -> float | None:
    """A length in pixels, the largest where several stand in a formula; None for no length.

    Args:
        value: The value of a property.
        of: How large the words around are.
        whole: What 100 % are; None if that is not known.
    """
    found = []
    for number, unit in _LENGTH.findall(value):
        of_unit = {"em": of, "ex": of / 2, "ch": of / 2, "rem": 16.0, "vw": 12.8, "vh": 7.2}
        of_unit |= _POINTS | ({} if whole is None else {"%": whole / 100})
        if unit in of_unit:
            found.append(float(number) * of_unit[unit])
    return max(found, key=abs) if found else None


def font_size(value: str, *, of: float) -> float | None:
    """The size that `font-size` says, in pixels, where the words around are `of` large."""
    if value in _SIZES:
        return _SIZES[value]
    if value in ("smaller", "larger"):
        return of * (0.83 if value == "smaller" else 1.2)
    return pixels(value, of=of, whole=of)


def _colour(name: str) -> tuple[Colour, float] | None:
    if name == "transparent":
        return WHITE, 0.0
    if name.startswith("#") or name in _NAMED:
        digits = name[1:] if name.startswith("#") else _NAMED[name]
        if len(digits) in (3, 4):
            digits = "".join(digit * 2 for digit in digits)
        if len(digits) not in (6, 8):
            return None
        red, green, blue, opacity = (int(digits[n : n + 2] or "ff", 16) for n in range(0, 8, 2))
        return (red, green, blue), opacity / 255
    return _of_function(name) if "(" in name else None


def _of_function(value: str) -> tuple[Colour, float] | None:
    name = value.partition("(")[0].removesuffix("a")
    found = [(float(n), unit) for n, unit in _NUMBER.findall(_SPACE.sub("", value))][:4]
    if len(found) < 3:
        return None
    numbers = [number for number, _ in found]
    opacity = 1.0
    if len(found) == 4:
        opacity = numbers[3] / (100 if found[3][1] == "%" else 1)
    if name == "rgb":
        red, green, blue = (n * 2.55 if unit == "%" else n for n, unit in found[:3])
        return (red, green, blue), opacity
    if name == "color":
        red, green, blue = (n / 100 if unit == "%" else n for n, unit in found[:3])
    elif name in ("hsl", "hwb"):
        red, green, blue = _of_hue(name, *numbers[:3])
    else:
        if name.startswith("ok") and found[0][1] != "%":
            numbers[0] *= 100
        red, green, blue = _of_lightness(name, *numbers[:3])
    return (red * 255, green * 255, blue * 255), opacity


def _of_hue(name: str, hue: float, second: float, third: float) -> Colour:
    """Red, green and blue, 0 to 1, of a hue in degrees and two shares in percent."""
    if name == "hsl":
        return colorsys.hls_to_rgb(hue % 360 / 360, third / 100, second / 100)
    white, black = (share / max(100.0, second + third) for share in (second, third))
    red, green, blue = (
        part * (1 - white - black) + white for part in colorsys.hls_to_rgb(hue % 360 / 360, 0.5, 1)
    )
    return red, green, blue


def _of_lightness(name: str, lightness: float, a: float, b: float) -> Colour:
    """Red, green and blue, 0 to 1, of `lab`, `lch`, `oklab` or `oklch`, the lightness 0 to 100.

    The formulas and numbers are those of CSS Color 4 and of Ottosson (2020).
    """
    if name.endswith("lch"):
        a, b = a * math.cos(math.radians(b)), a * math.sin(math.radians(b))
    if name.startswith("ok"):
        own = (lightness / 100, a, b)
        cones = [_product(row, own) ** 3 for row in _OKLAB]
        linear = [_product(row, cones) for row in _CONES]
    else:
        middle = (lightness + 16) / 116
        parts = (middle + a / 500, middle, middle - b / 200)
        cubes = [part**3 if part > 6 / 29 else (part - 4 / 29) * 108 / 841 for part in parts]
        linear = [_product(row, [w * c for w, c in zip(_D50, cubes, strict=True)]) for row in _XYZ]
    red, green, blue = (
        12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055
        for part in (min(1.0, max(0.0, value)) for value in linear)
    )
    return red, green, blue


def _product(row: Sequence[float], values: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip(row, values, strict=True))
