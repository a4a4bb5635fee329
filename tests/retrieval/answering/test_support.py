from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.answering.support import SUPPORT_THRESHOLD, Grounds
from tests.retrieval.passages_by_hand import passage

FERRY = passage(
    "The ferry to Gull Rock leaves at 9:30 and at 16:00 from pier 4, except on Sundays. A crossing "
    "takes 45 minutes and costs 12 crowns; children below six years travel free. Bicycles are "
    "carried for 3 crowns. Tickets are refunded for 14 days. Write to ferry@keepers.example or "
    "ask Mira Holm. Run `tide-table --port GR` for the tides. Dogs are not allowed in the lounge.",
    title="Ferry",
    headings=("Getting here",),
)
DUTY = passage(
    "值班一周的补贴是280元，第二值班人90元。夜间十点以后的呼叫另加60元。值班人须在三十分钟内答复。"
    "连续值班不得超过两周。换班要提前三天告诉许海宁。",
    title="值班制度",
)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("paraphrase", "The crossing to Gull Rock takes 45 minutes."),
        ("unit", "You can get your tickets refunded for two weeks."),
        ("unit", "The crossing takes 0.75 hours."),
        ("list", "Boats leave from pier 4 at 9:30 and at 4 pm."),
        ("combined", "Bicycles cost 3 crowns, and tickets are refunded for 14 days."),
        ("condition", "Children travel free if they are below six years."),
        ("yes or no", "No, dogs are not allowed in the lounge."),
        ("identifier", "The tides are told by `tide-table --port GR`."),
        ("name", "Ask Mira Holm or write to ferry@keepers.example."),
        ("other language", "去 Gull Rock 的渡轮要45分钟，票价12。"),
        ("other language", "孩子不满六岁免费。"),
    ],
)
def test_what_an_english_passage_says_is_supported(kind: str, sentence: str) -> None:
    assert Grounds("ferry?", [FERRY]).support(sentence) >= SUPPORT_THRESHOLD, kind


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("number", "The crossing takes 50 minutes."),
        ("number", "Tickets are refunded for four weeks."),
        ("swapped number", "Bicycles are carried for 12 crowns."),
        ("hour", "The ferry leaves at 10:30 from pier 4."),
        ("name", "Ask Jonas Petrel about the ferry."),
        ("address", "Write to tickets@keepers.example about the ferry."),
        ("identifier", "Run `tide-table2 --port GR` for the tides."),
        ("invented", "Smoking chimneys annoy the postmaster."),
        ("invented", "The lighthouse museum sells souvenirs to visitors."),
        ("other language", "渡轮要50分钟。"),
        ("other language", "请写信到 boat@keepers.example。"),
        ("why and how far", "All visitors must always pay only because repairs are expensive."),
    ],
)
def test_what_an_english_passage_does_not_say_is_not_supported(kind: str, sentence: str) -> None:
    assert Grounds("ferry?", [FERRY]).support(sentence) < SUPPORT_THRESHOLD, kind


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("paraphrase", "值班一周可以拿280元补贴。"),
        ("unit", "值班人要在半小时内答复。"),
        ("unit", "连续值班最多14天。"),
        ("list", "值班补贴每周280元，第二值班人90元。"),
        ("other language", "A week on duty pays 280 yuan, and 90 for the second."),
        ("other language", "Calls have to be answered within half an hour."),
    ],
)
def test_what_a_chinese_passage_says_is_supported(kind: str, sentence: str) -> None:
    assert Grounds("值班？", [DUTY]).support(sentence) >= SUPPORT_THRESHOLD, kind


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("number", "值班一周的补贴是300元。"),
        ("swapped number", "第二值班人280元。"),
        ("invented", "食堂周末供应海鲜火锅。"),
        ("other language", "A week on duty pays 350 yuan."),
        ("identifier", "Changes are filed with shift_swap.py."),
    ],
)
def test_what_a_chinese_passage_does_not_say_is_not_supported(kind: str, sentence: str) -> None:
    assert Grounds("值班？", [DUTY]).support(sentence) < SUPPORT_THRESHOLD, kind


