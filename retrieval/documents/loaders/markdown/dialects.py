"""What MkDocs, Docusaurus, GitHub and their like add to Markdown: notes, tabs, formulas, tags."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import zip_longest

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock, reference
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType

from retrieval.documents.loaders.markdown.notes import (
    ATTRIBUTE_LIST,
    DIRECTIVES,
    ENDS,
    HEADING_ID,
    IS_WHOLE,
    JSX,
    KEPT,
    STRING,
    callout,
    label_of,
    label_of_tag,
    title_of_kind,
)

MAX_NESTING = 50
"""Quotes and lists that are nested deeper are not read."""
MAX_TAG_LINES = 20
MAX_FENCES = 3
MAX_LINE_CHARS = 1000
"""Longer lines are text, and say neither what a note nor what a tab is called."""

_INDENTED = re.compile(
    r"(?:(?:!!!|\?\?\?\+?)\s*(?P<kind>[\w -]*?)|===[!+]{0,2})\s*(?:\"(?P<title>.*)\")?\s*"
)
_IMPORT = re.compile(r"import\s+(?:[\w*{}\s,$]+\s+from\s+)?['\"][^'\"]+['\"];?\s*")
_EXPORT = re.compile(r"export\s+(?:const|let|var|function|default|async|class|\{|\*)|import\s+\{?")
_OPTION = re.compile(r":[\w-]+:(?:\s.*)?")
_ID = re.compile(r"#([^\s{}]+)")
_FORMULA = re.compile(
    r"\$\$(?!\$)(?:[^$\\]|\\.){1,1000}\$\$|\$(?![\s$])(?:[^$\\\n`]|\\.){0,300}?[^\s$\\]\$(?![\d$])"
    r"|\\\((?:[^\\\n]|\\[^()]){1,300}\\\)",
    re.DOTALL,
)
_SPACES = re.compile(r"\{(?:\" *\"|' *')\}")
_FENCE_TITLE = re.compile(rf"\btitle=({STRING})|\s\[([^\]]+)\]")
_BLOCKS: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}


def is_formula(text: str) -> bool:
    """Whether the text is one formula, of which no mark means anything else."""
    return _FORMULA.fullmatch(text) is not None


def html_of(markdown: str, *, is_mdx: bool = False) -> str:
    """Markdown of any of its dialects as HTML; what a note or a tab is called is a `<summary>`."""
    return str(_parser(is_mdx=is_mdx).render(markdown))


@cache
def _parser(*, is_mdx: bool) -> MarkdownIt:
    md = MarkdownIt("commonmark", {"html": True, "maxNesting": MAX_NESTING})
    md.enable(["table", "strikethrough"])
    if is_mdx:
        md.disable("code")
    md.block.ruler.at("reference", _reference)
    md.block.ruler.before("fence", "indented", _indented, _BLOCKS)
    md.block.ruler.before("fence", "marked", _marked, _BLOCKS)
    md.block.ruler.before("fence", "modules", _modules_of(is_mdx=is_mdx))
    md.block.ruler.before("fence", "formula", _formula_block, _BLOCKS)
    md.inline.ruler.before("escape", "formula", _formula)
    md.inline.ruler.before("html_inline", "jsx", _jsx)
    md.inline.ruler.before("html_inline", "attributes", _attributes)
    md.core.ruler.after("block", "finish", _finish)
    md.core.ruler.after("inline", "bold_line", _bold_line)
    return md


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip()


def _is_long(state: StateBlock, line: int) -> bool:
    return state.eMarks[line] - state.bMarks[line] > MAX_LINE_CHARS


def _push_html(state: StateBlock, html: str, start: int, end: int) -> None:
    token = state.push("html_block", "", 0)
    token.map, token.content = [start, end], html
    state.line = end


def _summary(label: str | None, md: MarkdownIt) -> str:
    return f"<summary>{md.renderInline(label)}</summary>\n" if label else ""


def _marked(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A line that only begins, names or ends something."""
    if state.is_code_block(start) or _is_long(state, start):
        return False
    line = _line(state, start)
    if not line or line[0] not in ":[{/=<$\\":
        return False
    last = start + 1
    if line[0] == "<":
        last, line = _whole_tag(state, start, end, line)
    label = label_of(line)
    if label is None:
        return False
    if silent:
        return True
    if line.startswith(":") and "{" in line:
        while last < end and _OPTION.fullmatch(_line(state, last)):
            last += 1
    html = line if label == KEPT else _part(label, line, state)
    _push_html(state, f"{html}\n", start, last)
    return True


