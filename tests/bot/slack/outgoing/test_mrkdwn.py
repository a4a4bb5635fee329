from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.outgoing.mrkdwn import code, quoted, reason_of
from retrieval.errors import IndexCorruptError


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("see https://evil.example/x now", "see ‹link removed› now"),
        ("see www.evil.example", "see ‹link removed›"),
        ("ipp://evil.example/x", "‹link removed›"),
        ("evil.example/login", "evil[.]example/login"),
        ("[here](https://evil.example)", "[here](‹link removed›)"),
        ("<https://evil.example|here>", "&lt;‹link removed›|here&gt;"),
        ("javascript:alert(1)", "‹link removed›"),
        ("tel:+49301234", "tel: +49301234"),
        ("SMS:12345", "SMS: 12345"),
        ("@channel <!here> <@U1>", "＠channel &lt;!here&gt; &lt;@U1&gt;"),
        ("a\u202eb\u200bc\ufeff\U000e0041d", "abcd"),
        ("*Approved* _by_ ~all~ `code`", "∗Approved∗ ＿by＿ ∼all∼ 'code'"),
        ("2*3, my_file_name.md, a ~ b", "2*3, my_file_name.md, a ~ b"),
        ("Q&A: a < b", "Q&amp;A: a &lt; b"),
        ("一\n二", "一\n二"),
    ],
)
def test_words_are_shown_and_do_nothing(said: str, shown: str) -> None:
    assert quoted(said) == shown


@given(st.text(alphabet="<>@!*_`~|:/.[]()wahtpsl \u202e\u200b&;#", max_size=60))
def test_whatever_is_said_nothing_can_act(said: str) -> None:
    shown = quoted(said)
    assert not re.search(r"\w://\S", shown)
    assert not set("<>`\u202e\u200b") & set(shown)


def test_a_name_as_code_ends_where_it_ends() -> None:
    assert code("a`b <x>\u202e\nhttps://e.example") == "`a'b &lt;x&gt; https[://]e.example`"


def test_an_error_tells_no_folder() -> None:
    error = IndexCorruptError("/srv/whimbrel/index/manifest.json is torn; run `whimbrel index`")
    assert reason_of(error) == "…/manifest.json is torn; run `whimbrel index`"