NUMBERED = passage(
    "A keeper has 27 days of leave a year, rounded up to the next half day; the year runs from 1 "
    "April to 31 March. More than 10 days in a row are asked for 8 weeks ahead. A stay of 20 to 30 "
    "nights costs 12 crowns each. A password has at least 14 characters.",
    title="Leave",
)


@pytest.mark.parametrize(
    "sentence",
    [
        "A keeper has {} days of leave a year.",
        "灯塔看守每年有{}天假。",
        "More than {} days in a row are asked for 8 weeks ahead.",
        "More than 10 days in a row are asked for {} weeks ahead.",
        "A stay of {} to 30 nights costs 12 crowns each.",
        "A password has {} characters or more.",
    ],
)
def test_no_number_is_supported_because_others_add_up_to_it(sentence: str) -> None:
    there = {27, 1, 31, 10, 8, 20, 30, 12, 14, 8 * 7}
    grounds = Grounds("leave?", [NUMBERED])
    for number in {*range(2, 60)} - there:
        assert grounds.support(sentence.format(number)) < SUPPORT_THRESHOLD, number


def test_a_multiple_follows_from_the_word_that_says_it() -> None:
    text = "假期要提前两倍的天数填写。恒温柜保持在4±0.5度，湿度低于55%。"
    grounds = Grounds("我要休三天", [passage(text)])
    assert grounds.support("想休三天假，要提前六天填写。") >= SUPPORT_THRESHOLD
    assert grounds.support("想休三天假，要提前七天填写。") == 0
    assert grounds.support("恒温柜的温度要在3.5到4.5度之间，湿度要低于55%。") >= SUPPORT_THRESHOLD
    assert grounds.support("恒温柜的温度要在3到5度之间，湿度要低于55%。") == 0
    stay = Grounds("what do 25 nights cost?", [NUMBERED])
    assert stay.support("A stay of 25 nights costs 300 crowns.") >= SUPPORT_THRESHOLD
    assert stay.support("A stay of 25 nights costs 310 crowns.") == 0


@pytest.mark.parametrize(
    ("text", "true", "false"),
    [
        (
            "The office moves on 14 March 2025 to Leeds.",
            "The office moves to Leeds on March 14, 2025.",
            "The office moves to Leeds on March 15, 2025.",
        ),
        ("The office closes at 17:00.", "The office closes at 5pm.", "The office closes at 6pm."),
        ("培训需要两小时半。", "培训需要2.5小时。", "培训需要3.5小时。"),
        ("培训需要两个半小时。", "培训需要2.5小时。", "培训需要两小时。"),
        ("A watch lasts 3½ hours.", "A watch lasts 3.5 hours.", "A watch lasts 2 hours."),
        ("A berth costs €45.", "A berth costs 45 euros.", "A berth costs $45."),
        ("A berth costs £45.", "A berth costs 45 pounds.", "A berth costs 45 dollars."),
        ("逾期加收30%。", "逾期要加收三成。", "逾期要加收30元。"),
        (
            "Wages are paid in April. Reviews are held in March.",
            "Wages are paid in April.",
            "Wages are paid in March.",
        ),
    ],
)
def test_a_number_may_be_written_otherwise_but_is_of_the_same_kind(
    text: str, true: str, false: str
) -> None:
    grounds = Grounds("", [passage(text)])
    assert grounds.support(true) >= SUPPORT_THRESHOLD
    assert grounds.support(false) == 0


def test_of_a_whole_table_it_is_looked_up_whether_its_numbers_stand_there() -> None:
    rows = " ".join(f"Berth {n} has {n + 100} rings." for n in range(200))
    assert Grounds("", [passage(rows)]).support(rows) >= SUPPORT_THRESHOLD
    assert Grounds("", [passage(rows)]).support(rows.replace("150", "950")) == 0


