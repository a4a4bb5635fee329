from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from retrieval.documents.loaders import load
from retrieval.documents.loaders.blocks import Loaded
from retrieval.errors import UnreadableError
from tests.retrieval import sample_files as sample


def read(name: str, data: bytes | str) -> Loaded:
    (loaded,) = load(Path(name), data if isinstance(data, bytes) else data.encode())
    return loaded


def texts(loaded: Loaded) -> list[str]:
    return [section.text.strip() for section in loaded.sections]


def reason(name: str, data: bytes) -> str:
    with pytest.raises(UnreadableError) as caught:
        load(Path(name), data)
    return str(caught.value)


def test_markdown_becomes_a_section_for_each_heading() -> None:
    loaded = read("a.md", "intro\n# Leave\n25 days\n## Sick leave\nTell *us*.\n# Pay\nMonthly.")
    assert [section.headings for section in loaded.sections] == [
        (),
        ("Leave",),
        ("Leave", "Sick leave"),
        ("Pay",),
    ]
    assert texts(loaded) == ["intro", "25 days", "Tell us.", "Monthly."]


def test_the_starts_of_sections_add_up() -> None:
    loaded = read("a.md", "intro\n# A\none\n# B\ntwo")
    whole = "".join(section.text for section in loaded.sections)
    for section in loaded.sections:
        assert whole[section.start :].startswith(section.text)


def test_markdown_headings_get_github_anchors() -> None:
    loaded = read("a.md", "# What's new?\nx\n# 年 假\ny\n# What's new?\nz")
    assert [section.anchor for section in loaded.sections] == ["whats-new", "年-假", "whats-new-1"]


def test_lists_tables_and_code_keep_their_shape() -> None:
    loaded = read(
        "a.md", "- a\n  - b\n\n1. c\n2. d\n\n|x|y|\n|-|-|\n|1|2|\n\n```sh\n# no\n\nls\n```\n"
    )
    assert texts(loaded) == [
        "- a\n  - b\n1. c\n2. d\n\n| x | y |\n| 1 | 2 |\n\n```\n# no\n\nls\n```"
    ]


def test_the_rows_of_a_long_table_name_their_columns() -> None:
    rows = "\n".join(f"Pen {n},{n}" for n in range(9))
    assert texts(read("a.csv", f"Item,Price\n{rows}"))[0].endswith("Item: Pen 8 | Price: 8")


def test_a_table_may_be_separated_by_semicolons() -> None:
    assert texts(read("a.csv", "名称;值\n甲;1,5")) == ["| 名称 | 值 |\n| 甲 | 1,5 |"]


def test_a_heading_with_nothing_under_it_can_still_be_found() -> None:
    assert texts(read("a.md", "# A\n## No pets\n## B\nb")) == ["No pets", "b"]


def test_front_matter_says_what_the_document_is() -> None:
    loaded = read(
        "a.md", "---\ntitle: Pay\nurl: https://x.test/pay\naudience: hr\nowner: Ana\n---\nbody"
    )
    assert (loaded.title, loaded.url, loaded.audience, loaded.owner) == (
        "Pay",
        "https://x.test/pay",
        "hr",
        "Ana",
    )
    assert texts(loaded) == ["body"]


@pytest.mark.parametrize("line", ["audience: [hr, board]", "audience: hr: board", "audience: {"])
def test_front_matter_that_cannot_be_obeyed_is_refused(line: str) -> None:
    assert "front matter" in reason("a.md", f"---\n{line}\n---\nsecret".encode())


def test_a_rule_at_the_top_is_not_front_matter() -> None:
    assert texts(read("a.md", "---\nhello\n\n---\nworld")) == ["hello\n\nworld"]


@pytest.mark.parametrize(
    "hidden",
    [
        '<p style="display: none">SECRET</p>',
        '<p style="font-size:0px">SECRET</p>',
        '<span style="color:#ffffff">SECRET</span>',
        "<p hidden>SECRET</p>",
        "<!-- SECRET -->",
        '<style>.x{visibility:hidden}</style><p class="x">SECRET</p>',
        "<template><p>SECRET</p></template>",
        "<script>SECRET</script>",
    ],
)
def test_hidden_html_is_not_read(hidden: str) -> None:
    for name in ("a.html", "a.md"):
        assert texts(read(name, f"<p>seen</p>\n{hidden}\n<p>too</p>")) == ["seen\n\ntoo"]


def test_what_only_print_hides_is_read() -> None:
    html = '<style>@media print {.x {display:none}}</style><p class="x">seen</p>'
    assert texts(read("a.html", html)) == ["seen"]


