from __future__ import annotations

import base64
from email.message import EmailMessage
from pathlib import Path

import pytest

from retrieval.documents.loaders import load
from retrieval.errors import RestrictedError
from tests.retrieval import sample_files as sample
from tests.retrieval.documents.test_loaders import read, reason, texts

HEAD = "From: Ana <ana@x.test>\nSubject: Parking\n"
PARTS = f"{HEAD}Content-Type: multipart/{{}}; boundary=b\n\n--b\n{{}}\n--b--\n"
PLAIN, HTML = "Content-Type: text/plain; charset={}\n\n{}", "Content-Type: text/html\n\n{}"
INNER = "Content-Type: message/rfc822\n\nFrom: bo@x.test\nSubject: Fee\n{}\n45 euros."


def mail(kind: str, *parts: str) -> list[str]:
    return texts(read("a.eml", PARTS.format(kind, "\n--b\n".join(parts))))


def attached(name: str, data: bytes) -> bytes:
    message = EmailMessage()
    message["From"] = "ana@x.test"
    message.set_content("See below.")
    message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def test_a_message_in_a_message_is_read() -> None:
    found = mail("mixed", "\nSee below.", INNER.format(""), "\nBye.")
    assert found == ["From: Ana <ana@x.test>\n\nSee below.\n\nBye.", "From: bo@x.test\n\n45 euros."]


def test_messages_are_read_only_so_deep() -> None:
    deep = "Bottom"
    for n in range(12):
        deep = f"From: {n}@x.test\nContent-Type: message/rfc822\n\n{deep}"
    loaded = read("a.eml", deep)
    assert len(loaded.sections) == 9
    assert loaded.gaps == ("message 'Forwarded message', which lies too deep",)


@pytest.mark.parametrize(
    ("plain", "page", "words"),
    [
        (
            "Your mail program cannot show HTML.",
            "<p>The drive is on 12 May in room 3.</p>",
            "12 May",
        ),
        ("", "<p>The drive is on 12 May.</p>", "12 May"),
        ("请用浏览器打开。", "<p>献血活动在五月十二日，地点在三号会议室。</p>", "五月十二日"),
        ("The drive is on 12 May in room 3.", "<p>Open the text part.</p>", "12 May"),
        ("The drive is on 12 May.", "<p>The <b>drive</b> is on 12 May.</p><p>Bye</p>", "12 May."),
    ],
)
def test_of_two_forms_the_one_that_says_more_is_read(plain: str, page: str, words: str) -> None:
    html = f"Content-Type: text/html; charset=utf-8\n\n{page}"
    (found,) = mail("alternative", PLAIN.format("utf-8", plain), html)
    assert words in found


@pytest.mark.parametrize("encoding", ["utf-8", "gb2312", "GBK", "x-gbk", "gb18030", "nonsense"])
def test_chinese_is_read_in_the_encodings_it_is_sent_in(encoding: str) -> None:
    codec = "utf-8" if encoding == "utf-8" else "gb18030"
    subject = base64.b64encode("朱镕的停车费".encode(codec)).decode()
    named = encoding if encoding != "nonsense" else "gbk"
    body = base64.b64encode("六月起停车费每月四十五元，请到前台登记。".encode(codec)).decode()
    loaded = read(
        "a.eml",
        f"From: a@x.test\nSubject: =?{named}?B?{subject}?=\nContent-Transfer-Encoding: base64\n"
        f"Content-Type: text/plain; charset={encoding}\n\n{body}\n",
    )
    assert loaded.title == "朱镕的停车费"
    assert "四十五元" in texts(loaded)[0]


def test_letters_that_are_not_written_as_they_should_be_are_read() -> None:
    head = "From: a@x.test\nSubject: 停车费用的通知\nContent-Type: text/plain; charset=gb2312\n\n"
    assert read("a.eml", head.encode("gb18030") + b"words").title == "停车费用的通知"
    assert "words" in texts(read("a.eml", b"From: a@x.test\nSubject: caf\xe9\n\nwords"))[0]


def test_quoted_letters_and_soft_ends_of_lines_are_read() -> None:
    part = (
        "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable"
    )
    assert mail("mixed", f"{part}\n\nDie Geb=FChr betr=E4gt 45=\n Euro.")[0].endswith(
        "Die Gebühr beträgt 45 Euro."
    )


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("note.txt", b"Desk 9 by Thursday", "Desk 9 by Thursday"),
        ("fees.csv", b"Item,Fee\nGym,5", "| Item | Fee |\n| Gym | 5 |"),
        ("a.docx", sample.docx([("Heading1", "Leave"), (None, "25 days")]), "25 days"),
        ("form.pdf", sample.pdf([["Return it to desk 9"]]), "Return it to desk 9"),
        ("fwd.eml", attached("in.txt", b"Inside"), "Inside"),
    ],
)
def test_attachments_are_read_as_their_types_are(name: str, data: bytes, words: str) -> None:
    loaded = read("a.eml", attached(name, data))
    assert texts(loaded)[-1] == words
    assert loaded.sections[-1].headings[0] == name


