from __future__ import annotations

from typing import Any

import pytest

from bot.slack.incoming.intake import read
from bot.slack.incoming.payloads import Question, RatingGiven
from bot.slack.incoming.text import plain
from bot.store.inbox import Delivery
from tests.slack_asking import deleted, edited, message
from tests.slack_server import (
    BOT_USER,
    direct_message,
    event,
    mention,
    reaction,
    slash,
)

ANSWER = {"ts": "5.5", "user": BOT_USER}


def taken(payload: dict[str, Any], event_id: str = "Ev1") -> Delivery | None:
    return read(event(payload, event_id), bot_user=BOT_USER)


@pytest.mark.parametrize(
    "more",
    [
        {"bot_id": "BOTHER"},
        {"user": BOT_USER},
        {"user": "USLACKBOT"},
        {"subtype": "message_changed"},
        {"subtype": "message_deleted", "deleted_ts": "0.5"},
        {"subtype": "channel_join"},
    ],
)
def test_messages_that_are_no_questions_are_left_alone(more: dict[str, Any]) -> None:
    assert taken(direct_message("hello", ts="1.0") | more) is None


def test_a_message_with_a_file_is_a_question() -> None:
    assert taken(direct_message("what is this?", ts="1.0", subtype="file_share")) is not None


def test_a_channel_message_that_does_not_mention_us_is_unaddressed() -> None:
    chat = {**mention("leave?", ts="1.0"), "type": "message", "channel_type": "channel"}
    asked, unaddressed = taken(chat), taken(chat | {"text": "leave?"})
    assert asked is not None
    assert unaddressed is not None
    assert (asked.kind, unaddressed.kind) == ("question", "overheard")
    assert unaddressed.work_key is None  # or a later mention of the same message would be lost
    assert asked.thread_key == unaddressed.thread_key


def test_an_edit_that_adds_our_mention_is_the_question_that_the_message_would_have_been() -> None:
    before = message("leave?", ts="1.0")
    asked = taken(edited(before | {"text": f"<@{BOT_USER}> leave?"}, before))
    assert asked is not None
    assert (asked.kind, asked.work_key) == ("question", "T1:C1:1.0")


@pytest.mark.parametrize("text", ["leave or holiday?", f"<@{BOT_USER}> leave or holiday?"])
def test_other_edits_ask_nothing(text: str) -> None:
    before = message(text.replace("or holiday", ""), ts="1.0")
    assert taken(edited(before | {"text": text}, before)) is None


def test_a_deleted_message_is_a_change_in_the_order_of_its_thread() -> None:
    gone = message("leave?", ts="2.0", thread_ts="1.0")
    tombstone = gone | {"subtype": "tombstone", "text": "This message was deleted."}
    for told in (deleted(gone), edited(tombstone, gone)):
        change = taken(told)
        assert change is not None
        assert (change.kind, change.thread_key) == ("change", "T1:C1:1.0")
        assert change.payload == {"ts": "2.0", "thread_ts": "1.0"}


def test_our_own_deleted_messages_are_left_alone() -> None:
    assert taken(deleted(message("30 days", ts="2.0", user=BOT_USER, bot_id="BBOT"))) is None


def test_the_stop_button_does_not_wait_for_the_answer_it_stops() -> None:
    pressed = {"type": "agent_session_stopped", "channel": "D1", "thread_ts": "1.0", "user": "U1"}
    stop, asked = taken(pressed), taken(direct_message("leave?", ts="1.0"))
    assert stop is not None
    assert asked is not None
    assert stop.kind == "stop"
    assert stop.thread_key != asked.thread_key


@pytest.mark.parametrize("tab", ["home", "about"])
def test_only_the_messages_tab_wants_suggestions(tab: str) -> None:
    opened = {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "messages"}
    prompts, other = taken(opened), taken(opened | {"tab": tab})
    assert prompts is not None
    assert prompts.kind == "prompts"
    assert other is None or other.kind == "home"


def test_a_reaction_that_asks_is_read_on_peoples_messages_only() -> None:
    def reacted(item: dict[str, Any], *, removed: bool = False) -> Delivery | None:
        told = reaction("bird", item, channel="C1", removed=removed)
        return read(event(told, "Ev1"), bot_user=BOT_USER, emoji={"bird": "pointed"})

    asked = reacted({"ts": "1.0", "user": "U2"})
    assert asked is not None
    assert asked.kind == "pointed"
    assert reacted(ANSWER) is None
    assert reacted({"ts": "1.0", "user": "U2"}, removed=True) is None


def test_a_mention_and_the_message_it_is_in_are_the_same_work() -> None:
    asked = mention("leave?", ts="1.0")
    both = (
        taken(asked, "Ev1"),
        taken({**asked, "type": "message", "channel_type": "channel"}, "Ev2"),
    )
    assert both[0] is not None
    assert both[1] is not None
    assert both[0].work_key == both[1].work_key == "T1:C1:1.0"


def test_a_mention_edited_in_later_is_the_same_work_as_the_message() -> None:
    edited = taken(mention("leave?", ts="1.0", edited={"user": "U1", "ts": "2.0"}))
    assert edited is not None
    assert edited.work_key == "T1:C1:1.0"


def test_a_reply_in_a_thread_belongs_to_the_thread() -> None:
    followed = taken(mention("and part-time?", ts="2.0", thread_ts="1.0"))
    assert followed is not None
    assert followed.thread_key == "T1:C1:1.0"
    assert Question(**followed.payload).thread_ts == "1.0"


@pytest.mark.parametrize(
    ("name", "value"),
    [("+1", 1), ("thumbsup", 1), ("+1::skin-tone-3", 1), ("-1", -1), ("thumbsdown", -1)],
)
def test_thumbs_are_ratings_whatever_their_skin_tone(name: str, value: int) -> None:
    rated = taken(reaction(name, ANSWER, channel="C1"))
    assert rated is not None
    assert RatingGiven(**rated.payload).value == value


@pytest.mark.parametrize(
    "payload",
    [
        reaction("eyes", ANSWER, channel="C1"),
        reaction("+1", {"ts": "5.5", "user": "U2"}, channel="C1"),
        reaction("+1", ANSWER, channel="C1", user=BOT_USER),
    ],
)
def test_other_reactions_are_left_alone(payload: dict[str, Any]) -> None:
    assert taken(payload) is None


@pytest.mark.parametrize(
    ("command", "text", "kind"),
    [
        ("/ask", "how many days?", "question"),
        ("/whimbrel", "reindex", "reindex"),
        ("/whimbrel", "Reindex full", "reindex"),
        ("/whimbrel", "status", "command"),
        ("/whimbrel", "", "command"),
    ],
)
def test_commands_are_sorted_by_what_they_take(command: str, text: str, kind: str) -> None:
    given = read(slash(command, text, trigger_id="1", url="https://x"), bot_user=BOT_USER)
    assert given is not None
    assert given.kind == kind


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"<@{BOT_USER}> how many &lt;days&gt; &amp; nights?", "how many <days> & nights?"),
        (f"<@{BOT_USER}|whimbrel>   hello :wave::skin-tone-2:", "hello"),
        (
            "see <https://a.example/x|the page> and <https://b.example>",
            "see the page and https://b.example",
        ),
        ("ask <@U2|ann> in <#C3|general> <!here>", "ask @ann in #general here"),
        (f"<@{BOT_USER}>  ", ""),
        ("at 10:30:15 today", "at 10:30:15 today"),
    ],
)
def test_slack_markup_becomes_plain_words(text: str, words: str) -> None:
    assert plain(text, bot_user=BOT_USER) == words