def _part(label: str, line: str, state: StateBlock) -> str:
    """What begins or ends a part of the text, as HTML: those without a name are none."""
    parts: list[bool] = state.env.setdefault("parts", [])
    if ENDS.fullmatch(line):
        is_named = bool(parts) and parts.pop()
        _allow_code(state, is_allowed=not parts)
        return "</details>" if is_named else ""
    if IS_WHOLE.fullmatch(line):
        return _summary(label, state.md)
    parts.append(bool(label))
    _allow_code(state, is_allowed=not line.startswith("<"))
    return f"<details>{_summary(label, state.md)}" if label else ""


def _allow_code(state: StateBlock, *, is_allowed: bool) -> None:
    # In a component, text is indented as its tags are. The parser has no public way to say so.
    is_usual = "code" in state.md.block.ruler.get_active_rules()
    state._code_enabled = is_allowed and is_usual  # noqa: SLF001


def _whole_tag(state: StateBlock, start: int, end: int, line: str) -> tuple[int, str]:
    """The lines that a tag stands on, and it on one."""
    last, whole = start + 1, line
    if re.match(r"<[A-Z][\w.]*(?:\s|$)", line):
        while not JSX.match(whole) and last < min(end, start + MAX_TAG_LINES):
            whole = f"{whole} {_line(state, last)}"
            last += 1
    if not JSX.match(whole):
        last, whole = start + 1, line
    following = state.src[state.bMarks[last] : state.eMarks[last]] if last < end else ""
    if line[:2].lower() in ("<a", "<d") and following[:1] in ("<", " ", "\t"):
        return last, "<"  # HTML that is indented goes on
    return last, whole


