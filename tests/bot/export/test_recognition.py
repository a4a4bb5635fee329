from __future__ import annotations

from bot.export.recognition import recognised
from retrieval.examples import PassageText
from tests.retrieval.passages_by_hand import passage

LEAVE = (
    "Full-time staff have 26 days of paid annual leave in a calendar year. Part-time staff have a "
    "share of that. Unused days can be carried over until the end of March, but no more than six."
)
SICK = "Whoever is ill tells their lead before ten and hands in a certificate from the third day."
CHINESE = "全职员工每年有二十六天带薪年假，未用完的年假可以结转到次年三月底，最多六天。"


def snippet(text: str) -> PassageText:
    return PassageText("elsewhere-7", "h", "Another title", text)


def test_a_piece_of_a_passage_and_a_passage_in_pieces_are_recognised() -> None:
    indexed = [passage(LEAVE), passage(SICK, title="Sick")]
    part, whole = snippet(LEAVE[40:]), snippet(f"{SICK} Anything else is for the nurse to say.")
    found = recognised({"part": part, "whole": whole}, indexed)
    assert found == {"part": indexed[0], "whole": indexed[1]}


def test_the_piece_with_most_of_the_words_stands_for_a_passage() -> None:
    pieces = [passage(LEAVE[:70]), passage(LEAVE[70:])]
    assert recognised({"h": snippet(LEAVE)}, pieces) == {"h": pieces[1]}


def test_chinese_passages_are_recognised() -> None:
    indexed = passage(CHINESE)
    assert recognised({"h": snippet(CHINESE[3:])}, [indexed]) == {"h": indexed}


def test_what_only_begins_alike_is_another_passage() -> None:
    other = f"{LEAVE[:60]} to be decided by each department, as the board has found in spring."
    assert recognised({"h": snippet(other)}, [passage(LEAVE)]) == {}
