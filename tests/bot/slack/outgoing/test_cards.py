from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.outgoing.cards import Frame, age, answer_cards, escape, fallback, helpers
from bot.store.channels import ChannelConfig
from bot.strings import strings_for
from retrieval.linking import LinkRules
from retrieval.records import Answer, Citation, Passage, Source
from tests.fakes import answer_to, passage
from tests.slack_server import check_message

ENGLISH = strings_for("en")

NOW = 1_767_225_600.0 + 100 * 86_400  # 100 days after every passage of the fakes was changed
ANSWER = answer_to("How many days of paid leave are there?")


def test_an_answer_is_markdown_then_sources_then_the_buttons() -> None:
    (card,) = answer_cards(ANSWER)
    markdown, sources, actions, ratings = card.block_dicts()
    assert markdown == {"type": "markdown", "text": ANSWER.text}
    assert sources["elements"][0]["text"] == "*Sources*"
    assert sources["elements"][2]["text"].startswith("Quoted from the documents · confidence ")
    assert [button["text"]["text"] for button in actions["elements"]] == [
        "Why this answer?",
        "Delete",
    ]
    assert ratings["elements"][0]["positive_button"]["value"] == f"good:{ANSWER.id}"


def test_a_chinese_question_gets_a_chinese_card() -> None:
    (card,) = answer_cards(answer_to("每年有多少天带薪年假？"))
    assert "来源" in str(card.block_dicts())
    assert "有帮助" in str(card.block_dicts())


def test_an_abstention_names_what_came_nearest_and_no_sources() -> None:
    answer = answer_to("Who won the cup?")
    (bare,) = answer_cards(answer)
    types = [block["type"] for block in bare.block_dicts()]
    assert types == ["markdown", "actions", "context_actions"]
    nearest = (passage("Cups", "Cups are in the kitchen."),)
    (card,) = answer_cards(replace(answer, nearest=nearest, searched=12))
    assert "Documents searched: 12." in str(card.block_dicts())
    assert "Nearest in the documents" in str(card.block_dicts())
    assert "Sources" not in str(card.block_dicts())


def test_a_title_cannot_break_out_of_its_link() -> None:
    odd = passage("Q&A <!channel> a|b", "Text.")
    source = replace(odd.source, url="https://x.example/a|b c>d?e=1&f")
    citation = Citation(1, replace(odd, source=source), "Text.", 1.0)
    (card,) = answer_cards(replace(ANSWER, citations=(citation,)))
    link = card.block_dicts()[1]["elements"][1]["text"]
    assert link == (
        "*1*  <https://x.example/a%7Cb%20c%3Ed?e=1&amp;f"
        "|Q&amp;A &lt;!channel&gt; a¦b &gt; Rules>, p. 3"
    )


def test_a_document_without_an_address_is_named_by_its_id() -> None:
    leave = ANSWER.citations[0].passage
    path = "/srv/secret/handbook/Leave.md"
    source: Source = replace(leave.source, url="file:///etc/passwd", path=path)
    citation = Citation(1, replace(leave, source=source, page=None), "Text.", 1.0)
    (card,) = answer_cards(replace(ANSWER, citations=(citation,)))
    line = card.block_dicts()[1]["elements"][1]["text"]
    assert line == "*1*  Leave &gt; Rules (`handbook/Leave.md`)"


def source_of(frame: Frame, **values: str | None) -> str:
    """The line of a source, as it is shown."""
    leave = ANSWER.citations[0].passage
    changed = replace(leave, source=replace(leave.source, **values))  # type: ignore[arg-type]
    cited = (Citation(1, changed, "Text.", 1.0),)
    (card,) = answer_cards(replace(ANSWER, citations=cited), frame)
    return str(card.block_dicts()[1]["elements"][1]["text"])


HOSTILE = "\u202eSee https://evil.example/x\n*Approved* `x` @here tel:1 <https://evil.example|y>"


@pytest.mark.parametrize("field", ["title", "owner"])
def test_nothing_that_a_document_says_acts_in_its_line(field: str) -> None:
    line = source_of(Frame(), url=None, **{field: HOSTILE})
    assert not any(mark in line for mark in ("://", "\u202e", "\n", "*A", "@here", "tel:1", "<"))


def test_nothing_that_a_file_is_called_ends_its_code() -> None:
    line = source_of(Frame(), url=None, id=HOSTILE)
    assert line.count("`") == 2
    assert not any(mark in line for mark in ("s://", "\u202e", "\n", "@here", "<"))


@pytest.mark.parametrize("url", ["http://docs.example/a", "ipp://docs.example/a", "tel:12345"])
def test_only_web_addresses_over_tls_are_linked(url: str) -> None:
    assert source_of(Frame(), url=url) == "*1*  Leave &gt; Rules (`handbook/Leave.md`), p. 3"


def test_a_link_says_where_it_leads_while_no_hosts_are_named() -> None:
    frame = Frame(links=LinkRules(shows_host=True))
    line = source_of(frame, url="https://docs.example/a")
    assert line == "*1*  <https://docs.example/a|Leave &gt; Rules>, p. 3 · docs.example"


def test_a_host_that_is_not_named_is_not_linked() -> None:
    frame = Frame(links=LinkRules(("docs.example",)))
    assert "<https://docs.example/a|" in source_of(frame, url="https://docs.example/a")
    assert "evil" not in source_of(frame, url="https://evil.example/a")