def test_html_headings_keep_their_anchors() -> None:
    loaded = read(
        "a.html",
        '<h1 id="top">A</h1>x<h2><a name="in"></a>B¶</h2>y<section id="out"><h2>C</h2>z</section>',
    )
    assert [section.anchor for section in loaded.sections] == ["top", "in", "out"]
    assert loaded.sections[1].headings == ("A", "B")


def test_html_knows_its_title_and_address() -> None:
    html = '<title> My\npage </title><link rel="canonical" href="https://x.test/a"><p>text'
    loaded = read("a.html", html)
    assert (loaded.title, loaded.url) == ("My page", "https://x.test/a")


def test_the_frame_around_a_confluence_page_is_left_out() -> None:
    loaded = read(
        "a.html",
        "<title>HR : Leave</title><div id=breadcrumbs>Home</div><h1>HR : Leave</h1>"
        "<div id=main-content><h2 id=d>Days</h2><p>25</div><div id=footer>Atlassian</div>",
    )
    assert (loaded.title, texts(loaded)) == ("HR : Leave", ["25"])


ARCHIVE = (
    "From: <Saved by Blink>\nSnapshot-Content-Location: https://wiki.example/leave\n"
    "Content-Type: multipart/related; type=text/html; boundary=b\n\n"
    "--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\nAAAA\n"
    "--b\nContent-Type: text/html; charset=utf-8\n"
    "Content-Transfer-Encoding: quoted-printable\nContent-Location: https://wiki.example/leave\n\n"
    "<title>Leave</title><p>27 days =E2=80=94 in =\nall\n"
    "--b\nContent-Type: text/html\n\n<p>a frame\n--b--\n"
)


@pytest.mark.parametrize("name", ["a.mhtml", "a.mht"])
def test_the_page_of_a_web_archive_is_read(name: str) -> None:
    loaded = read(name, ARCHIVE.replace("\n", "\r\n"))
    assert (loaded.title, loaded.url) == ("Leave", "https://wiki.example/leave")
    assert texts(loaded) == ["27 days — in all"]
    assert loaded.gaps == ("frames of the page that are not read: 1",)


def test_a_web_archive_without_a_page_is_refused() -> None:
    assert "without a page" in reason("a.mhtml", b"Content-Type: image/png\n\nx")


def test_html_may_name_its_own_encoding() -> None:
    html = '<meta charset="iso-8859-1"><p>café'.encode("latin-1")
    assert texts(read("a.html", html)) == ["café"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_text_is_read_in_the_usual_encodings(encoding: str) -> None:
    text = "员工每年有二十五天年假。\nOK"
    assert texts(read("a.txt", text.encode(encoding))) == [text]


def test_other_encodings_are_refused_rather_than_garbled() -> None:
    assert "save it as UTF-8" in reason("a.txt", "déjà vu à la carte".encode("latin-1"))


def test_binary_data_is_not_text() -> None:
    assert "binary" in reason("a.txt", b"\0\1\2abc")


def test_wrapped_lines_are_joined_and_lists_are_not() -> None:
    text = "The notice period is thirty days from the\nend of the month.\n- one item here\n- two"
    assert texts(read("a.txt", text)) == [
        "The notice period is thirty days from the end of the month.\n- one item here\n- two"
    ]


def test_wrapped_lines_of_items_are_joined_to_them() -> None:
    text = (
        "1. The notice period is thirty days from the\n   end of the month in which it is given\n"
        "   in writing.\n   a. It may be shorter if both sides agree\n      to that.\n2. Ask."
    )
    assert texts(read("a.txt", text)) == [
        (
            "1. The notice period is thirty days from the end of the month in which it is given in "
            "writing.\n   a. It may be shorter if both sides agree to that.\n2. Ask."
        )
    ]


def test_words_that_were_broken_at_the_end_of_a_line_are_whole() -> None:
    for hyphen in "-\u2010":
        text = f"The notice period is thirty days from the be{hyphen}\nginning of the month."
        assert texts(read("a.txt", text)) == [text.replace(f"{hyphen}\n", "")]


def test_wrapped_chinese_lines_are_joined_without_a_space() -> None:
    text = "员工每年有二十五天年假，病假不算在内，请提前向你的\n经理申请。"
    assert texts(read("a.txt", text)) == [text.replace("\n", "")]


def test_cells_that_were_put_below_each_other_with_spaces_are_a_table() -> None:
    text = (
        "Backups\n\nwhat      how often        kept\nmails     every 6 hours    35 days\n"
        "files     nightly          1 year\nlaptops   never            -"
    )
    drawn = (
        "| what | how often | kept |\n| mails | every 6 hours | 35 days |\n"
        "| files | nightly | 1 year |\n| laptops | never | - |"
    )
    assert texts(read("a.txt", text)) == [f"Backups\n\n{drawn}"]


def test_lines_that_somebody_ended_are_not_joined_though_they_are_long() -> None:
    text = (
        "Present: Ann Lee, Bob Ray and Cy Fox (from eleven on)\nAbsent: Dora Hill\nNotes: Ann\n\n"
        "1 The party will take place on the fourth of July, all may come\n2 The printer goes\n"
        "Quay House, second floor, by the river\nTrain station 6 minutes"
    )
    assert texts(read("a.txt", text)) == [text]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "# Book\n\n**Sick leave**\nCall your lead.\n\n**Pets**\n\nDogs may come."),
        (
            "a.html",
            (
                "<h1>Book</h1><p><b>Sick leave</b><br>Call your lead.</p>"
                "<p><strong> Pets </strong></p><p>Dogs may come.</p>"
            ),
        ),
    ],
)
def test_lines_in_bold_letters_are_headings(name: str, text: str) -> None:
    found = [(section.headings, section.text.strip()) for section in read(name, text).sections]
    assert found == [
        (("Book", "Sick leave"), "Call your lead."),
        (("Book", "Pets"), "Dogs may come."),
    ]


