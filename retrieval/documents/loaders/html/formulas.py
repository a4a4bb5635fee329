"""Reads formulas of pages: the TeX that they were made from, else MathML as a line of text."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

_STYLED = re.compile(r"\{\\(?:display|text|script)style\s*(.*)\}", re.DOTALL)
_BETWEEN = {"msup": "^", "msub": "_", "mfrac": "/", "munder": "_", "mover": "^"}
_BEFORE = {"msqrt": "√", "mroot": "√"}
_ALL_THREE = ("msubsup", "munderover")
_ATOMS = frozenset(("mi", "mn", "mo", "mtext", "ms"))
MAX_DEPTH = 50


def formula_of(math: LexborNode) -> str:
    """What a `<math>` says in one line."""
    for annotation in math.css("annotation"):
        if "tex" in (annotation.attributes.get("encoding") or "").lower():
            return tex(annotation.text())
    alternative = math.attributes.get("alttext")
    return tex(alternative) if alternative else " ".join(_linear(math, 0).split())


def tex(source: str) -> str:
    """TeX on one line, without the style that an encyclopedia puts around it."""
    source = " ".join(source.split())
    styled = _STYLED.fullmatch(source)
    return styled[1].strip() if styled else source


def _linear(node: LexborNode, depth: int) -> str:
    tag = (node.tag or "").removeprefix("math:")
    children = list(node.iter())
    if tag in _ATOMS or not children or depth > MAX_DEPTH:
        text = node.text().strip()
        return f" {text} " if tag == "mo" and text in "=<>≤≥≠≈+−-±×÷·∈→" and text else text
    parts = [
        _linear(child, depth + 1) for child in children if "annotation" not in (child.tag or "")
    ]
    if tag in _BETWEEN and len(parts) == 2:
        return f"{_grouped(parts[0])}{_BETWEEN[tag]}{_grouped(parts[1])}"
    if tag in _ALL_THREE and len(parts) == 3:
        return f"{_grouped(parts[0])}_{_grouped(parts[1])}^{_grouped(parts[2])}"
    if tag in _BEFORE:
        return f"{_BEFORE[tag]}{_grouped(''.join(parts[:1] if tag == 'mroot' else parts))}"
    return {"mtd": " ", "mtr": "; "}.get(tag, "").join(("", *parts, "")) or "".join(parts)


def _grouped(part: str) -> str:
    part = part.strip()
    return part if len(part) < 2 or part.isalnum() else f"({part})"
