"""Reads reStructuredText through docutils; what only Sphinx knows is read for its words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

from retrieval.documents.loaders.blocks import Loaded, sections_of, title_of
from retrieval.documents.loaders.front_matter import own_label, refuse, refuse_unread
from retrieval.documents.loaders.markup import blocks_of_html
from retrieval.documents.loaders.text import decode
from retrieval.errors import UnreadableError
from retrieval.labels import names_audience

_ROLE = re.compile(r":([\w.+-]+(?::[\w.+-]+)*):`")
_DIRECTIVE = re.compile(
    r"^[ \t]*+(?:\.\.|\.\. \|[^|\n]+\|) ([\w.+-]+(?::[\w.+-]+)*)::", re.MULTILINE
)
_COMMENT = re.compile(r"^\.\. +(\w[^:=\n]{0,59}?) *[:=][^:]", re.MULTILINE)
_FIELD = re.compile(r"^:([^:\n]{1,60}):(?:[ \t](.*)|$)", re.MULTILINE)
_OWN = re.compile(r"^:audience:[ \t]*(.*)\n?", re.MULTILINE)
_TABLE_FILE = re.compile(r"^[ \t]++:(?:file|url):[ \t]", re.MULTILINE)
_LABELLED = re.compile(r"(.+?)\s*<([^<>]+)>", re.DOTALL)

# fmt: off
_WORDS = frozenset((
    "ref", "doc", "term", "abbr", "any", "numref", "dfn", "guilabel", "menuselection", "index",
    "download", "octicon", "fa",
))
_SKIPPED = frozenset((
    "toctree", "index", "highlight", "currentmodule", "py:currentmodule", "module", "py:module",
    "default-domain", "sectionauthor", "codeauthor", "tabularcolumns", "default-role",
))
_CODE = frozenset((
    "code-block", "sourcecode", "code", "prompt", "ipython", "doctest", "testcode", "testoutput",
    "testsetup", "productionlist", "graphviz", "digraph", "mermaid", "plantuml", "uml", "console",
    "command-output",
))
_MISSING = frozenset((
    "include", "literalinclude", "raw", "automodule", "autoclass", "autofunction", "automethod",
    "autosummary", "autodata", "autoexception", "autoattribute", "click", "argparse",
    "program-output",
))
# fmt: on
_CHANGES = {
    "versionadded": "Added in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
    "versionremoved": "Removed in version",
}
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "halt_level": 5,
    "report_level": 3,
    "warning_stream": False,
    "doctitle_xform": False,
    "docinfo_xform": False,
    "syntax_highlight": "none",
    "line_length_limit": 1_000_000,
    "embed_stylesheet": False,
    "stylesheet_path": "",
    "math_output": "LaTeX",
    "initial_header_level": 1,
    "field_name_limit": 0,
    "option_limit": 0,
}


def load_rst(data: bytes) -> list[Loaded]:
    """One document; a field `:audience:` above or right below its title is its label.

    Raises:
        RestrictedError: If it may say who reads it, in a way that cannot be read for sure.
        UnreadableError: If docutils cannot make sense of it.
    """
    from docutils import core, utils

    text = decode(data)
    audience = _audience(text)
    missing = Counter({"table in another file": len(_TABLE_FILE.findall(text))})
    _teach(text, missing)
    try:
        tree = core.publish_doctree(_OWN.sub("", text, count=1), settings_overrides=_SETTINGS)
        _keep_what_is_wrong(tree)
        html = core.publish_from_doctree(tree, writer="html4", settings_overrides=_SETTINGS)
    except (utils.SystemMessage, ValueError, AttributeError) as error:
        raise UnreadableError("is not reStructuredText that can be read") from error
    blocks = blocks_of_html(html.decode())
    gaps = tuple(f"{n} × {name} is not filled in" for name, n in missing.items() if n)
    return [Loaded(sections_of(blocks), title=title_of(blocks), audience=audience, gaps=gaps)]


def _audience(text: str) -> str | None:
    """The label that the fields of the head name; a field of a list of arguments names none."""
    refuse_unread(text)
    refuse(filter(names_audience, _COMMENT.findall(text)), where=" of a comment")
    metas = re.findall(r"^\.\. meta::\n((?:[ \t]+.*\n?)*)", text, re.MULTILINE)
    refuse(filter(names_audience, re.findall(r":([^:\n]+):", "".join(metas))), where=" of a meta")
    return own_label(_FIELD.findall(_head(text)))


def _head(text: str) -> str:
    """What stands before the first two paragraphs of prose: titles, comments and fields."""
    head, prose = [], 0
    for part in re.split(r"\n[ \t]*+\n", text):
        lines = part.strip("\n").split("\n")
        is_title = any(re.fullmatch(r"([^\w\s])\1+", line.strip()) for line in lines)
        if not (is_title or lines[0].startswith((":", ".."))):
            prose += 1
        if prose == 2:
            break
        head.append(part)
    return "\n".join(head)


def _teach(text: str, missing: Counter[str]) -> None:
    """Let docutils know every role and directive in the text that it does not know itself."""
    from docutils.parsers.rst import directives, roles
    from docutils.parsers.rst.languages import en

    for name in set(_ROLE.findall(text)):
        if name.lower() not in en.roles:
            roles.register_local_role(name.lower(), _role)
    for name in {name.lower() for name in _DIRECTIVE.findall(text)}:
        is_known = name in en.directives and name not in _MISSING | _CODE
        known = _known(name) if is_known else _directive(name, missing)
        directives.register_directive(name, known)


def _known(name: str) -> type:
    """A directive of docutils that takes options which only Sphinx knows, and ignores them."""
    from docutils import frontend, utils
    from docutils.parsers.rst import directives
    from docutils.parsers.rst.languages import en

    document = utils.new_document("", frontend.get_default_settings())
    found: Any = directives.directive(name, en, document)[0]
    if not found.option_spec or isinstance(found.option_spec, _Options):
        return cast("type", found)
    return type(found.__name__, (found,), {"option_spec": _Options(found.option_spec)})


class _Options(dict[str, Callable[[str | None], str]]):
    """What may be said to a directive: anything."""

    def __missing__(self, _: str) -> Callable[[str | None], str]:
        return lambda value: value or ""


def _keep_what_is_wrong(tree: Any) -> None:  # noqa: ANN401 - docutils has no types
    """Put the text in place of what docutils says of text that it cannot read."""
    from docutils import nodes

    for message in [*tree.findall(nodes.system_message)]:
        text = [child for child in message.children if isinstance(child, nodes.literal_block)]
        _replace(message, text)
    # What refers to nothing stands in the text as it was written; writers would append these.
    tree.transform_messages.clear()


def _replace(node: Any, others: Sequence[Any]) -> None:  # noqa: ANN401
    at = node.parent.index(node)
    node.parent[at : at + 1] = others


def _role(
    name: str, rawtext: str, text: str, *_: object, **__: object
) -> tuple[list[Any], list[Any]]:
    from docutils import nodes, utils

    words = utils.unescape(text)
    labelled = _LABELLED.fullmatch(words)
    words = labelled[1] if labelled else words.lstrip("~!")
    make = nodes.inline if name.rpartition(":")[2] in _WORDS else nodes.literal
    return [make(rawtext, words)], []


def _directive(name: str, missing: Counter[str]) -> type:
    from docutils import nodes
    from docutils.parsers.rst import Directive

    class Words(Directive):  # type: ignore[misc, unused-ignore]
        has_content = True
        optional_arguments = 1
        final_argument_whitespace = True
        option_spec: ClassVar[Any] = _Options(x=str)

        def run(self) -> Sequence[Any]:
            if name in _SKIPPED:
                return []
            if name in _MISSING:
                missing[name] += 1
                return []
            if name in _CODE:
                code = "\n".join(self.content)
                return [nodes.literal_block(code, code)] if code else []
            found: list[Any] = []
            words = " ".join(filter(None, (_CHANGES.get(name), *self.arguments)))
            if words:
                parsed, messages = self.state.inline_text(words, self.lineno)
                found.append(nodes.paragraph(words, "", *parsed, *messages))
            inner = nodes.Element()
            self.state.nested_parse(self.content, self.content_offset, inner, match_titles=1)
            return [*found, *inner.children]

    return Words