def test_bold_words_in_a_sentence_a_list_or_a_table_are_no_headings() -> None:
    text = "**Now** it is\n\n**Never**: ask\n\n- **Pets**\n  may come\n\n| **a** |\n|---|\n| b |"
    assert {section.headings for section in read("a.md", text).sections} == {()}


def test_a_pdf_has_a_section_for_each_page() -> None:
    loaded = read(
        "a.pdf",
        sample.pdf(
            [["Leave policy"], [], ["You get twenty-five days of paid leave in", "a year."]]
        ),
    )
    assert [section.page for section in loaded.sections] == [1, 3]
    assert texts(loaded) == ["Leave policy", "You get twenty-five days of paid leave in a year."]


def test_running_heads_of_a_pdf_are_left_out() -> None:
    bodies = ("Leave is long.", "Pay is monthly.", "Pets may come.", "The office opens at 9.")
    loaded = read("a.pdf", sample.pdf([["Staff handbook", body] for body in bodies]))
    assert texts(loaded) == ["Staff handbook\nLeave is long.", *bodies[1:]]


def test_a_pdf_that_needs_a_password_is_refused() -> None:
    data = sample.encrypted(sample.pdf([["text"]]), "secret")
    assert reason("a.pdf", data) == "is protected with a password"


def test_a_pdf_that_opens_without_its_owners_password_is_read() -> None:
    assert texts(read("a.pdf", sample.encrypted(sample.pdf([["text"]]), ""))) == ["text"]


def test_pages_of_a_pdf_without_text_are_named() -> None:
    loaded = read("a.pdf", sample.pdf([["text"], [], []]))
    assert loaded.gaps == ("2 of 3 pages hold no text: 2, 3",)


def test_a_pdf_of_pictures_is_told_apart() -> None:
    assert "text layer" in reason("a.pdf", sample.pdf([[]]))


def test_word_files_keep_their_headings() -> None:
    data = sample.docx(
        [("Heading1", "Leave"), (None, "25 days"), ("Heading2", "Sick"), (None, "x")]
    )
    loaded = read("a.docx", data)
    assert loaded.title == "Leave"
    assert [section.headings for section in loaded.sections] == [("Leave",), ("Leave", "Sick")]


def test_slides_are_pages() -> None:
    loaded = read("a.pptx", sample.pptx([("Hello", "first"), ("Bye", "second")]))
    assert [(s.headings, s.page) for s in loaded.sections] == [(("Hello",), 1), (("Bye",), 2)]


def test_sheets_are_tables() -> None:
    loaded = read("a.xlsx", sample.xlsx("Prices", [["Item", "Price"], ["Pen", "3"]]))
    assert loaded.sections[0].headings == ("Prices",)
    assert texts(loaded) == ["| Item | Price |\n| Pen | 3 |"]


def test_a_book_has_its_own_title() -> None:
    loaded = read("a.epub", sample.epub("The Book", "<h1>Chapter</h1><p>Words</p>"))
    assert (loaded.title, texts(loaded)) == ("The Book", ["Words"])


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = sample.archive({"word/document.xml": "a" * 30_000_000})
    assert reason("a.docx", bomb) == "unpacks to 28 MB, which looks like a zip bomb"


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsx", "a.epub"])
def test_what_is_not_the_archive_it_should_be_is_refused(name: str) -> None:
    assert "is damaged" in reason(name, b"PK\3\4 and then nothing")
    assert "password" in reason(name, b"\xd0\xcf\x11\xe0 an encrypted container")


