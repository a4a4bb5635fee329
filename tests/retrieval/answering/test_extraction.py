from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from retrieval.answering.extraction import MAX_CHARS, answering_row, extract
from retrieval.answering.questions import asks_for_fact
from retrieval.records import Hit, Passage
from tests.fakes import passage
from tests.retrieval.word_embedder import WordEmbedder

STEPS = [f"{number}. Press the button number {number} of the client." for number in range(1, 11)]


def quotes(
    question: str, text: str, *, section: Sequence[Passage] | None = None
) -> tuple[list[str], bool]:
    found = section[-1] if section else passage("VPN", text)
    said = extract(
        question,
        [Hit(found, 1.0)],
        WordEmbedder(),
        is_fact=asks_for_fact(question),
        section_of=lambda one: section or (one,),
    )
    assert said is not None
    return [citation.quote for citation in said.citations], said.is_cut


def test_a_procedure_is_quoted_from_its_first_step() -> None:
    text = "\n".join(["Do this:", *STEPS])
    assert quotes("how do I set up the client?", text) == ([text], False)


def test_a_fact_of_a_list_is_quoted_alone() -> None:
    (quote,), _ = quotes("which button of the client comes fifth, number 5?", "\n".join(STEPS))
    assert len(quote.split("\n")) <= 2
    assert "number 5" in quote


@pytest.mark.parametrize(
    ("heading", "text", "shown"),
    [
        ("4. May keepers swap watches?", "Yes. The other keeper agrees.", True),
        ("值班可以换吗？", "不可以。另找一位看守人。", True),
        ("4. Swapping watches", "Yes. The other keeper agrees.", False),
        ("4. May keepers swap watches?", "The other keeper agrees, yes.", False),
        ("4. May keepers swap watches?", "No keeper swaps alone.", False),
        ("值班可以换吗？", "有两位看守人值班。", False),
    ],
)
def test_yes_or_no_is_quoted_with_the_question_of_the_heading_above_it(
    heading: str, text: str, *, shown: bool
) -> None:
    found = replace(passage("Watches", text), headings=("Watches", heading))
    said = extract("how do I swap?", [Hit(found, 1.0)], WordEmbedder(), is_fact=False)
    assert said is not None
    assert said.headings == (heading if shown else "",)


def test_a_procedure_that_goes_on_in_the_next_passage_is_whole() -> None:
    first = passage("VPN", "\n".join(["Do this:", *STEPS[:5]]))
    second = replace(passage("VPN", "\n".join([*STEPS[5:], "", "Afterwards rest."])), id="second")
    (begun, ended), is_cut = quotes("how do I set up the client?", "", section=[first, second])
    assert begun == first.text
    assert ended == second.text
    assert not is_cut


def test_what_is_too_long_is_cut_between_its_lines() -> None:
    text = "\n".join(f"{number}. {'Press it again. ' * 12}".strip() for number in range(1, 30))
    (quote,), is_cut = quotes("how do I set it up?", text)
    assert is_cut
    assert len(quote) <= MAX_CHARS + 30
    assert text.startswith(quote + "\n")


def test_an_explanation_is_the_whole_passage_without_what_tells_nothing() -> None:
    text = (
        "Keepers may swap watches.\n\nThe other keeper agrees in writing. The office is told.\n\n"
        "[Form](https://intranet.example/swap)"
    )
    assert quotes("can I swap watches with somebody", text) == (
        [text.removesuffix("\n\n[Form](https://intranet.example/swap)")],
        False,
    )


def test_a_long_passage_is_quoted_where_it_answers() -> None:
    text = " ".join(f"Rope number {n} hangs in shed {n}." for n in range(60))
    (quote,), _ = quotes("why does rope number 41 hang in shed 41", f"{text} Swap watches.")
    assert "Rope number 41 " in quote
    assert len(quote) < 300


def test_a_second_passage_that_answers_as_well_is_quoted_too() -> None:
    hits = [
        Hit(replace(passage("Watch", text), id=text), 1.0)
        for text in ("Keepers may swap watches.", "The sea is wet.", "The office is told of swaps.")
    ]
    said = extract("can I swap watches", hits, WordEmbedder(), is_fact=False, reads=[0.9, 0.1, 0.8])
    assert said is not None
    assert [c.quote for c in said.citations] == [hits[0].passage.text, hits[2].passage.text]
    alone = extract("can I swap watches", hits, WordEmbedder(), is_fact=False)
    assert alone is not None
    assert [citation.quote for citation in alone.citations] == [hits[0].passage.text]


def test_passages_of_one_section_are_quoted_in_the_order_of_the_text() -> None:
    later, before = (
        replace(passage("Watch", text), id=text, start=start)
        for text, start in (("Then tell the office.", 30), ("Ask the other keeper.", 0))
    )
    hits = [Hit(later, 1.0), Hit(before, 0.9)]
    said = extract("can I swap watches", hits, WordEmbedder(), is_fact=False, reads=[0.9, 0.8])
    assert said is not None
    assert [citation.passage for citation in said.citations] == [before, later]


def test_a_block_of_code_is_never_left_open() -> None:
    text = "To renew run:\n\n```sh\nvpn login\nvpn renew --all\nvpn status\n```"
    (quote,), _ = quotes("what renews the certificate with vpn renew?", text)
    assert quote == text


