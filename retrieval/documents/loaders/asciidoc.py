"""Reads AsciiDoc: headings, lists, tables, notes, code; macros for their words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from retrieval.documents.loaders.as_markdown import read_markdown, table
from retrieval.documents.loaders.blocks import Loaded, counted, fenced
from retrieval.documents.loaders.front_matter import own_label, refuse_comments, refuse_unread
from retrieval.documents.loaders.text import decode

_ATTRIBUTE = re.compile(r":(!?[\w-]+!?):(?:[ \t]+(.*))?$")
_HEADING = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)")
_STYLE = re.compile(r"\[([^\[\]]*)\]$")
_FENCE = re.compile(r"(-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|--|```+)[\w-]*$")
_TABLE = re.compile(r"([|,:!])={3,}$")
_ITEM = re.compile(r"[ \t]*(\*{1,5}|\.{1,5}|-|\d+\.)[ \t]+(\S.*)")
_TERM = re.compile(r"[ \t]*(\S.*?)(?:::|;;)(?:[ \t]+(.*))?$")
_NOTE = re.compile(r"(NOTE|TIP|IMPORTANT|WARNING|CAUTION):[ \t]+(.*)")
_NOTES = frozenset(("NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION"))
_INCLUDE = re.compile(r"include::(\S+)\[")
_CONDITION = re.compile(r"(ifdef|ifndef|ifeval|endif)::([^\s\[\]]*)\[(.*)\]$")
_COMPARISON = re.compile(r"\s*(\S.*?)\s*(==|!=)\s*(\S.*)")
_ALWAYS_SET = re.compile(r"asciidoctor|(?:base)?backend-html5?")
_COLUMNS = re.compile(r"cols=(?:\"([^\"]*)\"|([^\",\s\[\]]*))")
_CELL = re.compile(
    r"(?:^|[ \t]+)(?:\d*\.?\d*[+*])?[<^>.]*[adehlmsv]?\|(?!=)|(?<=\S)[ \t]*(?<!\\)\|(?!=)"
)

_MACROS = (
    (re.compile(r"image::?([^\[\]\s]+)\[([^\[\],]*)[^\[\]]*\]"), lambda m: m[2] or m[1]),
    (re.compile(r"(?:link:|xref:)([^\[\]\s]+)\[([^\[\]]*)\]"), lambda m: _link(m[2], m[1])),
    (re.compile(r"(https?://[^\[\]\s<>]+)\[([^\[\]]*)\]"), lambda m: _link(m[2], m[1])),
    (re.compile(r"<<([^<>,]+)(?:,[ \t]*([^<>]+))?>>"), lambda m: m[2] or m[1]),
    (re.compile(r"(?:kbd|btn|footnote|footnoteref|pass|icon|stem|latexmath|menu):[^\[\]\s]*\[([^\[\]]*)\]"),
     lambda m: f" ({m[1]})" if m[0].startswith("foot") else m[1]),
    (re.compile(r"\[\[[^\[\]]*\]\]|\[#[^\[\]]*\](?=\S)|\(\(\([^()]*\)\)\)"), lambda _: ""),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]{1,300})(?<=\S)\*(?![\w*])"), lambda m: f"**{m[1]}**"),
)  # fmt: skip


def load_asciidoc(data: bytes) -> list[Loaded]:
    """One document; an attribute `:audience:` of its head says who may read it.

    Raises:
        RestrictedError: If it may say who reads it, in a way that cannot be read for sure.
    """
    text = decode(data)
    lines = text.split("\n")
    found = [(m[1], m[2] or "") for line in lines if (m := _ATTRIBUTE.match(line))]
    refuse_unread("\n".join(line for line in lines if not _ATTRIBUTE.match(line)))
    refuse_comments(line for line in lines if line.startswith("//"))
    audience = own_label(found)
    conditions = _Conditions()
    shown = [*conditions.met(lines)]
    reader = _Reader({m[1]: m[2] or "" for line in shown if (m := _ATTRIBUTE.match(line))})
    written = [*reader.lines(iter(shown))]
    gaps = (
        *((f"files that it includes are not read: {reader.includes}",) if reader.includes else ()),
        *counted(
            conditions.unmet,
            "part under a condition that is not met",
            "parts under conditions that are not met",
        ),
    )
    return read_markdown(written, audience=audience, gaps=gaps)


def _columns(spec: str) -> int:
    """How many columns `3`, `3*` or `1,2*,3` are."""
    if spec.isdecimal():
        return int(spec[:4])
    repeated = (re.match(r"\s*(\d{1,3})\*", part) for part in re.split("[,;]", spec))
    return sum(int(match[1]) if match else 1 for match in repeated)


def _link(words: str, target: str) -> str:
    words = words.removesuffix("^").strip('" ')
    return f"[{words or target}]({target})"


@dataclass(slots=True)
class _Conditions:
    """Which lines a reader sees by the attributes that the document sets itself."""

    known: dict[str, str] = field(default_factory=dict)
    unmet: int = 0

    def met(self, lines: Iterable[str]) -> Iterator[str]:
        """The lines whose conditions are met."""
        around: list[bool] = []
        for line in lines:
            condition = _CONDITION.match(line.rstrip())
            if condition is None:
                if all(around):
                    self.learn(line)
                    yield line
            elif condition[1] == "endif":
                del around[-1:]
            else:
                is_met = self.is_met(*condition.groups())
                self.unmet += all(around) and not is_met
                if condition[1] == "ifeval" or not condition[3]:
                    around.append(is_met)
                elif all(around) and is_met:
                    yield condition[3]

    def learn(self, line: str) -> None:
        if attribute := _ATTRIBUTE.match(line):
            name = attribute[1].strip("!")
            self.known[name] = attribute[2] or ""
            if name != attribute[1]:
                del self.known[name]

    def value(self, side: str) -> str:
        filled = re.sub(r"\{([\w-]+)\}", lambda m: self.known.get(m[1], ""), side)
        return filled.strip().strip("\"'")

    def is_met(self, kind: str, names: str, said: str) -> bool:
        if kind == "ifeval":
            compared = _COMPARISON.fullmatch(said)
            if compared is None:
                return True  # a number that is larger than another: nobody's secret
            left, right = (self.value(side) for side in (compared[1], compared[3]))
            return (left == right) == (compared[2] == "==")
        is_any = any if "," in names else all
        is_set = is_any(
            name in self.known or _ALWAYS_SET.fullmatch(name) is not None
            for name in re.split("[,+]", names)
        )
        return is_set == (kind == "ifdef")


@dataclass(slots=True)
class _Reader:
    attributes: dict[str, str]
    style: list[str] = field(default_factory=list)
    includes: int = 0

    def lines(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            if style := _STYLE.match(line.strip()):
                self.style = [part.strip().strip('"') for part in re.split(r"[,#.%]", style[1])]
                self.style.append(style[1])
                continue
            if self.style[:1] == ["comment"] and line.strip():
                self.skip(line, lines)
            else:
                yield from self.line(line, lines)
            if line.strip() and not line.startswith("."):
                self.style = []

    def line(self, line: str, lines: Iterator[str]) -> Iterator[str]:
        stripped = line.rstrip()
        if stripped.startswith("//") and not stripped.startswith("////"):
            return
        if _ATTRIBUTE.match(stripped) or stripped in ("'''", "<<<", "toc::[]"):
            return
        if table_mark := _TABLE.match(stripped):
            yield from self.table(stripped, table_mark[1], lines)
        elif _FENCE.match(stripped):
            yield from self.block(stripped, lines)
        elif heading := _HEADING.match(stripped):
            yield from ("", f"{'#' * len(heading[1])} {self.inline(heading[2])}", "")
        elif _INCLUDE.match(stripped):
            self.includes += 1
        elif re.match(r"\.[^\s.]", stripped):
            yield from ("", self.inline(stripped[1:]), "")
        else:
            yield from self.prose(stripped)

    def skip(self, line: str, lines: Iterator[str]) -> None:
        """Read past a block or paragraph that is a comment."""
        end = line.rstrip() if _FENCE.match(line.rstrip()) else ""
        refuse_comments([line, *iter(lambda: next(lines, end).rstrip(), end)])

    def prose(self, line: str) -> Iterator[str]:
        if self.style and self.style[0] in _NOTES:
            yield f"**{self.style[0].capitalize()}:** {self.inline(line)}"
        elif note := _NOTE.match(line):
            yield f"**{note[1].capitalize()}:** {self.inline(note[2])}"
        elif item := _ITEM.match(line):
            mark = item[1]
            depth = len(mark) - 1 if mark[0] in "*." else 0
            bullet = "1." if mark[0] in ".0123456789" else "-"
            yield f"{'   ' * depth}{bullet} {self.inline(item[2])}"
        elif (term := _TERM.match(line)) and "::" not in term[1]:
            yield from ("", f"**{self.inline(term[1])}** {self.inline(term[2] or '')}")
        elif line == "+":
            yield ""
        else:
            yield self.inline(line.removesuffix(" +"))

    def block(self, mark: str, lines: Iterator[str]) -> Iterator[str]:
        style = self.style
        end = mark if mark[0] != "`" else re.match("`+", mark)[0]  # type: ignore[index]
        held = []
        for line in lines:
            if line.rstrip() == end:
                break
            held.append(line)
        if mark[0] == "/":
            refuse_comments(held)
            return
        is_code = mark[0] in ".`+" or (mark[0] == "-" and len(mark) > 2)
        is_code = is_code or bool(style and style[0] in ("source", "listing", "literal"))
        yield ""
        if is_code:
            yield fenced("\n".join(held), style[1] if len(style) > 2 else "")
        else:
            if style and style[0] in _NOTES:
                yield from (f"{style[0].capitalize()}:", "")
            self.style = []
            yield from self.lines(iter(held))
        yield ""

    def table(self, mark: str, kind: str, lines: Iterator[str]) -> Iterator[str]:
        held = []
        for line in lines:
            if line.rstrip() == mark:
                break
            if not line.startswith("//"):
                held.append(line.rstrip())
        style = self.style[-1] if self.style else ""
        if kind != "|":
            yield from ("", fenced("\n".join(held)), "")
            return
        rows, width = self.rows(held, style)
        first = next((n for n, line in enumerate(held) if line.strip()), 0)
        is_parted = len(held) > first + 1 and not held[first + 1].strip()
        has_header = "header" in style or (is_parted and len(rows[0] if rows else ()) == width)
        yield from ("", table(rows, has_header=has_header and len(rows) > 1), "")

    def rows(self, lines: list[str], style: str) -> tuple[list[list[str]], int]:
        cells: list[list[str]] = []
        for line in lines:
            before, *begun = _CELL.split(line)
            if before.strip() and cells and cells[-1]:
                cells[-1][-1] += f" {before.strip()}"
            if begun:
                cells.append([cell.strip() for cell in begun])
        named = _COLUMNS.search(style)
        width = _columns(named[1] or named[2]) if named else len(cells[0]) if cells else 0
        flat = [self.inline(cell.replace("\\|", "|")) for row in cells for cell in row]
        width = min(max(width, 1), 1_000)
        return [flat[at : at + width] for at in range(0, len(flat), width)], width

    def inline(self, text: str) -> str:
        def attribute(match: re.Match[str]) -> str:
            return self.attributes.get(match[1], match[0])[:1_000]

        pieces = re.split(r"(`[^`\n]*`)", re.sub(r"\{([\w-]+)\}", attribute, text))
        for at, piece in enumerate(pieces):
            if at % 2:
                pieces[at] = f"`{piece.strip('`').strip('+')}`"
                continue
            for pattern, words in _MACROS:
                piece = pattern.sub(words, piece)
            pieces[at] = piece.replace("<", "&lt;")
        return "".join(pieces)