def test_an_archive_with_damaged_contents_is_called_damaged() -> None:
    data = sample.archive({"word/document.xml": "a" * 300, "_rels/.rels": "b" * 300})
    at = data.index(b"_rels/.rels") + len("_rels/.rels")
    assert "is damaged" in reason("a.docx", data[:at] + b"\xff" + data[at + 1 :])


def test_mail_is_titled_by_its_subject_and_names_its_attachments() -> None:
    loaded = read(
        "a.eml",
        "From: Ana <ana@x.test>\nSubject: =?utf-8?B?5bm05YGH?=\nContent-Type: multipart/mixed; "
        "boundary=b\n\n--b\nContent-Type: text/html; charset=utf-8\n\n<p>25 days</p>\n--b\n"
        "Content-Disposition: attachment; filename=rules.pdf\n\nx\n--b--\n",
    )
    assert loaded.title == "年假"
    assert texts(loaded) == ["From: Ana <ana@x.test>\n\n25 days\n\nAttachments: rules.pdf"]


def test_text_without_a_mail_header_is_not_mail() -> None:
    assert "not an e-mail" in reason("a.eml", b"hello")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    users = [{"id": "U1", "name": "ana", "profile": {"real_name": "Ana L"}}]
    (tmp_path / "users.json").write_text(json.dumps(users))
    (tmp_path / "channels.json").write_text(json.dumps([{"id": "C1", "name": "help"}]))
    return tmp_path


DAY = [
    {"user": "U1", "text": "VPN down? see <https://x.test|the page>", "ts": "1", "thread_ts": "1"},
    {"user": "U2", "text": "<@U1> lunch &amp; talk", "ts": "2"},
    {"user": "U2", "text": "Restart it.", "ts": "3", "thread_ts": "1"},
    {"user": "U2", "text": "joined", "ts": "4", "subtype": "channel_join"},
]


def test_threads_and_the_rest_of_a_day_are_documents(export: Path) -> None:
    thread, rest = load(export / "help" / "2024-01-05.json", json.dumps(DAY).encode())
    assert (thread.part, thread.title) == ("thread-1", "#help: VPN down? see the page")
    assert texts(thread) == ["Ana L: VPN down? see the page (https://x.test)\n\nU2: Restart it."]
    assert (rest.part, texts(rest)) == ("day", ["U2: @Ana L lunch & talk"])


def test_only_listed_channels_of_an_export_are_public(export: Path) -> None:
    day = json.dumps(DAY).encode()
    assert load(export / "help" / "2024-01-05.json", day)[0].usual_audience == "public"
    assert load(export / "leads" / "2024-01-05.json", day)[0].usual_audience == "slack:leads"


@pytest.mark.parametrize(
    ("file", "row"),
    [
        ("channels", {"id": "C1", "name": "help", "is_private": True}),
        ("groups", {"id": "C2", "name": "help"}),
        ("mpims", {"id": "C3", "name": "help"}),
    ],
)
def test_a_channel_that_an_export_also_calls_private_is_not_public(
    export: Path, file: str, row: dict[str, object]
) -> None:
    (export / f"{file}.json").write_text(json.dumps([row]))
    day = json.dumps(DAY).encode()
    assert load(export / "help" / "2024-01-05.json", day)[0].usual_audience == "slack:help"


@pytest.mark.parametrize("data", [b"{", b"{}", b"[1]"])
def test_json_that_is_no_day_of_messages_is_refused(export: Path, data: bytes) -> None:
    with pytest.raises(UnreadableError):
        load(export / "help" / "2024-01-05.json", data)


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.html", "a.csv"])
def test_a_file_of_white_space_holds_no_text(name: str) -> None:
    assert reason(name, b" \n\n ") == "holds no text"


def test_a_corpus_is_a_document_for_each_line_as_it_is() -> None:
    rows = [
        {"_id": "a", "title": "Leave", "text": "# 26 *days*", "url": "https://x.example/a"},
        {"_id": 2, "text": "每年有26天年假。", "lang": "zh", "audience": "hr"},
    ]
    body = "\n".join(json.dumps(row) for row in rows).encode()
    first, second = load(Path("corpus.jsonl.gz"), gzip.compress(body))
    assert (first.part, first.title, first.url) == ("a", "Leave", "https://x.example/a")
    assert texts(first) == ["# 26 *days*"]
    assert (second.part, second.language, second.audience) == ("2", "zh", "hr")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "line 2: not JSON"),
        (b"[1]", "line 2: found list"),
        (b'{"text": "no id"}', "line 2: has no '_id'"),
        (b"\xff", "line 2 cannot be read as UTF-8 text"),
    ],
)
def test_a_line_of_a_corpus_that_is_no_document_is_named(line: bytes, words: str) -> None:
    assert words in reason("corpus.jsonl", b'{"_id": "a", "text": "one"}\n' + line)
