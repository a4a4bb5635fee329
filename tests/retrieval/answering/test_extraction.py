from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from retrieval.answering.extraction import MAX_CHARS, extract
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


def test_a_procedure_that_goes_on_in_the_next_passage_is_whole() -> None:
    first = passage("VPN", "\n".join(["Do this:", *STEPS[:5]]))
    second = replace(passage("VPN", "\n".join([*STEPS[5:], "", "Afterwards rest."])), id="second")
    (begun, ended), is_cut = quotes("how do I set up the client?", "", section=[first, second])
    assert begun == first.text
    assert ended == "\n".join(STEPS[5:])
    assert not is_cut


def test_what_is_too_long_is_cut_between_its_lines() -> None:
    text = "\n".join(f"{number}. {'Press it again. ' * 12}".strip() for number in range(1, 30))
    (quote,), is_cut = quotes("how do I set it up?", text)
    assert is_cut
    assert len(quote) <= MAX_CHARS + 30
    assert text.startswith(quote + "\n")


def test_a_block_of_code_is_never_left_open() -> None:
    text = "To renew run:\n\n```sh\nvpn login\nvpn renew --all\nvpn status\n```"
    (quote,), _ = quotes("what renews the certificate with vpn renew?", text)
    assert quote == text


def test_the_head_of_a_table_alone_is_no_answer() -> None:
    text = "| Plan | Fee | Support |\n| Basic | 12 euros | e-mail |\n| Pro | 75 euros | phone |"
    (quote,), _ = quotes("which plan has phone support?", text)
    assert quote.split("\n") == ["| Plan | Fee | Support |", "| Pro | 75 euros | phone |"]


def test_where_nothing_says_anything_nothing_is_quoted() -> None:
    links = passage("Links", "[Wiki](https://wiki.example.com)\nhttps://intranet.example.com")
    assert extract("wiki", [Hit(links, 1.0)], WordEmbedder()) is None
