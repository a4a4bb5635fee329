"""Tests of reading reStructuredText."""

from __future__ import annotations

import pytest

from retrieval.documents.loaders.blocks import Loaded
from retrieval.documents.loaders.restructured import load_rst
from retrieval.errors import RestrictedError

PAGE = """
.. _top:

=====
Leave
=====

:audience: hr
:author: Ann

Thirty ``days`` by :ref:`the rule <rule>` and :class:`~a.b.Leave`; see `more <https://x.example/a>`_.

.. tip:: Ask *early*.

.. code-block:: python
   :linenos:

   print("first")

   print("last")

Rates
-----

====  =====
Site  Days
====  =====
Riga  31
Oslo  32
====  =====

.. versionadded:: 2.1
   It came in May.

.. py:function:: ask(days, audience)
   :noindex:

   Asks for *leave*.

   :param audience: who hears of it

.. toctree::
   :maxdepth: 2

   other

.. include:: secret.rst
.. raw:: html

   <b>raw</b>

- a

  - b

.. list-table:: Prices
   :header-rows: 1

   * - Item
     - Price
   * - Pen
     - 3
"""


def loaded(text: str) -> Loaded:
    (document,) = load_rst(text.encode())
    return document


def test_words_of_all_that_is_seen_are_read() -> None:
    document = loaded(PAGE)
    first, second = document.sections
    assert (document.title, document.audience) == ("Leave", "hr")
    assert (first.headings, second.headings) == (("Leave",), ("Leave", "Rates"))
    for words in (
        "days by the rule and a.b.Leave; see",
        "Ask early.",
        'print("first")\n\nprint("last")',
    ):
        assert words in first.text
    for words in ("Riga | 31", "Added in version 2.1", "It came in May.", "ask(days, audience)"):
        assert words in second.text
    assert "Asks for leave." in second.text
    assert "Pen | 3" in second.text
    assert "maxdepth" not in second.text


def test_what_stands_elsewhere_is_told_and_never_opened(tmp_path: object) -> None:
    assert loaded(PAGE).gaps == ("1 × include is not filled in", "1 × raw is not filled in")
    document = loaded(f"Words\n\n.. csv-table::\n   :file: {tmp_path}/x.csv\n")
    assert document.gaps == ("1 × table in another file is not filled in",)
    assert "root:" not in str(loaded("Words\n\n.. include:: /etc/passwd\n").sections)


@pytest.mark.parametrize(
    "head",
    [
        ":Audience: hr\n",
        ":audience:\n",
        ":audience: hr, board\n",
        ":audience: a\n:audience: b\n",
        ".. audience: hr\n",
        ".. meta::\n   :audience: hr\n",
        "---\nAudience: hr\n---\n",
    ],
)
def test_a_head_that_may_restrict_readers_and_is_not_read_for_sure_is_refused(head: str) -> None:
    for text in (f"{head}\nLeave\n=====\n\nDays.\n", f"Leave\n=====\n\n{head}\nDays.\n"):
        if not (head.startswith("---") and text.startswith("Leave")):
            with pytest.raises(RestrictedError):
                loaded(text)


def test_an_argument_called_audience_is_no_label() -> None:
    text = PAGE.replace(":audience: hr\n", "")
    assert loaded(text).audience is None


def test_a_long_line_and_nonsense_are_read_as_text() -> None:
    assert "word word" in loaded("word " * 20_000).sections[0].text
    assert "`a" in str(loaded("`a :b:`c\n\n=\n\n.. unknown::\n\n   |x| d_ words\n").sections)


def test_what_docutils_cannot_read_is_kept_as_it_stands() -> None:
    said = loaded("Words\n\n.. list-table::\n\n   * - a\n     - b\n   * - c\n").sections[0].text
    assert "* - c" in said
    assert "x^2" in loaded("Words\n\n.. math::\n   :label: eq\n\n   x^2\n").sections[0].text


def test_what_docutils_says_of_references_to_nothing_is_no_part_of_the_document() -> None:
    text = "Title\n=====\n\nNew in |release|, see target_ and [1]_.\n"
    assert [(section.headings, section.text) for section in loaded(text).sections] == [
        (("Title",), "New in |release|, see target_ and [1]_.\n\n")
    ]
