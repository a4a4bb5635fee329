from __future__ import annotations

import pytest

from retrieval.errors import RestrictedError
from tests.retrieval import sample_files as sample
from tests.retrieval.documents.test_loaders import read, reason, texts

SENT = (134_222_346_000_000_000).to_bytes(8, "little")
DATE = "Date: Sat, 02 May 2026 22:30:00 +0000"


def told(header: int, **values: bytes) -> bytes:
    rows = (
        b"\3\0" + bytes.fromhex(id_[1:])[::-1] + bytes(4) + v.ljust(8, b"\0")
        for id_, v in values.items()
    )
    return bytes(header) + b"".join(rows)


def message(
    *attached: sample.Tree, header: int = 32, sensitivity: int = 0, **texts: str
) -> sample.Tree:
    """A message; texts are named by the numbers of their properties."""
    streams = {
        f"__substg1.0_{id_[1:]}001F": text.encode("utf-16-le") for id_, text in texts.items()
    }
    fixed = told(header, x0036=bytes([sensitivity]), x0039=SENT)
    storages = {f"__attach_version1.0_#{n}": storage for n, storage in enumerate(attached)}
    return {"__properties_version1.0": fixed, **streams, **storages}


def test_a_message_of_outlooks_is_read_with_what_hangs_on_it() -> None:
    inner = message(header=24, x0037="Fee", x1000="45 euros.", x0C1A="Bo")
    file: sample.Tree = {
        "__substg1.0_3707001F": "note.txt".encode("utf-16-le"),
        "__substg1.0_37010102": b"Desk 9.\n".ljust(5_000),
        "__properties_version1.0": told(8),
    }
    loaded = read(
        "a.msg",
        sample.ole(
            message(
                {"__substg1.0_3701000D": inner, "__properties_version1.0": told(8)},
                file,
                x0037="停车",
                x1000="See below.",
                x0C1A="Ria Pohl",
                x5D01="ria@x.test",
                x0E04="all@x.test",
            )
        ),
    )
    assert loaded.title == "停车"
    assert [(s.headings, s.text.strip()) for s in loaded.sections] == [
        (
            (),
            f"From: Ria Pohl <ria@x.test>\nTo: all@x.test\n{DATE}\n\nSee below.",
        ),
        (("Fee",), f"From: Bo\n{DATE}\n\n45 euros."),
        (("note.txt",), "Desk 9."),
    ]


def test_messages_are_read_only_so_deep() -> None:
    deep = message(header=24, x0037="Bottom")
    for n in range(11):
        deep = message({"__substg1.0_3701000D": deep}, header=24, x0037=f"No. {n}", x0C1A="Bo")
    loaded = read("a.msg", sample.ole(message({"__substg1.0_3701000D": deep}, x0C1A="Bo")))
    assert len(loaded.sections) == 9
    assert loaded.gaps == ("message 'attachment', which lies too deep",)


def test_the_page_is_read_where_the_text_stands_for_it() -> None:
    page = "<p>The drive is on 12 May in room 3.</p>"
    data = sample.ole(message(x1000="This is an HTML message.", x1013=page, x0C1A="Bo"))
    assert texts(read("a.msg", data))[0].endswith("The drive is on 12 May in room 3.")


@pytest.mark.parametrize(
    "tree",
    [
        message(sensitivity=2, x1000="words"),
        message(x1000="words", x007D="From: a\r\nX-Classification: secret\r\n"),
        message({"__substg1.0_3701000D": message(header=24, sensitivity=3)}, x1000="words"),
    ],
)
def test_a_message_that_is_marked_is_refused(tree: sample.Tree) -> None:
    with pytest.raises(RestrictedError):
        read("a.msg", sample.ole(tree))


@pytest.mark.parametrize("data", [b"hello", b"\xd0\xcf\x11\xe0", sample.ole({"x": b"y"})])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    assert "not really a message" in reason("a.msg", data)