def test_of_rows_that_name_their_columns_the_one_that_answers_is_quoted() -> None:
    rows = [f"Plan: {name} | Fee: {fee} euros" for name, fee in (("Basic", 12), ("Pro", 75))]
    (quote,), _ = quotes("which fee does the plan Pro have?", "\n".join(rows))
    assert quote == rows[1]


def test_the_head_of_a_table_alone_is_no_answer() -> None:
    text = "| Plan | Fee | Support |\n| Basic | 12 euros | e-mail |\n| Pro | 75 euros | phone |"
    (quote,), _ = quotes("which plan has phone support?", text)
    assert quote.split("\n") == ["| Plan | Fee | Support |", "| Pro | 75 euros | phone |"]


def test_where_nothing_says_anything_nothing_is_quoted() -> None:
    links = passage("Links", "[Wiki](https://wiki.example.com)\nhttps://intranet.example.com")
    assert extract("wiki", [Hit(links, 1.0)], WordEmbedder(), is_fact=False) is None


def whole(*texts: str, section: Sequence[Passage] | None = None) -> tuple[list[str], bool]:
    hits = [Hit(replace(passage("Tank", text), id=f"p{n}"), 1.0) for n, text in enumerate(texts)]
    said = extract(
        "how do I clean the tide tank",
        hits,
        WordEmbedder(),
        is_fact=False,
        reads=[0.9] * len(hits),
        section_of=lambda _: section or [hit.passage for hit in hits],
    )
    assert said is not None
    return [citation.quote for citation in said.citations], said.is_cut


def test_a_list_over_two_quoted_passages_leaves_out_nothing_of_either() -> None:
    first = "Switch off the main pump and lock the switch.\n\nThen:\n" + "\n".join(STEPS[:5])
    second = "\n".join(STEPS[5:]) + "\n\nAfterwards the office is told."
    assert whole(first, second) == ([first, second], False)


def test_a_paragraph_that_leads_in_to_a_table_is_quoted_with_it() -> None:
    text = "It takes an hour. The sizes are in this table:\n\n| Size | Hours |\n| small | 1 |"
    assert whole(text) == ([text], False)


ROUTER = "| Step | What to do |\n| 1 | Tell the floor. |\n| 2 | Reset the router. |\n| 3 | Wait. |"


@pytest.mark.parametrize("question", ["how do I reset the router", "do all reset routers wait"])
def test_where_no_fact_is_asked_for_a_short_table_is_quoted_whole(question: str) -> None:
    found = [Hit(passage("Router", ROUTER), 1.0)]
    said = extract(question, found, WordEmbedder(), is_fact=False, reads=[0.9])
    assert said is not None
    assert said.citations[0].quote == ROUTER


def test_the_same_text_of_another_document_is_not_quoted_twice() -> None:
    text = "Drain the tide tank and brush its walls from the top."
    assert whole(text, text) == ([text], False)


def test_a_long_list_beside_it_does_not_crowd_out_what_answers() -> None:
    long = "\n".join(f"{n}. {'Press it again. ' * 12}".strip() for n in range(1, 30))
    last = "30. Drain the tide tank.\n31. Brush its walls."
    section = [replace(passage("Tank", long), id="before"), replace(passage("Tank", last), id="p0")]
    quoted, is_cut = whole(last, section=section)
    assert quoted[-1] == last
    assert is_cut


AMOUNTS = "| Amount | Who |\n| below €250 | nobody |\n| above €250 | lead |\n\nAsk Ann who is away."


def test_a_fact_for_a_number_is_the_row_whose_range_holds_it() -> None:
    quotes_, _ = quotes("who approves 700 euro?", AMOUNTS)
    assert quotes_ == ["| Amount | Who |\n| above €250 | lead |"]


def test_of_rows_that_name_their_columns_those_that_answer_are_quoted_whole() -> None:
    text = "Name: Ann Lee | Phone: 100\nName: Bob Ray | Fee: 3 p.p. | Phone: 101"
    assert quotes("bob ray phone", text) == ([text.split("\n")[1]], False)
    assert quotes("who is bob ray?", text) == ([text.split("\n")[1]], False)


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("support of plan pro", 1),
        ("what support does plan Pro have", 1),
        ("which support is there", None),
        ("plan Pro and its money back", None),
        ("Pro", None),
    ],
)
def test_the_row_of_a_table_that_has_what_is_asked_answers(question: str, row: int | None) -> None:
    rows = ["| Plan | Support |", "| Pro | phone, 9 to 5 |", "| Max | phone, 24 hours |"]
    found = answering_row(question, [Hit(passage("Plans", "\n".join(rows)), 1.0)])
    said = found and [found[0].text[slice(*line)] for line in found[1]]
    assert said == (None if row is None else [rows[0], rows[row]])


def test_a_question_in_a_text_is_no_answer_to_it() -> None:
    text = "How tall is the tower? It rises 40 metres above the rock. How old is the tower?"
    (quote,), _ = quotes("how tall is the tower", text)
    assert "40 metres" in quote
    assert not quote.endswith("?")


def test_a_fact_is_quoted_of_the_passage_that_was_read_as_the_likeliest() -> None:
    first = passage("Tower", "The tower is painted white every third year.")
    other = passage("Tower", "The tower is 40 metres tall.")
    hits = [Hit(first, 1.0), Hit(other, 0.9)]
    for reads, quoted in (((0.9, 0.05), first), ((0.05, 0.9), other)):
        said = extract("the tower?", hits, WordEmbedder(), is_fact=True, reads=reads)
        assert said is not None
        assert said.citations[0].passage == quoted
