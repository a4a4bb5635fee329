"""Slack's messages as an export has them: words wherever they stand, under the right names."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from retrieval.documents.loaders import load
from retrieval.documents.loaders.blocks import Loaded
from retrieval.documents.loaders.slack_export import Names, said_words
from retrieval.documents.loaders.slack_words import (
    forwarded_words,
    message_words,
    own_words,
    preview,
)
from retrieval.errors import UnreadableError

Json = dict[str, Any]


def rich(*elements: Json, kind: str = "rich_text_section", **more: Any) -> Json:
    return {"type": kind, "elements": list(elements), **more}


def said(text: str, **style: bool) -> Json:
    return {"type": "text", "text": text, **({"style": style} if style else {})}


def rich_text(*parts: Json) -> list[Json]:
    return [{"type": "rich_text", "elements": list(parts)}]


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


RICH = rich_text(
    rich(said("Ask "), {"type": "user", "user_id": "U1"}, said(" or "), said("x < y", code=True)),
    rich(
        rich(said("Open the portal")),
        rich(said("Press "), said("Add", bold=True), {"type": "emoji", "name": "point_up"}),
        kind="rich_text_list",
        style="ordered",
    ),
    rich(said("as Bo said"), kind="rich_text_quote"),
    rich(said("vpn --reset"), kind="rich_text_preformatted"),
    rich({"type": "link", "url": "https://x.test/a", "text": "the page"}),
    rich(
        {"type": "channel", "channel_id": "C1"},
        {"type": "usergroup", "usergroup_id": "S1"},
        {"type": "broadcast", "range": "here"},
        {"type": "date", "timestamp": 86400, "format": "{date}"},
    ),
)


def test_rich_text_reads_as_slack_writes_it_in_a_text() -> None:
    assert message_words({"text": "", "blocks": RICH}).split("\n") == [
        "Ask <@U1> or `x &lt; y`",
        "1. Open the portal",
        "2. Press Add:point_up:",
        "&gt; as Bo said",
        "```",
        "vpn --reset",
        "```",
        "<https://x.test/a|the page>",
        "<#C1><!subteam^S1><!here>1970-01-02",
    ]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"type": "header", "text": {"type": "plain_text", "text": "Incident 88"}}, "Incident 88"),
        ({"type": "section", "text": mrkdwn("*DB-3* is down")}, "*DB-3* is down"),
        (
            {"type": "section", "fields": [mrkdwn("Mon"), mrkdwn("9:00"), mrkdwn("Tue")] * 2},
            "Mon\n9:00\nTue\nMon\n9:00\nTue",
        ),
        ({"type": "context", "elements": [mrkdwn("by Bo"), {"alt_text": "a map"}]}, "by Bo\na map"),
        ({"type": "markdown", "text": "# Steps\n- one"}, "# Steps\n- one"),
        ({"type": "image", "title": {"text": "Floor 2"}, "alt_text": "floor 2"}, "Floor 2"),
        ({"type": "card", "title": mrkdwn("Trip"), "body": mrkdwn("to Lyon")}, "Trip\nto Lyon"),
        ({"type": "actions", "elements": [{"action_id": "a", "text": {"text": "Approve"}}]}, ""),
        (
            {
                "type": "table",
                "rows": [
                    [{"type": "raw_text", "text": "Plan"}, {"type": "raw_text", "text": "Fee"}],
                    [{"type": "raw_text", "text": "Pro"}, *rich_text(rich(said("75")))],
                ],
            },
            "| Plan | Fee |\n| Pro | 75 |",
        ),
    ],
)
def test_each_kind_of_block_gives_its_words(block: Json, words: str) -> None:
    assert message_words({"blocks": [block]}) == words


def test_text_and_blocks_that_say_the_same_are_read_once() -> None:
    text = "Ask <@U1|ana> or `x &lt; y`\n1. Open the portal\n2. Press *Add* :point_up:"
    same = {"text": text, "blocks": rich_text(*RICH[0]["elements"][:2])}
    assert message_words(same) == text


def test_of_a_summary_beside_blocks_only_other_words_are_read() -> None:
    shown = "Incident 88: DB-3 failed over"
    blocks = [{"type": "section", "text": mrkdwn(shown)}]
    for text in ("Incident 88", "This content can't be displayed."):
        assert message_words({"text": text, "blocks": blocks}) == shown
    told = message_words({"text": "Pager of team 4", "blocks": blocks})
    assert told == f"Pager of team 4\n{shown}"


def test_a_short_block_is_not_lost_in_a_text_that_has_its_letters() -> None:
    blocks = [{"type": "section", "text": mrkdwn("No")}]
    assert message_words({"text": "I know", "blocks": blocks}) == "I know\nNo"


def test_attachments_give_all_their_words_and_a_fallback_only_without_any() -> None:
    attachment = {
        "fallback": "Incident",
        "pretext": "New:",
        "title": "Incident 88",
        "text": "DB-3 is down",
        "fields": [{"title": "Node", "value": "7"}, {"value": "P1"}],
    }
    words = "New:\nIncident 88\nDB-3 is down\nNode: 7\nP1"
    assert message_words({"text": "", "attachments": [attachment]}) == words
    assert message_words({"attachments": [{"fallback": "Build 7 failed"}]}) == "Build 7 failed"
    assert message_words({"attachments": [{"fallback": "[no preview available]"}]}) == ""


def test_a_forwarded_message_is_told_from_what_its_sender_says() -> None:
    inner = {"is_share": True, "author_name": "Cy", "text": "Payroll closes on the 21st."}
    shown = {"channel": "C9", "ts": "1.0", "message": {"blocks": rich_text(rich(said("From Cy")))}}
    outer = {
        "is_msg_unfurl": True,
        "author_name": "Bo",
        "text": "From Cy",
        "message_blocks": [shown],
        "attachments": [inner],
        "files": [{"name": "fees.txt", "preview": "15 euros"}],
    }
    message = {"text": "FYI", "attachments": [outer]}
    words = "From Cy\nPayroll closes on the 21st.\nfees.txt\n15 euros"
    assert own_words(message) == "FYI"
    assert forwarded_words(message) == (words,)
    assert message_words(message) == f"FYI\nBo: {words}"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ({"title": "Fees <2024>", "preview": "a & b"}, "Fees &lt;2024&gt;\na &amp; b"),
        ({"name": "m.eml", "subject": "Fees", "plain_text": "15 euros"}, "m.eml\nFees\n15 euros"),
        ({"title": "Onboarding", "filetype": "quip", "mode": "quip"}, "Onboarding"),
        (
            {"name": "a.m4a", "transcription": {"preview": {"content": "we move"}}},
            "a.m4a\nwe move",
        ),
        ({"name": "gone", "mode": "tombstone"}, ""),
    ],
)
def test_a_file_is_named_with_what_the_message_holds_of_it(file: Json, words: str) -> None:
    assert message_words({"text": "", "files": [file]}) == words


def test_odd_parts_of_a_message_are_passed_over() -> None:
    odd: Json = {
        "text": None,
        "blocks": [None, {"type": "table", "rows": 3}, {"type": "section", "text": [1]}],
        "attachments": {"text": "x"},
        "files": [{"name": 3, "transcription": "x"}],
    }
    assert message_words(odd) == ""
    assert preview({}) == ""


def test_what_is_forwarded_too_deep_is_passed_over_and_much_of_it_is_read_fast() -> None:
    message: Json = {"text": "inmost"}
    for _ in range(500):
        message = {"is_share": True, "text": "shared", "attachments": [message]}
    assert "inmost" not in message_words({"attachments": [message]})
    many = [{"text": f"<a|b :x: {n}" * 10} for n in range(5_000)]
    begun = time.process_time()
    assert "4999" in message_words({"text": "<" * 200_000, "attachments": many})
    assert time.process_time() - begun < 20


@pytest.fixture
def export(tmp_path: Path) -> Path:
    people = [("U1", "Ana"), ("U2", "Bo")]
    write(tmp_path, "users", [{"id": id_, "profile": {"real_name": n}} for id_, n in people])
    write(tmp_path, "channels", [{"id": "C1", "name": "help"}, {"id": "C2", "name": "ops"}])
    write(tmp_path, "groups", [{"id": "G1", "name": "leads"}])
    write(tmp_path, "dms", [{"id": "D1", "members": ["U1", "U2"]}])
    write(tmp_path, "mpims", [{"id": "G2", "name": "mpdm-a--b-1", "members": ["U2", "U1"]}])
    return tmp_path


def write(export: Path, kind: str, rows: list[Json]) -> None:
    (export / f"{kind}.json").write_text(json.dumps(rows))


def day(export: Path, channel: str, *messages: Json) -> Loaded:
    rows = [{"user": "U1", "ts": f"{n}.0"} | message for n, message in enumerate(messages)]
    (document,) = load(export / channel / "2026-05-04.json", json.dumps(rows).encode())
    return document


def text_of(document: Loaded) -> str:
    return document.sections[0].text.strip()


def test_people_and_channels_are_called_by_their_names(export: Path) -> None:
    text = "<@U2> <@U9|cy> <#C2> <#C2|> <#C8|old> <!subteam^S1|@it> <!here> <!date^1^{date}|May 4>"
    assert (
        text_of(day(export, "help", {"text": text}))
        == "Ana: @Bo @cy #ops #ops #old @it @here May 4"
    )
    stranger = {"user": "U7", "text": "Hi", "user_profile": {"display_name": "Di"}}
    assert text_of(day(export, "help", stranger)) == "Di: Hi"
    bot = {"user": None, "bot_id": "B1", "text": "Hi", "bot_profile": {"name": "Pager"}}
    assert text_of(day(export, "help", bot)) == "Pager: Hi"


def test_a_private_channel_is_named_among_its_own_only(export: Path) -> None:
    said_in = {"text": "see <#G1|leads>"}
    assert text_of(day(export, "help", said_in)) == "Ana: see a private channel"
    assert text_of(day(export, "leads", said_in)) == "Ana: see #leads"


def test_direct_messages_are_for_nobody_and_called_by_who_writes_them(export: Path) -> None:
    alone, group = (day(export, name, {"text": "Hi"}) for name in ("D1", "mpdm-a--b-1"))
    assert (alone.title, alone.usual_audience) == ("Ana, Bo: 2026-05-04", "slack:D1")
    assert (group.title, group.usual_audience) == ("Bo, Ana: 2026-05-04", "slack:mpdm-a--b-1")


def test_a_private_message_that_is_linked_in_public_is_for_its_members(export: Path) -> None:
    linked: Json = {"is_msg_unfurl": True, "channel_id": "G1", "text": "E4 gets more"}
    message = {"text": "see the link", "attachments": [linked]}
    assert text_of(day(export, "help", message)) == "Ana: see the link"
    assert "E4" in text_of(day(export, "leads", message))
    message["attachments"] = [linked | {"is_share": True}]
    assert "E4" in text_of(day(export, "help", message))


def test_a_message_is_read_as_it_was_last_edited_and_not_when_it_was_deleted(export: Path) -> None:
    messages: list[Json] = [
        {"text": "Late fee: 10", "ts": "1.0"},
        {"subtype": "message_changed", "message": {"user": "U2", "text": "It is 15", "ts": "1.0"}},
        {"text": "a secret", "ts": "2.0"},
        {"subtype": "message_deleted", "deleted_ts": "2.0"},
        {"subtype": "tombstone", "text": "This message was deleted."},
        {"subtype": "me_message", "text": "is away"},
        {"subtype": "thread_broadcast", "text": "Done"},
    ]
    text = text_of(day(export, "help", *messages))
    assert text == "Bo: It is 15\n\nAna: is away\n\nAna: Done"


def test_files_that_an_export_only_names_are_told(export: Path) -> None:
    files: list[Json] = [{"name": "a.txt", "preview": "15"}, {"name": "b.pdf"}]
    files.append({"name": "c.txt", "preview": "x", "preview_is_truncated": True})
    told = day(export, "help", {"text": "", "files": files})
    assert text_of(told) == "Ana: a.txt\n15\nb.pdf\nc.txt\nx"
    assert told.gaps == ("2 of 3 shared files are not in it, or not whole: b.pdf, c.txt",)


def test_messages_without_a_word_make_no_document(export: Path) -> None:
    with pytest.raises(UnreadableError, match="no text"):
        day(export, "help", {"text": "", "attachments": [{"image_url": "https://x.test/a.png"}]})


def test_links_keep_where_they_lead() -> None:
    links = ("https://pay.example/x|Pay", "http://pay.example|pay.example", "mailto:hr@x.test|HR")
    message = {"text": " ".join(f"<{link}>" for link in links)}
    assert said_words(message, Names({}, {}), frozenset()) == (
        "Pay (https://pay.example/x) pay.example HR (hr@x.test)"
    )
