"""Pictures and scans, where OCR is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from retrieval.documents.finding import find_files
from retrieval.documents.loaders import load, ocr
from retrieval.documents.loaders.blocks import Loaded
from retrieval.documents.sandbox import Sandbox
from retrieval.errors import UnreadableError
from tests.retrieval.sample_pdfs import at, pdf
from tests.retrieval.sample_pictures import CHINESE, drawn, encoded

pytestmark = [
    pytest.mark.skipif(not ocr.IS_INSTALLED, reason="OCR is not installed"),
    pytest.mark.slow,
]

RULES = ["Visitors sign in at the front desk.", "The alarm code is kept by Ana Silva."]


def read(name: str, data: bytes) -> Loaded:
    (loaded,) = load(Path(name), data)
    return loaded


def text(loaded: Loaded) -> str:
    return "\n".join(section.text.strip() for section in loaded.sections)


@pytest.mark.parametrize(
    ("suffix", "form"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP"), ("bmp", "BMP")]
)
def test_what_is_written_on_a_picture_is_read_and_marked(suffix: str, form: str) -> None:
    loaded = read(f"a.{suffix}", encoded(drawn(RULES), form=form))
    assert text(loaded) == "\n".join(RULES)
    assert loaded.gaps == ("was read by OCR",)


def test_chinese_is_read() -> None:
    assert text(read("a.png", CHINESE)) == "员工每年有二十五天年假"


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_picture_that_lies_on_its_side_or_head_is_read(degrees: int) -> None:
    assert text(read("a.png", encoded(drawn(RULES, degrees=degrees)))) == "\n".join(RULES)


def test_columns_of_a_picture_are_rows_of_a_table() -> None:
    page = Image.new("L", (900, 260), 255)
    for row, cells in enumerate([("Country", "Hotel"), ("Norway", "150"), ("Spain", "110")]):
        for column, cell in enumerate(cells):
            page.paste(drawn([cell]).crop((0, 0, 400, 70)), (450 * column, 20 + 70 * row))
    assert (
        text(read("a.png", encoded(page)))
        == "| Country | Hotel |\n| Norway | 150 |\n| Spain | 110 |"
    )


def test_scanned_pages_of_a_pdf_are_read_and_named() -> None:
    scan = encoded(drawn(RULES[:1]), drawn(RULES[1:]), form="PDF")
    loaded = read("a.pdf", scan)
    assert [section.page for section in loaded.sections] == [1, 2]
    assert text(loaded) == "\n".join(RULES)
    assert loaded.gaps == ("2 of 2 pages were read by OCR: 1, 2",)


def test_a_page_with_text_is_not_read_by_ocr() -> None:
    def may_read() -> bool:
        raise AssertionError

    load(Path("a.pdf"), pdf([at(72, 700, "Leave is long.")]), may_read=may_read)


def test_pages_of_a_pdf_beyond_the_limit_are_named(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(encoded(*[drawn(RULES[:1])] * 3, form="PDF"))
    with Sandbox(timeout_s=60, memory_mb=2_048, ocr_pages=1) as sandbox:
        for _ in range(2):  # the next file has its own
            _, (loaded,) = sandbox.load(tmp_path / "scan.pdf")
            assert [section.page for section in loaded.sections] == [1]
            late, done = loaded.gaps
            assert late.endswith("too many for OCR: 2, 3")
            assert done == "1 of 3 pages were read by OCR: 1"


@pytest.mark.slow
def test_the_clock_starts_anew_for_each_page(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(encoded(*[drawn(RULES[:1])] * 30, form="PDF"))
    with Sandbox(timeout_s=5, memory_mb=2_048, ocr_pages=30) as sandbox:
        assert len(sandbox.load(tmp_path / "scan.pdf")[1][0].sections) == 30


def test_pictures_in_a_folder_are_documents(tmp_path: Path) -> None:
    (tmp_path / "sign.png").write_bytes(encoded(drawn(RULES)))
    (tmp_path / "logo.svg").write_text("<svg/>")
    assert [file.id for file in find_files([tmp_path]).files] == [f"{tmp_path.name}/sign.png"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x89PNG", "is a damaged picture"),
        (encoded(Image.new("1", (9_999, 9_999))), "megapixels"),
        (encoded(Image.new("L", (300, 300), 255)), "without any text"),
        (encoded(Image.new("L", (1, 1))), "without any text"),
    ],
    ids=["damaged", "huge", "white", "tiny"],
)
def test_a_picture_that_cannot_be_read_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        read("a.png", data)
