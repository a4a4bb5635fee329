from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.outgoing.cards import answer_cards, escape, fallback
from retrieval.records import Citation, Source
from tests.fakes import SentenceAnswerer, passage
from tests.slack_server import check_message

ANSWER = SentenceAnswerer().answer("How many days of paid leave are there?")


def test_an_answer_is_markdown_then_sources_then_the_buttons() -> None:
    (card,) = answer_cards(ANSWER)
    markdown, sources, buttons = card.block_dicts()
    assert markdown == {"type": "markdown", "text": ANSWER.text}
    assert sources["elements"][0]["text"] == "*Sources*"
    assert sources["elements"][2]["text"].startswith("Quoted from the documents · confidence ")
    assert buttons["elements"][0]["positive_button"]["value"] == f"good:{ANSWER.id}"


def test_a_chinese_question_gets_a_chinese_card() -> None:
    (card,) = answer_cards(SentenceAnswerer().answer("每年有多少天带薪年假？"))
    assert "来源" in str(card.block_dicts())
    assert "有帮助" in str(card.block_dicts())


def test_an_abstention_names_what_came_nearest_and_no_sources() -> None:
    answer = SentenceAnswerer().answer("Who won the cup?")
    (bare,) = answer_cards(answer)
    assert [block["type"] for block in bare.block_dicts()] == ["markdown", "context_actions"]
    (card,) = answer_cards(replace(answer, nearest=(passage("Cups", "Cups are in the kitchen."),)))
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


def test_a_document_without_an_address_is_named_by_its_path() -> None:
    leave = ANSWER.citations[0].passage
    source: Source = replace(leave.source, url="file:///etc/passwd")
    citation = Citation(1, replace(leave, source=source, page=None), "Text.", 1.0)
    (card,) = answer_cards(replace(ANSWER, citations=(citation,)))
    line = card.block_dicts()[1]["elements"][1]["text"]
    assert line == "*1*  Leave &gt; Rules (`handbook/Leave.md`)"


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


@given(st.text(max_size=5_000))
def test_the_fallback_text_is_short_and_free_of_markup(text: str) -> None:
    line = fallback(text)
    assert len(line) <= 4_000
    assert "<" not in line


def test_escaped_text_is_shown_as_it_is() -> None:
    assert escape("a < b && c > d") == "a &lt; b &amp;&amp; c &gt; d"
