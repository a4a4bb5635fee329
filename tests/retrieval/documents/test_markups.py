"""Tests of reading Org, AsciiDoc and LaTeX."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.documents.loaders import load
from retrieval.documents.loaders.blocks import Loaded
from retrieval.errors import RestrictedError

ORG = """#+TITLE: My doc
#+AUDIENCE: hr
# a comment
* TODO Head one  :tag:
:PROPERTIES:
:ID: 12
:END:
Some *bold* text [[https://x.example][label]] and =code *x*= <2024-01-01>.
| A | B |
|---+---|
| 1 | 2 |
** Sub
#+BEGIN_SRC sh
ls -la | a
#+END_SRC
- item one
  - nested
- term :: what it is
1) first
#+begin_quote
Quoted words.
#+end_quote
"""

ADOC = """= My Doc
Ann Lee <ann@x.example>
:audience: hr
:product: Gull

== One
Use {product} with `code *x*`, *bold* and https://x.example[the site]; see <<two,Section two>>.

NOTE: Take care.

[WARNING]
====
Hot surface.
====

.Run it
[source,sh]
----
ls -la

pwd
----

* a
** b
. first

Term:: what it is
include::other.adoc[]

[[two]]
=== Two
[cols="1,2",options="header"]
|===
|Item |Price

|Pen
|3

|Cap |4
|===
"""

TEX = r"""\documentclass{article}\title{My \textbf{T}}
\usepackage{x}
\begin{document}\maketitle
\section{One} Text \textbf{bold} $x^2 < 3$ % comment
caf\'e \"Uber 100\% A\&B.\footnote{A note.}
\begin{itemize}
  \item a
  \begin{enumerate} \item b \end{enumerate}
  \item[T] c
\end{itemize}
\begin{table}\caption{Prices}
\begin{tabular}{l|l} \hline A & B \\ \hline 1 & 2 \\ \end{tabular}\end{table}
\begin{verbatim}
code % here
  in
\end{verbatim}
\subsection{Two} See \href{https://x.example}{link} and \cite{k} ``quoted''.
\begin{equation} a_1 = b * c \end{equation}
\input{other}
\end{document}
"""


def loaded(name: str, text: str) -> Loaded:
    (document,) = load(Path(name), text.encode())
    return document


def said(document: Loaded) -> str:
    return "".join(section.text for section in document.sections)


def test_org_files_keep_headings_code_tables_links_and_lists() -> None:
    document = loaded("a.org", ORG)
    assert (document.title, document.audience) == ("My doc", "hr")
    assert [s.headings for s in document.sections] == [("Head one",), ("Head one", "Sub")]
    for words in (
        "Some bold text label",
        "code *x*",
        "<2024-01-01>",
        "| A | B |\n| 1 | 2 |",
        "ls -la | a\n```",
        "- item one\n  - nested",
        "term what it is",
        "Quoted words.",
    ):
        assert words in said(document)
    assert not any(word in said(document) for word in ("PROPERTIES", "TODO", ":tag:", "comment"))


def test_asciidoc_keeps_headings_code_tables_links_and_notes() -> None:
    document = loaded("a.adoc", ADOC)
    assert (document.title, document.audience) == ("My Doc", "hr")
    assert document.sections[-1].headings == ("My Doc", "One", "Two")
    assert document.gaps == ("files that it includes are not read: 1",)
    for words in (
        "Use Gull with code *x*, bold and the site",
        "see Section two.",
        "Note: Take care.",
        "Hot surface.",
        "Run it",
        "ls -la\n\npwd\n```",
        "- a\n  - b",
        "Term what it is",
        "| Item | Price |\n| Pen | 3 |\n| Cap | 4 |",
    ):
        assert words in said(document)


def test_latex_keeps_sections_lists_tables_code_and_formulas() -> None:
    document = loaded("a.tex", TEX)
    assert document.title == "My T"
    assert [s.headings for s in document.sections] == [("One",), ("One", "Two")]
    assert document.gaps == ("files that it includes are not read: 1",)
    for words in (
        "Text bold $x^2 < 3$ café Über 100% A&B. (A note.)",
        "- a\n  1. b\n- T c",
        "| A | B |\n| 1 | 2 |",
        "code % here\n  in\n```",
        'See link (https://x.example) and [k] "quoted".',
        "a_1 = b * c",
    ):
        assert words in said(document)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.org", "#+Audiences: hr\n* A\nx"),
        ("a.org", "#+AUDIENCE:\n* A\nx"),
        ("a.org", "#+AUDIENCE: a\n#+AUDIENCE: b\n* A\nx"),
        ("a.org", "# audience: hr\n* A\nx"),
        ("a.org", "# x = audience: hr\n* A\nx"),
        ("a.org", "* A\n:PROPERTIES:\n:AUDIENCE: hr\n:END:\nx"),
        ("a.org", "#+begin_comment\naudience: hr\n#+end_comment\n* A\nx"),
        ("a.org", "---\nAudience: hr\n---\n* A\nx"),
        ("a.adoc", "= A\n:Audience: hr\n\nx"),
        ("a.adoc", "= A\n:audience:\n\nx"),
        ("a.adoc", "= A\n:audience: a\n:audience: b\n\nx"),
        ("a.adoc", "// audience: hr\n= A\n\nx"),
        ("a.adoc", "// x = audience: hr\n= A\n\nx"),
        ("a.adoc", "////\naudience: hr\n////\n= A\n\nx"),
        ("a.adoc", "= A\n\nx\n\n////\naudience = hr\n////"),
        ("a.org", "x\n# 文档：audience = hr"),
        ("a.tex", "% audience: hr\n\\section{A}\nx"),
        ("a.tex", "\\audience{hr}\n\\section{A}\nx"),
    ],
)
def test_what_may_restrict_readers_and_is_not_read_for_sure_is_refused(
    name: str, text: str
) -> None:
    with pytest.raises(RestrictedError):
        loaded(name, text)


@pytest.mark.parametrize("name", ["a.org", "a.adoc", "a.tex"])
def test_what_is_never_closed_is_read_to_the_end(name: str) -> None:
    text = "Words.\n#+BEGIN_SRC x\n----\n\\begin{verbatim} \\textbf{ $ |=== [[ more words"
    assert "more words" in said(loaded(name, text))