def test_attachments_that_cannot_be_read_are_named_and_missing() -> None:
    loaded = read("a.eml", attached("plan.dwg", b"x"))
    assert texts(loaded)[0].endswith("See below.\n\nAttachments: plan.dwg")
    assert loaded.gaps == ("attachment plan.dwg is of a type that is not read",)


@pytest.mark.parametrize(
    "message",
    [
        PARTS.format("mixed", INNER.format("Sensitivity: Private\n")),
        attached("fees.csv", b"Audience,Fee\nhr,5").decode(),
        attached("pay.md", b"---\naudience: hr\n---\n\nwords").decode(),
        f"{HEAD}X-Classification: secret\n\nwords",
    ],
)
def test_what_restricts_readers_anywhere_refuses_the_mail(message: str) -> None:
    with pytest.raises(RestrictedError):
        read("a.eml", message)


def test_what_is_encrypted_is_missing() -> None:
    assert read("a.eml", PARTS.format("encrypted", "\nx")).gaps == ("a part that is encrypted",)


MAILBOX = (
    "From ana@x.test Mon May 4 09:00:00 2026\nMessage-ID: <1@x>\nFrom: ana@x.test\nSubject: One\n\n"
    "Words.\n>From here on.\nFrom here too\n\nFrom bo@x.test Mon May 4 10:00:00 2026\n"
    "From: bo@x.test\nMessage-ID: <1@x>\n\nMore.\n\n"
    "From x Mon May 4 11:00:00 2026\nX-A: none\n\nx\n"
)


def test_a_mailbox_is_a_document_for_each_message() -> None:
    documents = load(Path("a.mbox"), MAILBOX.encode())
    assert [(document.part, document.title) for document in documents] == [
        ("1@x", "One"),
        ("1@x 2", None),
    ]
    assert texts(documents[0]) == ["From: ana@x.test\n\nWords.\nFrom here on.\nFrom here too"]
    assert documents[0].gaps == ("1 message",)


def test_a_mailbox_with_a_restricted_message_is_refused() -> None:
    with pytest.raises(RestrictedError):
        load(Path("a.mbox"), MAILBOX.replace("X-A: none", "Audience: hr\nFrom: x").encode())


def test_text_without_messages_is_no_mailbox() -> None:
    assert "not a mailbox" in reason("a.mbox", b"From nobody\n")


EVENT = (
    "BEGIN:VCALENDAR\r\nX-WR-CALNAME:Team\r\nBEGIN:VEVENT\r\nSUMMARY:Blood drive\\, spring\r\n{}"
    "BEGIN:VALARM\r\nDESCRIPTION:no\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("DTSTART;TZID=Europe/Berlin:20260504T093000\r\nDTEND;TZID=Europe/Berlin:20260504T110000\r\n",
         "When: 2026-05-04 09:30 to 11:00 (Europe/Berlin)"),
        ("DTSTART:20260504T093000Z\r\nDURATION:PT1H\r\n", "When: 2026-05-04 09:30 for PT1H (UTC)"),
        ("DTSTART;VALUE=DATE:20260504\r\nDTEND;VALUE=DATE:20260505\r\n", "When: 2026-05-04"),
        ("DTSTART;VALUE=DATE:20260504\r\nDTEND;VALUE=DATE:20260507\r\n",
         "When: 2026-05-04 to 2026-05-06"),
        ("LOCATION:Room 3\r\n", "Where: Room 3"),
        ("DESCRIPTION:Bring\\nwat\r\n er\\; please\r\n", "Bring\nwater; please"),
        ('ORGANIZER;CN="Pohl, Ria":mailto:ria@x.test\r\n', "Organizer: Pohl, Ria <ria@x.test>"),
        ("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,-1FR;UNTIL=20261231\r\n",
         "Repeats: every 2 weeks on Monday, -1Friday until 2026-12-31"),
        ("STATUS:CANCELLED\r\n", "Status: Cancelled"),
    ],
)  # fmt: skip
def test_events_say_what_takes_place_when_and_where(lines: str, words: str) -> None:
    loaded = read("a.ics", EVENT.format(lines))
    assert (loaded.title, loaded.sections[0].headings) == ("Team", ("Blood drive, spring",))
    assert texts(loaded) == [words]


@pytest.mark.parametrize("line", ["CLASS:PRIVATE", "X-AUDIENCE:hr"])
def test_an_event_that_is_not_for_everybody_refuses_the_calendar(line: str) -> None:
    with pytest.raises(RestrictedError):
        read("a.ics", EVENT.format(f"{line}\r\n"))


def test_an_invitation_is_read_with_its_mail() -> None:
    event = EVENT.format("LOCATION:Room 3\r\n")
    part = f"Content-Type: text/calendar; charset=utf-8\n\n{event}"
    found = mail("alternative", PLAIN.format("utf-8", "Please come."), part)
    assert found[-1] == "Where: Room 3"


def test_text_without_events_is_no_calendar() -> None:
    assert "not a calendar" in reason("a.ics", b"hello")
