"""What LaTeX prints: not what it hides, and what commands stand for that it defines itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from retrieval.documents.loaders.front_matter import refuse, refuse_comments
from retrieval.labels import names_audience

MAX_MACRO_CHARS = 1_000
MAX_EXPANDED = 10_000
MAX_NESTED = 5
"""How long what a command stands for may be, how often commands of a document's own are looked up,
and through how many of them; the words of others are left out."""

_HIDDEN = re.compile(r"\\begin\{comment\}(.*?)(?:\\end\{comment\}|\Z)", re.DOTALL)
_SWITCH = re.compile(r"\\newif\s*\\if([A-Za-z]+)")
_BRANCH = re.compile(r"\\(if(?!f(?![A-Za-z@])|thenelse)[A-Za-z@]*|else|fi)(?![A-Za-z@])[ \t]*")
_DEFINITION = re.compile(
    r"\\(?:(?:new|renew|provide)command|DeclareRobustCommand)\*?\s*(?:\{\s*\\([A-Za-z]+)\s*\}|\\([A-Za-z]+))"
    r"\s*(?:\[(\d)\])?(\s*\[[^\[\]]*\])?\s*\{|\\def\s*\\([A-Za-z]+)((?:#\d)*)\s*\{"
)
_NOTHING = re.compile(r"(?:[ \t]*\{\})?")
_ARGUMENT = re.compile(r"\s*\{")
_BRACE = re.compile(r"\\.|[{}]")


def printed(text: str) -> tuple[str, int]:
    r"""What is printed, and how many parts are not: comments, and what stands under `\iffalse`.

    Raises:
        RestrictedError: If what is not printed may say who reads it.
    """
    hidden = _HIDDEN.findall(text)
    text = _HIDDEN.sub("", text)
    switches = [name for name in _SWITCH.findall(text) if f"\\{name}true" not in text]
    off = {"iffalse", *(f"if{name}" for name in switches)}
    pieces: list[str] = []
    open_: list[bool | None] = []  # whether each is shown that is not closed; None if not known
    at = 0
    text = _SWITCH.sub("", text)
    for match in [*_BRANCH.finditer(text), None]:
        end = match.start() if match else len(text)
        (hidden if False in open_ else pieces).append(text[at:end])
        if match is None:
            break
        at = match.end()
        if match[1].startswith("if"):
            is_on = False if match[1] in off else True if match[1] == "iftrue" else None
            open_.append(is_on)
        elif match[1] == "else" and open_:
            open_[-1] = None if open_[-1] is None else not open_[-1]
        elif match[1] == "fi":
            del open_[-1:]
    hidden = [part for part in hidden if part.strip()]
    refuse_comments(line for part in hidden for line in part.split("\n"))
    return "".join(pieces), len(hidden)


def expanded(text: str, *, known: Collection[str]) -> str:
    """The text with what commands stand for that it defines itself, but for those that are known.

    Raises:
        RestrictedError: If such a command may say who reads it.
    """
    macros: dict[str, tuple[int, str]] = {}
    pieces: list[str] = []
    at = 0
    while match := _DEFINITION.search(text, at):
        name = match[1] or match[2] or match[5]
        refuse(filter(names_audience, [name]), where=" of a command")
        end = _closing(text, match.end())
        pieces.append(text[at : match.start()])
        at = end
        body = text[match.end() : end - 1]
        arguments = int(match[3] or 0) if match[5] is None else len(match[6]) // 2
        if name not in known and not match[4] and "@" not in body:
            macros[name] = arguments, body
    text = "".join([*pieces, text[at:]])
    if not macros:
        return text
    used = re.compile(rf"\\({'|'.join(macros)})(?![A-Za-z])")
    left = MAX_EXPANDED
    for _ in range(MAX_NESTED):
        text, left = _once(text, used, macros, left)
    return text


def _once(
    text: str, used: re.Pattern[str], macros: Mapping[str, tuple[int, str]], left: int
) -> tuple[str, int]:
    """The text with each command replaced by what it stands for, and how many more may be."""
    pieces: list[str] = []
    at = 0
    while left and (match := used.search(text, at)):
        pieces.append(text[at : match.start()])
        at = match.end()
        count, body = macros[match[1]]
        for n in range(1, count + 1):
            if not (brace := _ARGUMENT.match(text, at)):
                break
            at = _closing(text, brace.end())
            body = body.replace(f"#{n}", text[brace.end() : at - 1])[:MAX_MACRO_CHARS]
        if not count and (nothing := _NOTHING.match(text, at)):
            at = nothing.end()
        pieces.append(body)
        left -= 1
    return "".join([*pieces, text[at:]]), left


def _closing(text: str, start: int) -> int:
    """Where what begins behind a brace ends, behind its own brace."""
    depth = 1
    for match in _BRACE.finditer(text, start, start + MAX_MACRO_CHARS):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return start
