from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.answering.citations import MAX_CITATIONS, CheckedStream, Citer
from retrieval.records import Passage
from tests.retrieval.passages_by_hand import passage
from tests.retrieval.word_embedder import WordEmbedder

LEAVE = passage(
    "Every employee has 27 days of paid leave a year. Leave is requested in the crew portal.",
    title="Leave",
)
VPN = passage("Error 809 means the port is blocked. Switch the client to TCP mode.", title="VPN")
ZH = passage("报销申请须在费用发生后三十天内提交。超过五百元需要主管批准。", title="报销")

DUTY = passage("值班人须在三十分钟内答复呼叫。", title="值班")


def test_a_supported_sentence_gets_the_number_of_its_passage() -> None:
    citer = Citer("How many days of leave?", [VPN, LEAVE])
    assert citer.add("You have 27 days of paid leave a year.") is not None
    [citation] = citer.citations
    assert (citation.number, citation.passage) == (1, LEAVE)
    assert citation.quote == "Every employee has 27 days of paid leave a year."


def test_a_sentence_that_no_passage_supports_is_not_said() -> None:
    citer = Citer("How many days of leave?", [VPN, LEAVE])
    assert citer.add("The Berlin office rents twelve bicycles to visitors.") is None
    assert citer.citations == ()


def test_the_name_of_a_section_alone_is_no_answer() -> None:
    sheltered = passage("Coats are dried by the stove.", title="Harbour office rules")
    assert Citer("Where do I work?", [sheltered]).add("Harbour office rules.") is None


def test_the_end_of_the_trail_above_a_passage_is_no_answer() -> None:
    calm = passage("The page was up.", title="Postmortem: API down", headings=("What went well",))
    citer = Citer("how long was the api down", [calm])
    assert citer.add("API down > What went well.") is None


@pytest.mark.parametrize(
    "again",
    [
        "The question asks about days of paid leave a year.",
        "Your question is about paid leave, which is requested in the crew portal.",
        "The user is asking for days of paid leave a year.",
        "该问题询问报销申请。",
        "用户想知道报销申请须在多久内提交。",
    ],
)
def test_what_says_the_question_again_is_no_answer(again: str) -> None:
    assert Citer("How many days of leave?", [LEAVE, ZH]).add(again) is None


def test_a_number_that_no_passage_contains_is_not_said() -> None:
    citer = Citer("How many days of leave?", [LEAVE])
    assert citer.add("Every employee has 30 days of paid leave a year.") is None


def test_markers_of_the_model_are_replaced_by_checked_ones() -> None:
    citer = Citer("error 809?", [LEAVE, VPN])
    assert citer.add("Switch the client to TCP mode [7].") == "Switch the client to TCP mode. [1]"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Based on the passage, leave is requested in the crew portal.", LEAVE),
        ("According to the information provided, leave is requested in the crew portal.", LEAVE),
        ("The passage states that leave is requested in the crew portal.", LEAVE),
        ("根据段落的内容，报销申请须在三十天内提交。", ZH),
        ("文中提到：报销申请须在三十天内提交。", ZH),
    ],
)
def test_openings_that_say_nothing_are_left_out(written: str, said: Passage) -> None:
    citer = Citer("", [LEAVE, ZH])
    sentence = citer.add(written)
    assert sentence is not None
    assert sentence.startswith(("Leave is", "报销申请"))
    assert [c.passage for c in citer.citations] == [said]


def test_what_stands_above_a_passage_is_no_sentence_of_an_answer() -> None:
    citer = Citer("Leave?", [LEAVE, ZH])
    assert citer.add(LEAVE.indexed_text.split("\n")[0]) is None
    assert citer.add("Leave is requested in the crew portal.") is not None


def test_a_repeated_sentence_is_said_once() -> None:
    citer = Citer("error 809?", [VPN])
    assert citer.add("Switch the client to TCP mode.") is not None
    assert citer.add("Switch the client to TCP mode.") is None


def test_chinese_sentences_are_checked_too() -> None:
    citer = Citer("报销期限是多久？", [ZH])
    assert citer.add("报销申请须在三十天内提交。") == "报销申请须在三十天内提交。[1]"
    assert citer.add("办公室的停车位需要提前预约。") is None


def test_no_more_passages_are_cited_than_people_read() -> None:
    shelf = [passage(f"Harbour {name} opens early.", title=name) for name in "ABCDEFGH"]
    citer = Citer("When do they open?", shelf)
    for each in shelf:
        citer.add(each.text)
    assert len(citer.citations) == MAX_CITATIONS


def test_a_sentence_may_rest_on_several_passages() -> None:
    citer = Citer("leave and errors?", [LEAVE, VPN])
    said = "Leave is requested in the crew portal, and error 809 means the port is blocked."
    assert citer.add(said) == f"{said} [1][2]"
    assert [citation.passage for citation in citer.citations] == [LEAVE, VPN]


def test_a_passage_that_the_model_marked_is_looked_at_first() -> None:
    twin = passage("Switch the client to TCP mode, said the keeper.", title="Diary")
    said = "Switch the client to TCP mode [2]."
    citer = Citer("error 809?", [VPN, twin])
    assert citer.add(said) is not None
    assert [citation.passage for citation in citer.citations] == [twin]


def test_a_mark_behind_a_full_stop_is_not_the_next_sentence_s() -> None:
    twin = passage("Switch the client to TCP mode.", title="Diary")
    citer = Citer("error 809?", [VPN, twin])
    assert citer.add("[2] Switch the client to TCP mode [1].") is not None
    assert [citation.passage for citation in citer.citations] == [VPN]


