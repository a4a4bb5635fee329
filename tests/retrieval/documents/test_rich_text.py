from __future__ import annotations

from pathlib import Path

import pytest

from tests.retrieval import sample_files as sample
from tests.retrieval.documents.test_loaders import read, reason, texts
from tests.retrieval.documents.test_old_office import converter

__all__ = ["converter"]

RTF = (
    rb"{\rtf1\ansi\ansicpg1252 R&D costs {\deleted 3}{\v hidden}45 \'80.\par \u24180? "
    rb"\trowd\cellx1\cellx2\intbl Item\cell Fee\cell\row\trowd\intbl Gym\cell 5\cell\row\pard End.}"
)


@pytest.mark.parametrize("name", ["a.rtf", "a.doc"])
def test_words_and_tables_are_read_without_libreoffice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    loaded = read(name, RTF)
    assert texts(loaded) == ["R&D costs 45 €.\n\n| 年 Item | Fee |\n| Gym | 5 |\n\nEnd."]
    assert "LibreOffice" in loaded.gaps[0]


def test_libreoffice_reads_all_of_it(converter: Path) -> None:
    converter.write_bytes(sample.docx([("Heading1", "Leave"), (None, "25 days")]))
    assert read("a.rtf", RTF).title == "Leave"


def test_what_is_not_rtf_is_refused() -> None:
    assert "not really an RTF file" in reason("a.rtf", b"hello")
