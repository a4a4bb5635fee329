from __future__ import annotations

import pytest

from retrieval.documents.loaders.block_headings import with_bold_lines, with_questions
from retrieval.documents.loaders.blocks import Block


def titled(*lines: str | Block) -> list[tuple[int, str]]:
    blocks = [line if isinstance(line, Block) else Block(line) for line in lines]
    return [(block.level, block.text) for block in with_questions(with_bold_lines(blocks))]


SICK, PETS = Block("Sick leave", bold="Sick leave"), Block("Pets:\nDogs may come.", bold="Pets:")


def test_bold_lines_above_text_are_headings_below_the_heading_before_them() -> None:
    assert titled(Block("Rules", 2), SICK, "Call us.", PETS) == [
        (2, "Rules"),
        (3, "Sick leave"),
        (0, "Call us."),
        (3, "Pets:"),
        (0, "Dogs may come."),
    ]
    assert titled(SICK, "Call us.", PETS)[0] == (2, "Sick leave")


def test_a_bold_line_alone_or_above_nothing_or_that_is_a_sentence_is_no_heading() -> None:
    said = Block("Never do this.", bold="Never do this.")
    for lines in ((SICK, "Call us."), (SICK, SICK), (SICK, "Call.", said, "x"), (PETS, SICK)):
        assert not any(level for level, _ in titled(*lines))


def test_what_stands_above_a_picture_or_a_table_is_no_heading() -> None:
    for name in ("Figure 2.1. The boat", "Table 4: Fees", "图 1.2 船", "表3 费用"):
        caption = Block(name, bold=name)
        assert not any(level for level, _ in titled(caption, "Call us.", caption, "Ask."))
    assert titled(Block("Table manners", bold="Table manners"), "Sit.", PETS)[0][0] == 2


def test_paragraphs_that_each_begin_with_a_name_in_bold_letters_are_below_it() -> None:
    moving, voting = Block("Moving: 1 day.", bold="Moving:"), Block("Voting – 1 h.", bold="Voting")
    assert titled(SICK, "Call us.", PETS, moving, voting)[3:] == [
        (0, "Dogs may come."),
        (3, "Moving"),
        (0, "Moving: 1 day."),
        (3, "Voting"),
        (0, "Voting – 1 h."),
    ]
    dock = Block("ADR is a rule.", bold="ADR")
    assert not any(level for level, _ in titled(moving, "Ask.", voting, dock))
    assert titled(dock, dock, dock)[4:] == [(2, "ADR"), (0, "ADR is a rule.")]


@pytest.mark.parametrize(
    "lines",
    [
        ["Q: May I swim?\nA: Yes.", "Q: When?\nA: At noon."],
        ["Q1. May I swim? A1. Yes.", "Q2. When? A2. At noon."],
        ["Question: May I swim?", "Answer: Yes.", "Question: When?", "Answer: At noon."],
    ],
)
def test_questions_that_are_marked_are_headings_of_their_answers(lines: list[str]) -> None:
    assert titled(Block("Pool", 1), *lines) == [
        (1, "Pool"),
        (2, "May I swim?"),
        (0, "Yes."),
        (2, "When?"),
        (0, "At noon."),
    ]


def test_chinese_questions_have_answers_of_several_blocks() -> None:
    assert titled("问：怎么重置？ 答：", "1. 按住", "2. 松开", "问：保修多久？ 答：两年") == [
        (2, "怎么重置？"),
        (0, "1. 按住"),
        (0, "2. 松开"),
        (2, "保修多久？"),
        (0, "两年"),
    ]


def test_one_marked_question_or_those_without_answers_stay_text() -> None:
    for lines in (["Q: Why? A: So."], ["Q: Why?", "Q: When?", "Both are open."]):
        assert titled(*lines) == [(0, line) for line in lines]
