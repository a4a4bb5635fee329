from __future__ import annotations

import sys
from pathlib import Path

import pytest

from retrieval.documents.loaders.office import old_office
from retrieval.documents.sandbox import Sandbox
from tests.retrieval import sample_files as sample
from tests.retrieval.documents.test_loaders import read, reason, texts

PROGRAM = """#!{python}
import pathlib, sys
source, folder = pathlib.Path(sys.argv[-1]), pathlib.Path(sys.argv[-2])
newer = sys.argv[sys.argv.index("--convert-to") + 1]
if source.read_bytes() != b"damaged":
    (folder / ("file." + newer)).write_bytes(pathlib.Path("{result}").read_bytes())
"""


@pytest.fixture
def converter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for LibreOffice on the path; it gives the file that is returned for any other."""
    result = tmp_path / "result"
    program = tmp_path / "soffice"
    program.write_text(PROGRAM.format(python=sys.executable, result=result))
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    return result


@pytest.mark.parametrize(
    ("name", "newer"),
    [
        ("a.doc", sample.docx([(None, "25 days")])),
        ("a.xls", sample.xlsx("Fees", [["25 days"]])),
        ("a.ppt", sample.pptx([("Leave", "25 days")])),
    ],
)
def test_older_formats_are_read_through_libreoffice(
    converter: Path, name: str, newer: bytes
) -> None:
    converter.write_bytes(newer)
    assert "25 days" in " ".join(texts(read(name, b"old")))


@pytest.mark.parametrize(
    "data",
    [
        sample.docx([(None, "25 days")]),
        b"<html><body><p>25 days</p></body></html>",
        b"Date: Mon, 4 May 2026\nMIME-Version: 1.0\nContent-Type: text/html\n\n<html>25 days",
    ],
)
def test_what_is_only_named_as_an_older_format_is_read_as_what_it_is(data: bytes) -> None:
    assert "25 days" in texts(read("a.doc", data))[-1]


@pytest.mark.parametrize(
    "data",
    [
        b"<table><tr><th>Plan</th><th>Fee</th></tr><tr><td>Pro</td><td>75</td></tr></table>",
        b"Plan\tFee\nPro\t75\n",
        b"Plan,Fee\nPro,75\n",
        "Plan\tFee\nPro\t75\n".encode("utf-16"),
        "<html><table><tr><td>Plan<td>Fee<tr><td>Pro<td>75</table>".encode("utf-16"),
    ],
)
def test_lists_that_are_only_named_as_sheets_are_read(data: bytes) -> None:
    assert texts(read("a.xls", data)) == ["| Plan | Fee |\n| Pro | 75 |"]


def test_what_libreoffice_cannot_read_is_refused(converter: Path) -> None:
    converter.write_bytes(b"")
    assert "not really a .doc file" in reason("a.doc", b"damaged")


def test_without_libreoffice_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if old_office.program() is not None:
        pytest.skip("LibreOffice is installed where no path leads")
    assert reason("a.xls", b"\xd0\xcf\x11\xe0") == (
        "is in an older format (.xls), which is read where LibreOffice is installed; "
        "save it as .xlsx"
    )


@pytest.mark.slow
def test_libreoffice_reads_within_the_limits_of_the_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PATH")
    if old_office.program() is None:
        pytest.skip("LibreOffice is not installed")
    path = tmp_path / "page.doc"
    path.write_text("{\\rtf1 25 days}")
    with Sandbox(timeout_s=60, memory_mb=2_048) as sandbox:
        _, (loaded,) = sandbox.load(path)
    assert "25 days" in texts(loaded)[-1]
