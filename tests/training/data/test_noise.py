from __future__ import annotations

from random import Random

import pytest

from training.data.noise import NOISES, Ways, keeps_meaning, read_terms

ASKED = (
    "How do I request annual leave for 5 days from Bob in HR?",
    "What is not covered by https://intra.example/health.html, and why?",
    "员工出差报销没有发票怎么办？最多三天吗？",
)
WAYS = Ways(rate=0.3, terms=read_terms())


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("text", ASKED)
def test_noise_keeps_numbers_names_and_negations(kind: str, text: str) -> None:
    for seed in range(30):
        assert keeps_meaning(text, NOISES[kind](text, WAYS, Random(seed))) or kind == "typos"


@pytest.mark.parametrize(
    ("text", "twin"),
    [
        ("Is it 5 days?", "Is it 6 days?"),
        ("What is not paid?", "What is paid?"),
        ("What isn't paid?", "What is paid?"),
        ("Who is Ann Zorbel?", "who is ann zorble"),
        ("没有发票可以报销吗", "有发票可以报销吗"),
        ("最多三天吗", "最多五天吗"),
        ("Why?", "?!"),
    ],
)
def test_another_number_name_or_negation_is_another_meaning(text: str, twin: str) -> None:
    assert not keeps_meaning(text, twin)


@pytest.mark.parametrize(
    ("text", "twin"),
    [
        ("What isn't paid?", "what isnt paid"),
        ("Is it 5 days?", "is it ５ days"),
        ("能不能报销", "可以报销吗"),
    ],
)
def test_another_way_to_write_it_is_not(text: str, twin: str) -> None:
    assert keeps_meaning(text, twin)


def test_typing_errors_are_in_one_word_of_many_at_a_rate() -> None:
    text = "where would somebody file another complaint about broken heating systems"
    twin = NOISES["typos"](text, Ways(rate=0.2), Random(0))
    changed = set(text.split()) - set(twin.split())
    assert 1 <= len(changed) <= 4


def test_chinese_is_mistyped_by_what_sounds_alike() -> None:
    twin = NOISES["typos"]("密码", Ways(rate=0.5), Random(1))
    assert len(twin) == 2
    assert twin in {*("蜜码", "泌码", "觅码", "秘码"), *("密马", "密玛", "密蚂", "密骂")}


def test_addresses_and_short_words_are_typed_rightly() -> None:
    text = "is https://intra.example/health.html or ann@intra.example ok"
    assert {NOISES["typos"](text, WAYS, Random(seed)) for seed in range(20)} == {text}


def test_careless_people_leave_out_capitals_marks_and_accents() -> None:
    assert NOISES["careless"]("Où est le café? I don't know.", WAYS, Random(0)) == (
        "ou est le cafe i dont know"
    )


def test_the_parts_have_no_wording_and_no_term_in_common() -> None:
    for kind in ("paraphrase", "mixed"):
        first, second = (
            {NOISES[kind](ASKED[0], Ways(0.3, part, read_terms()), Random(n)) for n in range(50)}
            for part in (0, 1)
        )
        assert not (first & second) - {ASKED[0]}


def test_terms_are_our_own_and_those_of_headings_in_two_languages() -> None:
    known = read_terms(["请假 (Leave of absence)", "Zorbel / 佐贝", "Just English", "只有中文"])
    assert known["leave of absence"] == "请假"
    assert known["佐贝"] == "Zorbel"
    assert known["password"] == "密码"
    assert "just english" not in known


def test_a_term_gives_way_to_the_other_language() -> None:
    to_chinese, to_english = (
        Ways(1.0, terms=dict([pair])) for pair in (("password", "密码"), ("密码", "password"))
    )
    mixed = NOISES["mixed"]
    assert mixed("Where are passwords kept?", to_chinese, Random(0)) == "Where are 密码 kept?"
    assert mixed("密码存在哪里", to_english, Random(0)) == "password 存在哪里"