def test_a_year_of_the_heading_holds_for_all_that_stands_below_it() -> None:
    report = passage(
        "Utilisation recovered to 76 %, from 71 % in the year before. We finished with 43 people.",
        title="Annual Review 2024",
    )
    said = "In 2024 utilisation recovered to 76 %, and the firm finished with 43 people."
    assert Grounds("", [report]).support(said) >= SUPPORT_THRESHOLD
    assert Grounds("", [report]).support(said.replace("2024", "2023")) < SUPPORT_THRESHOLD
    assert Grounds("", [report]).support(said.replace("76", "71")) < SUPPORT_THRESHOLD


def test_a_denial_where_nothing_is_denied_is_not_supported() -> None:
    grounds = Grounds("", [passage("The tower opens at noon. Visitors ring the bell.")])
    assert grounds.support("The tower does not open at noon.") == 0
    assert grounds.support("The tower opens at noon.") == 1


def test_a_small_sum_follows_only_where_words_say_that_something_is_summed() -> None:
    grounds = Grounds("", [passage("Sick leave has 20 days. Storm leave has 7 days.")])
    assert grounds.support("Sick leave and storm leave have 27 days in total.") >= SUPPORT_THRESHOLD
    assert grounds.support("Sick leave and storm leave have 27 days.") == 0


def test_a_number_of_the_question_may_lie_in_a_range() -> None:
    text = "Keepers have 26 days of leave.\n\n| Service | Days |\n| 3 to 7 years | 28 |"
    said = "With five years of service you have 28 days."
    for question in ("How many days after five years?", "How many days?"):
        assert Grounds(question, [passage(text)]).support(said) >= SUPPORT_THRESHOLD


KEEPERS = passage(
    "In 1969, keepers got 20 days of leave. Every keeper has a medical check every 24 months; a "
    "day at sea pays 60 crowns. You don’t need to report holidays. Oilskins are replaced once in "
    "three years. After the First Flood, keepers left on 3 June 1971, others on 3 July 1971. A "
    "boat carries 75% of the oil and rests for 36 hours. Courses above 2,000 crowns need the "
    "inspector’s consent. "
    "Ask Zoé Marin.\n\n"
    "| Service | Days |\n|---|---|\n| under 3 years, and guests | 26 |\n| 8 years or more | 31 |",
    title="Keepers",
)


@pytest.mark.parametrize(
    "sentence",
    [
        "In 1969 keepers had 20 days of leave.",
        "A boat carries three quarters of the oil.",
        "A boat rests for a day and a half.",
        "A medical check is needed about every 710 days.",
        "For five days at sea, 300 crowns are paid.",
        "There is no need to report holidays.",
        "After nine years of service you have 31 days.",
        "Guests have 26 days.",
        "If your course costs 2,500 crowns, the inspector’s consent is needed.",
        "Ask Zoe Marin about the Flood.",
        "With eight years you have five days more than guests.",
    ],
)
def test_what_follows_from_a_passage_is_supported(sentence: str) -> None:
    assert Grounds("What do five days pay?", [KEEPERS]).support(sentence) >= SUPPORT_THRESHOLD


@pytest.mark.parametrize(
    "sentence",
    [
        "A boat carries two thirds of the oil.",
        "Five days at sea pay 350 crowns.",
        "After nine years of service you have 26 days.",
        "Oilskins are replaced every year.",
        "Others left on 3 July 1969.",
        "Keepers left on 20 June 1971.",
        "Courses that cost 1,500 crowns need the inspector’s consent.",
    ],
)
def test_what_only_has_the_numbers_of_a_passage_is_not(sentence: str) -> None:
    assert Grounds("", [KEEPERS]).support(sentence) < SUPPORT_THRESHOLD


@pytest.mark.parametrize("time", ["5pm", "5 p.m.", "five p.m.", "5:00 PM", "five o'clock"])
def test_a_time_of_day_may_be_written_in_any_way(time: str) -> None:
    grounds = Grounds("", [passage("The counter closes at 17:00 and holds 150 people.")])
    assert grounds.support(f"The counter closes at {time}") >= SUPPORT_THRESHOLD
    assert grounds.support("The counter closes at 6 p.m.") == 0
    said = "The counter holds one hundred and {} people."
    assert grounds.support(said.format("fifty")) >= SUPPORT_THRESHOLD
    assert grounds.support(said.format("forty")) == 0
    assert grounds.support("The counter closes at 17:00, for Fifteen people.") == 0
    assert Grounds("", [passage("It costs 15 euros.")]).support("It costs Fifteen euros.") == 1