def _indented(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A note or tab whose text is indented below it."""
    if state.is_code_block(start) or _is_long(state, start):
        return False
    match = _INDENTED.fullmatch(_line(state, start))
    if match is None or not (match["kind"] or match["title"]):
        return False
    if silent:
        return True
    title = match["title"]
    label = title if title is not None else title_of_kind((match["kind"] or "").split(" ")[0])
    _push_html(state, f"<details>{_summary(label, state.md)}", start, start + 1)
    indent, line_max, parent = state.blkIndent, state.lineMax, state.parentType
    inner = state.sCount[start] + 4
    last = start + 1
    while last < end and (state.isEmpty(last) or state.sCount[last] >= inner):
        last += 1
    state.blkIndent, state.lineMax = inner, last
    state.md.block.tokenize(state, start + 1, last)
    state.blkIndent, state.lineMax, state.parentType = indent, line_max, parent
    _push_html(state, "</details>\n", last, last)
    return True


def _modules_of(*, is_mdx: bool) -> Callable[[StateBlock, int, int, bool], bool]:
    def modules(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        """What a page in MDX imports and exports, up to the next empty line."""
        line = _line(state, start)
        if silent or state.level or not line.startswith(("import ", "export ")):
            return False
        if not is_mdx and not _IMPORT.fullmatch(line):
            return False
        if not _IMPORT.fullmatch(line) and not _EXPORT.match(line):
            return False
        last = start + 1
        if not _IMPORT.fullmatch(line):
            while last < end and not state.isEmpty(last):
                last += 1
        state.line = last
        return True

    return modules


def _formula_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A formula between two dollars or brackets, over several lines."""
    line = _line(state, start)
    close = {"$$": "$$", "\\[": "\\]"}.get(line[:2])
    if close is None or state.is_code_block(start) or close in line[2:]:
        return False
    last = start + 1
    while last < end and not state.isEmpty(last) and close not in _line(state, last):
        last += 1
    if last >= end or state.isEmpty(last):
        return False
    if silent:
        return True
    lines = [_line(state, n) for n in range(start, last + 1)]
    _push_html(state, f"<p>{escapeHtml(' '.join(filter(None, lines)))}</p>\n", start, last + 1)
    return True


def _formula(state: StateInline, silent: bool) -> bool:
    """A formula, of which no mark means anything else."""
    if state.src[state.pos] not in "$\\":
        return False
    match = _FORMULA.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        state.pending += match.group()
    state.pos = match.end()
    return True


def _jsx(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "<":
        return False
    match = JSX.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        is_first = state.pos == 0 or state.src[state.pos - 1] == "\n"
        state.push("html_inline", "", 0).content = _inline_summary(match) if is_first else ""
    state.pos = match.end()
    return True


def _inline_summary(match: re.Match[str]) -> str:
    label = label_of_tag(match)
    return f"<summary>{escapeHtml(label)}</summary>" if label else ""


def _attributes(state: StateInline, silent: bool) -> bool:
    """What stands in braces behind a link, a picture or a word, or is a comment of MDX."""
    if state.src[state.pos] != "{":
        return False
    if state.src.startswith("{/*", state.pos) and state.env.get("unclosed") is not state.src:
        end = state.src.find("*/}", state.pos)
        if end > 0:
            state.pos = end + 3
            return True
        state.env["unclosed"] = state.src
    spaces = _SPACES.match(state.src, state.pos)
    before = state.src[state.pos - 1] if state.pos else "\n"
    match = spaces or (before in ")]`*_\n" and ATTRIBUTE_LIST.match(state.src, state.pos))
    if not match:
        return False
    if spaces and not silent:
        state.pending += " "
    state.pos = match.end()
    return True


def _finish(state: StateCore) -> None:
    """Names headings as their braces say, and turns what is left to be read into HTML."""
    for token, following in zip_longest(state.tokens, state.tokens[1:]):
        if token.type == "fence":
            token.content = _fence_html(token, state.md, state.env)
            token.type = "html_block"
        elif token.type == "html_block":
            token.content = JSX.sub(_inline_summary, token.content)
        elif token.type == "heading_open":
            cut = max(0, len(following.content) - MAX_LINE_CHARS)
            if match := HEADING_ID.search(following.content, cut):
                following.content = following.content[: match.start()].rstrip()
                if found := _ID.search(match[1]):
                    token.attrSet("id", found[1])


def _bold_line(state: StateCore) -> None:
    """A first line in bold letters throughout stays a line of its own, as a heading does."""
    for token in state.tokens:
        children = [
            child for child in token.children or () if child.type != "text" or child.content
        ]
        closed = next(
            (n for n, c in enumerate(children) if c.type == "strong_close"), len(children)
        )
        after = children[closed + 1 : closed + 2]
        if after and children[0].type == "strong_open" and after[0].type == "softbreak":
            after[0].type, after[0].tag = "hardbreak", "br"


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Definitions of links, but not of footnotes, which are text."""
    return not _line(state, start).startswith("[^") and reference(state, start, end, silent)


def _fence_html(token: Token, md: MarkdownIt, env: EnvType) -> str:
    """A block of code under its title; one that only marks a note is Markdown like any other."""
    info = token.info.strip()
    name, _, argument = info.partition("}")
    depth, kind = env.get("depth", 0), name.removeprefix("{")
    if name.startswith("{") and depth < MAX_FENCES and (callout(kind) or kind in DIRECTIVES):
        lines = token.content.split("\n")
        while lines and _OPTION.fullmatch(lines[0].strip()):
            del lines[0]
        label = _summary(argument.strip() or callout(kind), md)
        return f"{label}{md.render(chr(10).join(lines), {'depth': depth + 1})}"
    found = _FENCE_TITLE.search(info)
    title = (found[1] or f" {found[2]} ")[1:-1] if found else ""
    label = f"<summary>{escapeHtml(title)}</summary>\n" if title else ""
    return f"{label}<pre><code>{escapeHtml(token.content)}</code></pre>\n"
