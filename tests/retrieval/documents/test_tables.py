from __future__ import annotations

from retrieval.documents.tables import as_sentences, read_out

TABLE = """How long the leave is:

| Years of service | Days |
|---|---:|
| up to 7 years | 28 |
| 8 years or more | 31 |

Ask the office."""


def test_a_row_is_read_out_with_the_heads_of_its_columns() -> None:
    assert (
        read_out("| 8 years or more | 31 |", TABLE) == "Years of service: 8 years or more; Days: 31"
    )


def test_several_rows_are_a_line_each_without_the_head_and_its_rule() -> None:
    assert read_out("\n".join(TABLE.split("\n")[2:6]), TABLE).split("\n") == [
        "Years of service: up to 7 years; Days: 28",
        "Years of service: 8 years or more; Days: 31",
    ]


def test_a_row_without_a_head_is_its_cells() -> None:
    assert read_out("| 8 years or more | 31 |", "| 8 years or more | 31 |") == "8 years or more; 31"
    assert read_out("| Years of service | Days |", TABLE) == "Years of service; Days"


def test_chinese_rows_have_chinese_punctuation() -> None:
    text = "| 工龄 | 天数 |\n|---|---|\n| 八年以上 | 31 |"
    assert read_out("| 八年以上 | 31 |", text) == "工龄：八年以上；天数：31"


def test_a_row_that_names_its_columns_is_read_out_without_bars() -> None:
    assert read_out("Item: Pen | Price: 3", "") == "Item: Pen; Price: 3"
    assert read_out("品名: 笔 | 价格: 3", "") == "品名: 笔；价格: 3"
    code = "```\na: b | c: d\n```"
    assert read_out(code, code) == code


def test_what_is_no_table_is_left_as_it_is() -> None:
    assert read_out("Ask the office.", TABLE) == "Ask the office."
    assert read_out("Use a | b to pipe.", TABLE) == "Use a | b to pipe."


def test_empty_cells_are_left_out_and_escaped_bars_are_not_ends() -> None:
    text = "| Key | Use | Note |\n|---|---|---|\n| a \\| b | | or |"
    assert read_out("| a \\| b | | or |", text) == "Key: a | b; Note: or"


def test_words_above_numbers_are_a_head_and_other_first_rows_are_none() -> None:
    assert read_out("| Pen | 3 |", "| Item | Price |\n| Pen | 3 |") == "Item: Pen; Price: 3"
    assert read_out("| Bo | cook |", "| Ann | pilot |\n| Bo | cook |") == "Bo; cook"
    assert read_out("| Pen | 3 |", "| Ink | 2 |\n| Pen | 3 |") == "Pen; 3"


def test_rows_are_sentences_for_models_that_read() -> None:
    assert as_sentences(TABLE).split("\n")[2:] == [
        "Years of service, Days.",
        "",
        "up to 7 years, 28.",
        "8 years or more, 31.",
        "",
        "Ask the office.",
    ]
    assert as_sentences("Item: Pen | Price: 3") == "Item: Pen, Price: 3."
    assert as_sentences("| 八年以上 | 31 |") == "八年以上，31。"
    assert as_sentences("Use a | b to pipe.") == "Use a | b to pipe."


def test_a_head_is_that_of_all_rows_of_its_table() -> None:
    prices = "| Item | Price |\n| Pen | 3 |\n| Ink | free |"
    assert read_out("| Ink | free |", prices) == "Item: Ink; Price: free"
    named = "|  | NL | UK |\n| Provider | Nest | Aviva |"
    assert read_out("| Provider | Nest | Aviva |", named) == "Provider; NL: Nest; UK: Aviva"


def test_bars_in_a_sentence_stay() -> None:
    assert read_out("Use a | b here", "") == "Use a | b here"
