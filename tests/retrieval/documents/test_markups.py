"""Tests of reading Org, AsciiDoc and LaTeX."""

from __future__ import annotations

from itertools import pairwise
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
        ("a.org", "* COMMENT A\naudience: hr\n* B\nx"),
        ("a.tex", "\\newcommand{\\audience}{hr}\n\\section{A}\nx"),
        ("a.tex", "\\iffalse\naudience: hr\n\\fi\n\\section{A}\nx"),
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


def test_trees_that_org_does_not_export_are_left_out_and_told() -> None:
    text = """* Fees
shown 1
* COMMENT draft
hidden
** below it
hidden
* Old :noexport:
hidden
* Comments on fees
shown 2
"""
    document = loaded("x.org", text)
    assert [section.text.strip() for section in document.sections] == ["shown 1", "shown 2"]
    assert document.gaps == ("2 parts that are not exported",)
    own = "#+EXCLUDE_TAGS: private\n* A :private:\nhidden\n* B :noexport:\nshown\n"
    assert " ".join(said(loaded("x.org", own)).split()) == "shown"


def test_asciidoc_is_read_under_the_conditions_that_it_meets() -> None:
    text = """:flag: yes

ifdef::internal[]
hidden
ifdef::flag[]
hidden
endif::[]
endif::[]
ifdef::internal,flag[]
shown 1
endif::[]
ifdef::internal+flag[hidden]
ifndef::internal[shown 2]
ifndef::flag[]
hidden
endif::flag[]
ifeval::["{flag}" == "no"]
hidden
endif::[]
ifdef::backend-html5[shown 3]

[comment]
hidden
too

[comment]
--
hidden

too
--

shown 4
"""
    assert " ".join(said(loaded("x.adoc", text)).split()) == "shown 1 shown 2 shown 3 shown 4"
    document = loaded("x.adoc", text)
    assert document.gaps == ("4 parts under conditions that are not met",)


@pytest.mark.parametrize("columns", ["cols=2", 'cols="1,3"', "cols=2*", 'cols="2*", frame=none'])
def test_cells_of_asciidoc_on_lines_of_their_own_are_rows(columns: str) -> None:
    text = f"[{columns}]\n|===\n|Plan\n|Fee\n\n|Pro\n|75\n|===\n"
    assert " ".join(said(loaded("x.adoc", text)).split()) == "| Plan | Fee | | Pro | 75 |"


def test_latex_says_what_its_own_commands_stand_for() -> None:
    text = r"""\documentclass{article}
\newcommand{\fee}{30 \textbf{euros}}
\newcommand*\due[1]{due on the #1}
\def\days{26}
\renewcommand{\section}{nothing}
\begin{document}
\section{Fees}
The fee is \fee, \due{first}; \days{} days.
\end{document}"""
    document = loaded("x.tex", text)
    assert document.sections[0].headings == ("Fees",)
    assert document.sections[0].text.strip() == "The fee is 30 euros, due on the first; 26 days."


def test_commands_that_stand_for_each_other_end() -> None:
    names = "bcdefghij"
    lines = ["\\newcommand{\\x%s}{%s}" % (a, f"\\x{b} " * 9) for a, b in pairwise(names)]  # noqa: UP031
    lines += ["\\newcommand{\\again}{\\again \\again}", "Shown \\xb \\again end."]
    assert " ".join(said(loaded("x.tex", "\n".join(lines))).split()) == "Shown end."


def test_what_latex_does_not_print_is_left_out_and_told() -> None:
    text = r"""\newif\ifdraft
Shown 1.
\begin{comment}
hidden
\end{comment}
\iffalse hidden \ifdraft hidden \fi hidden \else shown 2 \fi
\ifdraft hidden \fi
\ifnum\x shown 3 \fi
End $a \iff b$."""
    words = " ".join(said(loaded("x.tex", text)).split())
    assert words == r"Shown 1. shown 2 shown 3 End $a \iff b$."
    document = loaded("x.tex", text)
    assert document.gaps[0].endswith("parts that are not printed")