def test_the_words_of_the_question_make_no_answer() -> None:
    grounds = Grounds("亚麻适宜生活在什么气候？", [passage("亚麻喜凉爽湿润气候。")])
    assert grounds.support("亚麻适宜生活在热带气候。") == 0
    assert grounds.support("亚麻适宜生活在凉爽湿润的气候。") >= SUPPORT_THRESHOLD
    cast = Grounds("who plays mira holm in gull bay", [passage("David Ramsay plays in Storm.")])
    assert cast.support("David Ramsay plays Mira Holm in Gull Bay.") == 0


def test_a_number_in_a_name_is_not_taken_for_another_beside_it() -> None:
    grounds = Grounds("", [passage("沃夫424是一个联星系统，距离太阳大约14.2光年，周期16.2年。")])
    assert grounds.support("沃夫424距离太阳大约14.2光年。") >= SUPPORT_THRESHOLD
    assert grounds.support("沃夫424距离太阳大约16.2光年。") < SUPPORT_THRESHOLD


def test_an_embedder_may_find_that_a_sentence_is_about_other_things() -> None:
    said = "孩子们可以免费乘船。"
    assert Grounds("", [FERRY]).support(said, is_near=True) >= SUPPORT_THRESHOLD
    assert Grounds("", [FERRY]).support(said, is_near=False) == 0


def test_however_near_a_sentence_without_common_words_says_something_else() -> None:
    said = "如果住在灯塔旁边的旅馆，可以免费使用望远镜观星"
    assert Grounds("", [DUTY]).support(said, is_near=True) == 0
    assert Grounds("", [DUTY]).support("轮到谁，谁就有补贴。", is_near=True) >= SUPPORT_THRESHOLD


NOUNS = ("keepers", "boats", "lamps", "ropes", "anchors", "charts", "barrels", "gulls")
PLACES = ("harbour", "tower", "cellar", "kitchen", "boathouse", "garden", "attic", "quay")


def _sentence(noun: str, place: str, number: int) -> str:
    return f"There are {number} {noun} in the {place}."


STATEMENTS = st.lists(
    st.tuples(st.sampled_from(NOUNS), st.sampled_from(PLACES), st.integers(2, 9_999)),
    min_size=1,
    max_size=6,
    unique_by=(lambda row: row[0], lambda row: row[1]),
)


@given(STATEMENTS, st.data())
def test_a_copied_sentence_is_supported(
    rows: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    row = data.draw(st.sampled_from(rows))
    text = " ".join(_sentence(*each) for each in rows)
    assert Grounds("", [passage(text)]).support(_sentence(*row)) >= SUPPORT_THRESHOLD


@given(STATEMENTS, st.data())
def test_a_copied_sentence_with_another_number_never_is(
    rows: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    noun, place, number = data.draw(st.sampled_from(rows))
    other = data.draw(st.integers(2, 9_999).filter(lambda each: each != number))
    text = " ".join(_sentence(*each) for each in rows)
    changed = _sentence(noun, place, other)
    assert Grounds("", [passage(text)]).support(changed) < SUPPORT_THRESHOLD


@pytest.mark.slow
def test_checking_grows_with_the_passage_and_not_faster() -> None:
    def seconds(size: int) -> float:
        text = " ".join(_sentence("boats", f"harbour of place {n}", n) for n in range(size))
        grounds = Grounds("", [passage(text)])
        began = time.process_time()
        for n in range(20):
            grounds.support(_sentence("boats", f"harbour of place {n}", n))
        return time.process_time() - began

    seconds(10)
    assert seconds(2_000) < 30 * max(seconds(200), 0.02)
