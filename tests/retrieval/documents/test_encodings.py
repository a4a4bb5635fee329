"""Tests of telling the encoding of texts that are not UTF-8."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.documents.loaders import load
from retrieval.documents.loaders.text import decode
from retrieval.errors import UnreadableError

TEXTS = {
    "ko": "직원은 매년 25일의 유급 휴가를 받을 수 있으며, 사용하지 않은 휴가는 이월되지 않습니다. "
    "출장 경비는 영수증을 첨부하여 다음 달 10일까지 청구해 주세요. 주차장은 지하 2층에 있습니다.",
    "ja": "従業員は毎年25日の有給休暇を取得できますが、使わなかった休暇は翌年に繰り越されません。"
    "パスワードは十二文字以上で、三か月ごとに変更する必要があります。駐車場は地下2階にあります。",
    "zh": "员工每年享有二十五天带薪年假，未使用的假期不得结转到下一年。病假需要提交医院的诊断证明。"
    "密码不得少于十二个字符，并且每三个月更换一次。停车场位于地下二层，访客请在前台领取停车证。",
    "tw": "員工每年享有二十五天帶薪年假，未使用的假期不得結轉到下一年。病假需要提交醫院的診斷證明。"
    "密碼不得少於十二個字元，並且每三個月更換一次。停車場位於地下二樓，訪客請在櫃檯領取停車證。",
    "de": "Die Beschäftigten haben Anspruch auf fünfundzwanzig Tage Urlaub. Größere Ausgaben "
    "müssen vorher genehmigt werden. Das Büro in München schließt um sechs, für alle.",
    "fr": "Les employés ont droit à vingt-cinq jours de congés payés par an. La réunion générale a "
    "lieu le premier mardi, là où tout le monde peut être présent, à l’étage.",
    "ru": "Сотрудники имеют право на двадцать пять дней оплачиваемого отпуска в год. Пароль "
    "меняется каждые три месяца. Офис в Москве закрывается в 18 часов.",
}
ENCODINGS = [
    ("ko", "euc_kr"),
    ("ko", "cp949"),
    ("ja", "cp932"),
    ("ja", "euc_jp"),
    ("ja", "iso2022_jp"),
    ("zh", "gbk"),
    ("zh", "gb18030"),
    ("tw", "big5"),
    ("de", "cp1252"),
    ("fr", "cp1252"),
    ("ru", "cp1251"),
    ("ru", "koi8_r"),
    *((language, "utf-16") for language in TEXTS),
    ("de", "utf-16-le"),
    ("fr", "utf-16-be"),
    ("zh", "utf-32"),
]


@pytest.mark.parametrize(("language", "encoding"), ENCODINGS)
def test_a_text_is_read_in_the_encoding_that_it_is_in(language: str, encoding: str) -> None:
    text = TEXTS[language]
    assert decode(text.encode(encoding)) == text
    behind_much_ascii = "An introduction in English.\n" * 10_000 + text
    assert decode(behind_much_ascii.encode(encoding)) == behind_much_ascii


@pytest.mark.parametrize(("language", "encoding"), ENCODINGS)
def test_forty_characters_are_read_right_or_not_at_all(language: str, encoding: str) -> None:
    text = TEXTS[language]
    read = 0
    for start in range(0, len(text) - 40, 7):
        part = text[start : start + 40]
        try:
            assert decode(part.encode(encoding)) == part
            read += 1
        except UnreadableError as error:
            assert "save it" in str(error)  # noqa: PT017 - either is right
    if language in ("ko", "ja", "zh", "tw", "ru"):
        assert read == len(range(0, len(text) - 40, 7))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("señor".encode("mac_roman"), "cannot be told for sure"),
        ("Männer".encode() + b"\xff", "cannot be told for sure"),
        ("A page of English with one naïve letter in it.".encode("cp037"), "cannot be told"),
        (b"\x7fELF\x02\x01\x01\x00\x00\x00\x80", "is binary data"),
    ],
)
def test_what_is_not_sure_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        decode(data)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("员工每年享有二十五天带薪年假".encode()[:-1], "员工每年享有二十五天带薪年�"),
        (
            "Zugänge für Männer".encode() + b"\xff" + " öffnen.".encode(),
            "Zugänge für Männer� öffnen.",
        ),
    ],
)
def test_utf8_with_a_damaged_character_is_read_and_that_is_told(data: bytes, text: str) -> None:
    assert decode(data) == text
    [document] = load(Path("a.txt"), data)
    assert document.gaps == ("1 character is damaged",)


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "gb2312", "shift_jis"])
def test_a_page_in_utf8_that_names_another_encoding_is_read(charset: str) -> None:
    [document] = load(Path("a.html"), f"<meta charset={charset}><p>Gebühr 年假".encode())
    assert document.sections[0].text.strip() == "Gebühr 年假"