def test_chinese_sentences_with_two_citations_follow_each_other_closely() -> None:
    stream = CheckedStream(Citer("报销和值班？", [ZH, DUTY]))
    said = "报销申请须在费用发生后三十天内提交，值班须在半小时内答复。超过五百元需要主管批准。"
    assert stream.feed(said) + stream.close() == (
        "报销申请须在费用发生后三十天内提交，值班须在半小时内答复。[1][2]超过五百元需要主管批准。[1]"
    )


def test_a_full_stream_lets_no_more_sentences_through_and_counts_no_items() -> None:
    stream = CheckedStream(Citer("leave?", [LEAVE]), most=1)
    said = (
        "- 27 days of paid leave\nLeave is requested in the crew portal. Leave is 27 days a year."
    )
    assert not stream.is_full
    stream.feed(said)
    assert stream.is_full
    stream.close()
    assert stream.text.split("\n") == [
        "- 27 days of paid leave [1]",
        "Leave is requested in the crew portal. [1]",
    ]


def test_a_mark_proves_nothing() -> None:
    citer = Citer("error 809?", [LEAVE, VPN])
    assert citer.add("Error 809 means the port is blocked [1].") is not None
    assert [citation.passage for citation in citer.citations] == [VPN]
    assert citer.add("Error 950 means that the server is gone [2].") is None


def test_what_a_mark_says_of_one_passage_is_not_looked_for_in_another_language() -> None:
    said = "宿舍周末可以带朋友来住"
    assert Citer("宿舍？", [LEAVE, ZH]).add(f"{said}。") is not None
    assert Citer("宿舍？", [LEAVE, ZH]).add(f"{said}[2]。") is None
    assert Citer("宿舍？", [LEAVE, ZH]).add(f"{said}[1]。") is not None


FEWER = passage("Every keeper has 20 days of paid leave a year.", title="Old rules")
ZH_27 = passage("管理员每年有27天带薪年假。", title="年假")
ZH_20 = passage("管理员每年有20天年假。", title="旧规定")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Passage [1] says 27 days, [3] says 20.", "Passage [1] says 27 days, [2] says 20. [1][2]"),
        ("[1] says 27 days; [3] says 20.", "[1] says 27 days; [2] says 20. [1][2]"),
        (
            "The documents disagree: 27 days of leave [1], or 20 days [3].",
            "The documents disagree: 27 days of leave, or 20 days. [1][2]",
        ),
        (
            "According to [1] it is 27 days, but according to [3] 20 days.",
            "According to [1] it is 27 days, but according to [2] 20 days. [1][2]",
        ),
        ("段落[1]说是27天，段落[3]说是20天。", "段落[1]说是27天，段落[2]说是20天。[1][2]"),
        ("Passage [1] says 27 days, [3] says 22.", None),
        ("Passage [1] says 27 days, [2] says 20.", None),
    ],
)
def test_sources_that_differ_are_both_said_and_cited(written: str, said: str | None) -> None:
    assert Citer("How many days of leave?", [LEAVE, VPN, FEWER]).add(written) == said


@pytest.mark.parametrize(
    "written", ["段落[1]说是27天，段落[3]说是20天。", "说法不一：27天[1]或20天[3]。"]
)
def test_chinese_sources_that_differ_are_both_cited(written: str) -> None:
    citer = Citer("年假有几天？", [ZH_27, VPN, ZH_20])
    assert citer.add(written) is not None
    assert [citation.passage for citation in citer.citations] == [ZH_27, ZH_20]


def test_a_marker_that_a_sentence_needs_names_what_says_it() -> None:
    citer = Citer("How many days of leave?", [VPN, LEAVE])
    written = "According to [1], every employee has 27 days of paid leave."
    assert citer.add(written) == f"{written} [1]"
    assert citer.citations[0].passage == LEAVE


def test_a_sentence_in_another_language_is_checked_by_its_numbers() -> None:
    citer = Citer("请假？", [VPN, LEAVE])
    assert citer.add("每位员工每年有27天带薪年假。") is not None
    assert citer.add("每位员工每年有30天带薪年假。") is None


def test_an_embedder_that_is_known_tells_other_things_and_finds_the_passage() -> None:
    class Known(WordEmbedder):
        """Texts without a word in common are far from each other."""

    embedder = Known()
    embedder.id = "multilingual-e5-small@1"
    citer = Citer("", [VPN, LEAVE], embedder=embedder)
    assert citer.add("渡轮从码头出发。") is None


@pytest.mark.slow
def test_a_long_answer_from_a_long_passage_is_checked_quickly() -> None:
    lines = [f"Locker {n} belongs to keeper {n * 7}." for n in range(2, 800)]
    citer = Citer("lockers?", [passage(" ".join(lines))])
    began = time.process_time()
    assert all(map(citer.add, lines[:40]))
    assert time.process_time() - began < 20


@given(st.integers(1, 12))
def test_a_stream_shows_the_same_however_it_is_cut(size: int) -> None:
    text = "You have 27 days of paid leave a year. Pigs fly. Leave is requested in the crew portal."
    stream = CheckedStream(Citer("leave?", [LEAVE]))
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    shown = "".join([*map(stream.feed, pieces), stream.close()])
    assert (
        shown
        == stream.text
        == ("You have 27 days of paid leave a year. [1] Leave is requested in the crew portal. [1]")
    )
