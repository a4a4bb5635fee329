"""Reads LaTeX for its words: sections, lists, tables and code; formulas stay as they are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from retrieval.documents.loaders.as_markdown import read_markdown, table
from retrieval.documents.loaders.blocks import Loaded, counted, fenced
from retrieval.documents.loaders.front_matter import refuse, refuse_comments, refuse_unread
from retrieval.documents.loaders.markdown.dialects import is_formula
from retrieval.documents.loaders.tex_macros import expanded, printed
from retrieval.documents.loaders.text import decode
from retrieval.labels import names_audience

MAX_DEPTH = 30
"""Braces in more braces than that are left as they are."""

_VERBATIM = re.compile(
    r"\\begin\{(verbatim\*?|lstlisting|minted|Verbatim|alltt)\}(?:\[[^\[\]\n]*\])?(?:\{[^{}\n]*\})?"
    r"(.*?)\\end\{\1\}",
    re.DOTALL,
)
_COMMENT = re.compile(r"(?<!\\)%([^\n]*)\n?")
_COMMAND_NAME = re.compile(r"\\([A-Za-z]+)\s*\{")
_BODY = re.compile(r"\\begin\{document\}(.*?)(?:\\end\{document\}|\Z)", re.DOTALL)
_MATH = re.compile(
    r"\\\[.{1,5000}?\\\]|\\\(.{1,2000}?\\\)|\$\$[^$]{1,5000}\$\$|(?<!\\)\$[^$\n]{1,500}\$|"
    r"\\begin\{((?:equation|align|gather|multline|eqnarray)\*?)\}.{1,10000}?\\end\{\1\}",
    re.DOTALL,
)
_TABULAR = re.compile(
    r"\\begin\{(tabularx?\*?|longtable|tabulary|array)\}((?:[^\\]|\\(?!end\{\1\})){0,200000})"
    r"\\end\{\1\}"
)
_SPEC = re.compile(r"\s*(?:\[[^\[\]]*\])?(?:\{(?:[^{}]|\{[^{}]*\})*\}\s*){1,2}")
_RULES = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|endhead|endfoot|endfirsthead|centering)\b|\\c(?:line|midrule)(?:\([^()]*\))?\{[^{}]*\}"
)
_ACCENT = re.compile(r"\\([`'^\"~=.cuvHkr])\s*(?:\{(\\?[A-Za-z])\}|(?<![cuvHkr])(\\?[A-Za-z]))")
_ACCENTS = dict(
    zip(
        "`'^\"~=.cuvHkr",
        "\u0300\u0301\u0302\u0308\u0303\u0304\u0307\u0327\u0306\u030c\u030b\u0328\u030a",
        strict=True,
    )
)
_LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å",
    "l": "ł", "L": "Ł", "i": "i", "ldots": "…", "dots": "…", "LaTeX": "LaTeX",
    "TeX": "TeX", "euro": "€", "pounds": "£", "S": "§", "copyright": "©", "textendash": "–",
    "textemdash": "—", "quad": " ", "qquad": " ", "newline": "\n", "par": "\n\n",
}  # fmt: skip
_LEVELS = {
    "part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5,
    "subparagraph": 6,
}  # fmt: skip
_SILENT = frozenset((
    "label", "ref", "pageref", "vspace", "hspace", "usepackage", "documentclass", "pagestyle",
    "thispagestyle", "setlength", "setcounter", "addcontentsline", "hypersetup", "color",
    "newcommand", "renewcommand", "index", "markboth", "phantomsection", "geometry", "fontsize",
    "bibliographystyle",
))  # fmt: skip
_ELSEWHERE = {
    "input": "files", "include": "files", "bibliography": "files", "includegraphics": "pictures",
}  # fmt: skip
_CALL = re.compile(r"\\([A-Za-z]+)\*?[ \t]*((?:\[[^\[\]]*\])*)(\{[^{}]*\}(?:[ \t]*\{[^{}]*\})*)")
_KNOWN = frozenset((
    *_LETTERS, *_LEVELS, *_SILENT, *_ELSEWHERE, "begin", "end", "item", "title", "href", "url",
    "textbf", "emph", "textit", "texttt", "verb", "footnote", "footnotetext", "cite",
))  # fmt: skip
_LIST = re.compile(
    r"\\(begin|end)\{(itemize|enumerate|description)\}(?:\[[^\[\]]*\])?|"
    r"\\item\b[ \t]*(?:\[([^\[\]]*)\])?"
)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[^{}]*\}(?:\[[^\[\]]*\])?")
_KEPT = "\ue000{}\ue001"
_KEPT_AT = re.compile("\ue000(\\d+)\ue001")


def load_tex(data: bytes) -> list[Loaded]:
    r"""One document, called by its `\title`. It has no place for an audience.

    Raises:
        RestrictedError: If a comment or command may say who reads it.
    """
    text = re.sub("[\ue000\ue001]", "", decode(data))
    refuse_unread(text)
    kept: list[str] = []
    missing: dict[str, int] = {}

    def keep(words: str) -> str:
        kept.append(words)
        return _KEPT.format(len(kept) - 1)

    text = _VERBATIM.sub(lambda m: f"\n\n{keep(fenced(m[2].strip(chr(10))))}\n\n", text)
    refuse_comments(_COMMENT.findall(text))
    refuse(filter(names_audience, _COMMAND_NAME.findall(text)), where=" of a command")
    text, hidden = printed(_COMMENT.sub("", text))
    text = expanded(text, known=_KNOWN)
    title = re.search(r"\\title(?:\[[^\[\]]*\])?\{((?:[^{}]|\{[^{}]*\})*)\}", text)
    body = _BODY.search(text)
    text = _MATH.sub(lambda m: keep(_formula(m[0])), body[1] if body else text)
    words = _Words(keep, missing)
    text = _TABULAR.sub(lambda m: f"\n\n{keep(words.table(m[2]))}\n\n", text)
    written = words.plain(_lists(re.sub(r"\n[ \t]+", "\n", text)))
    for _ in range(3):  # a table may hold a formula
        written = _KEPT_AT.sub(lambda m: kept[int(m[1])], written)
    name = _KEPT_AT.sub(lambda m: kept[int(m[1])], words.plain(title[1])) if title else ""
    name = re.sub(r"[*`\\]", "", name).strip()
    gaps = (
        *(f"{kind} that it includes are not read: {n}" for kind, n in missing.items()),
        *counted(hidden, "part that is not printed", "parts that are not printed"),
    )
    return read_markdown(written.split("\n"), title=name or None, gaps=gaps)


def _formula(source: str) -> str:
    # In what is no formula to Markdown, its marks would mean something else.
    return source if is_formula(source) else re.sub(r"([\\*_<`\[\]])", r"\\\1", source)


class _Words:
    """Turns commands into words; `keep` sets aside what is not to be looked at again."""

    def __init__(self, keep: Callable[[str], str], missing: dict[str, int]) -> None:
        self._keep = keep
        self._missing = missing

    def plain(self, text: str) -> str:
        """The text without commands, the innermost first."""
        text = _ACCENT.sub(_accented, re.sub(r"\\\\(?:\[[^\[\]]*\])?", "  \n", text))
        text = re.sub(r"\\([%&#$_])", lambda m: self._keep("\\" + m[1]), text)
        text = re.sub(r"\\[{}]", lambda m: self._keep(m[0][1]), text)
        text = re.sub(
            r"\\([A-Za-z]+)(?![A-Za-z\[{*])[ \t]*",
            lambda m: _LETTERS.get(m[1], "") or ("" if m[1] not in _SILENT else m[0]),
            text,
        )
        for _ in range(MAX_DEPTH):
            text, count = _CALL.subn(self._called, text)
            text, others = re.subn(r"(?<![A-Za-z\]}])\{([^{}]*)\}", r"\1", text)
            if not count and not others:
                break
        text = _RULES.sub("", text)
        return re.sub(r"``|''", '"', text.replace("~", " ").replace("---", "—").replace("--", "–"))

    def table(self, source: str) -> str:
        """A table in Markdown."""
        rows = [
            [self.plain(cell).strip() for cell in re.split(r"(?<!\\)&", row)]
            for row in re.split(
                r"\\\\(?:\[[^\[\]]*\])?|\\tabularnewline\b",
                _RULES.sub("", _SPEC.sub("", source, count=1)),
            )
            if row.strip()
        ]
        return table(rows, has_header=len(rows) > 1)

    def _called(self, match: re.Match[str]) -> str:
        name, arguments = match[1], re.findall(r"\{([^{}]*)\}", match[3])
        last = arguments[-1]
        if name in _LEVELS:
            return f"\n\n{'#' * _LEVELS[name]} {' '.join(arguments[0].split())}\n\n"
        if name in _ELSEWHERE:
            kind = _ELSEWHERE[name]
            self._missing[kind] = self._missing.get(kind, 0) + 1
            return ""
        if name in _SILENT:
            return ""
        if name == "href" and len(arguments) > 1:
            return self._keep(f"[{last}]({arguments[0]})")
        if name == "url":
            return self._keep(f"<{last}>") if re.match("https?://", last) else last
        if name in ("textbf", "emph", "textit", "texttt", "verb"):
            return {"textbf": f"**{last}**", "texttt": f"`{last}`"}.get(name, f"*{last}*")
        if name in ("footnote", "footnotetext"):
            return f" ({last})"
        return f"[{last}]" if name.startswith("cite") else " ".join(arguments)


def _lists(text: str) -> str:
    """Lists as Markdown has them; marks of other environments go."""
    open_lists: list[str] = []

    def mark(match: re.Match[str]) -> str:
        if match[1] == "begin":
            open_lists.append(match[2])
            return "\n\n" if len(open_lists) == 1 else "\n"
        if match[1]:
            del open_lists[-1:]
            return "\n" if open_lists else "\n\n"
        bullet = "1." if open_lists[-1:] == ["enumerate"] else "-"
        indent = "   " * min(10, max(0, len(open_lists) - 1))
        return f"\n{indent}{bullet} {f'**{match[3]}** ' if match[3] else ''}"

    return _ENVIRONMENT.sub("", _LIST.sub(mark, text))


def _accented(match: re.Match[str]) -> str:
    letter = (match[2] or match[3]).removeprefix("\\")
    return unicodedata.normalize("NFC", letter + _ACCENTS[match[1]])