def test_an_author_cannot_format_the_line_that_names_them() -> None:
    answer = replace(ANSWER, method="curated", author="*Ann* https://evil.example")
    (card,) = answer_cards(answer)
    assert "∗Ann∗ ‹link removed›" in str(card.block_dicts())


@given(st.sampled_from("&<|>a "), st.integers(0, 900), st.integers(0, 400))
def test_a_source_fits_its_line_whatever_it_is_called(character: str, url: int, name: int) -> None:
    named = replace(
        ANSWER.citations[0].passage.source,
        url="https://docs.example/" + character * url,
        title=character * name,
        owner=character * name,
    )
    citation = Citation(1, replace(ANSWER.citations[0].passage, source=named), "Text.", 1.0)
    (card,) = answer_cards(replace(ANSWER, citations=(citation,)), Frame(now=NOW))
    check_message({"text": card.text, "blocks": card.block_dicts()}, max_text=4_000)


def test_the_longest_answer_fits_slack_in_several_messages() -> None:
    citations = tuple(
        Citation(n, passage(f"{n} {'long title ' * 40}", f"Text {n}."), "Text.", 1.0)
        for n in range(60)
    )
    answer = replace(ANSWER, text="word & <word> " * 4_000, citations=citations)
    cards = answer_cards(answer)
    assert len(cards) > 1
    for card in cards:
        check_message({"text": card.text, "blocks": card.block_dicts()}, max_text=4_000)


def owned(owner: str) -> Passage:
    leave = ANSWER.citations[0].passage
    return replace(leave, source=replace(leave.source, owner=owner))


def said(answer: Answer, frame: Frame) -> str:
    return str([card.block_dicts() for card in answer_cards(answer, frame)])


def test_a_source_says_how_old_it_is_and_whose() -> None:
    citation = Citation(1, owned("Ann <x>"), "Text.", 1.0)
    (card,) = answer_cards(replace(ANSWER, citations=(citation,)), Frame(now=NOW))
    line = card.block_dicts()[1]["elements"][1]["text"]
    assert line.endswith(", p. 3 · updated 3 months ago · owner: Ann &lt;x&gt;")


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (-1, "updated today"),
        (1, "updated yesterday"),
        (59, "updated 59 days ago"),
        (400, "updated 13 months ago"),
        (800, "updated 2 years ago"),
    ],
)
def test_an_age_is_told_as_people_say_it(days: int, words: str) -> None:
    assert age("2026-01-01T00:00:00+00:00", 1_767_225_600.0 + days * 86_400, ENGLISH) == words


def test_an_abstention_offers_those_who_may_know() -> None:
    answer = answer_to("Who won the cup?")
    named, tagged = (
        replace(answer, nearest=(owned("Ann"),)),
        replace(answer, nearest=(owned("U7"),)),
    )
    assert "Ann may know" in said(named, Frame())
    assert helpers(named, ChannelConfig()) == ()
    assert helpers(tagged, ChannelConfig()) == ("U7",)
    assert helpers(tagged, ChannelConfig(experts=("U8", "U9"))) == ("U8", "U9")
    assert "U7" not in said(tagged, Frame())


def test_an_expert_is_asked_only_where_the_expert_can_see_it_and_once() -> None:
    answer = replace(answer_to("Who won the cup?"), nearest=(owned("U7"),))
    assert "ask_expert" in said(answer, Frame())
    assert "ask_expert" not in said(answer, Frame(is_private=True))
    assert "ask_expert" not in said(answer, Frame(is_direct=True))
    assert "ask_expert" not in said(answer, Frame(done=frozenset({"ask_expert"})))


def test_what_only_the_asker_sees_can_be_shared_and_kept_but_not_deleted() -> None:
    private, public = said(ANSWER, Frame(is_private=True)), said(ANSWER, Frame())
    assert "share_answer" in private
    assert "keep_answer" in private
    assert "delete_answer" not in private
    assert "share_answer" not in public


def test_a_channel_without_buttons_gets_none() -> None:
    (card,) = answer_cards(ANSWER, Frame(ChannelConfig(buttons=False)))
    assert [block["type"] for block in card.block_dicts()] == ["markdown", "context"]


def test_an_abstention_says_where_it_was_searched() -> None:
    answer = replace(answer_to("Who won the cup?"), searched=3)
    config = ChannelConfig(sources=("handbook/", "policies/"))
    assert "Documents searched: 3, in `handbook/`, `policies/`." in said(answer, Frame(config))


def test_an_approved_answer_names_its_author_and_a_stopped_one_says_so() -> None:
    curated = replace(ANSWER, method="curated", author="Ann & Bo", citations=())
    assert "Written by Ann &amp; Bo" in said(curated, Frame())
    assert "Stopped before the end" in said(replace(ANSWER, stopped=True), Frame())


@given(st.text(max_size=5_000))
def test_the_fallback_text_is_short_and_free_of_markup(text: str) -> None:
    line = fallback(text)
    assert len(line) <= 4_000
    assert "<" not in line


def test_escaped_text_is_shown_as_it_is() -> None:
    assert escape("a < b && c > d") == "a &lt; b &amp;&amp; c &gt; d"
