from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.scrubbing import Scrubber
from retrieval.secret_forms import has_secret

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP"
SLACK_TOKEN = "xox" + "b-123456789012-abcdefABCDEF"


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ("ada.lovelace+x@mail.example.co.uk", "EMAIL"),
        ("+44 20 7946 0958", "PHONE"),
        ("030 1234567", "PHONE"),
        ("(415) 555-2671", "PHONE"),
        ("13812345678", "PHONE"),
        ("DE89 3704 0044 0532 0130 00", "IBAN"),
        ("GB82WEST12345698765432", "IBAN"),
        ("4111 1111 1111 1111", "CARD"),
        ("192.168.10.4", "IP"),
        ("2001:db8::8a2e:370:7334", "IP"),
        ("<@U02ABCDEF12>", "SLACK"),
        ("C0123456789", "SLACK"),
        (SLACK_TOKEN, "TOKEN"),
        (JWT, "TOKEN"),
        ("AKIAIOSFODNN7EXAMPLE", "KEY"),
        (f"whimbrel_0123456789ab_{'aB3-_' * 8}xyz", "KEY"),
        (PEM, "KEY"),
    ],
)
def test_what_has_a_form_becomes_a_placeholder(found: str, kind: str) -> None:
    scrubber = Scrubber()
    scrubbed = scrubber.scrub(f"Is it {found} still?")
    assert scrubbed == f"Is it <{kind}_1> still?"
    assert not scrubber.leaves(scrubbed)


def test_an_id_in_italics_is_found() -> None:
    assert (
        Scrubber().scrub("Ask _U02ABCDEF12_ or user_W02ABCDEF12")
        == "Ask _<SLACK_1>_ or user_<SLACK_2>"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Version 1.2.3 is out since 2026-01-05, at 12:30:45.",
        "Order 4111 1111 1111 1112 items? No: 26 days, 1,500 EUR.",
        "On 01/02/2026 we moved to room 0.14.",
        "我有多少天年假？2026年1月5日之前",
        "Use KUBERNETES and READMEs.",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert Scrubber().scrub(text) == text


@given(st.emails(domains=st.just("example.com")), st.text(alphabet="abc dé年", max_size=20))
def test_no_address_survives(address: str, around: str) -> None:
    scrubber = Scrubber()
    scrubbed = scrubber.scrub(f"{around} {address} {around}")
    assert address not in scrubbed or scrubber.leaves(scrubbed)


def test_a_value_has_one_placeholder_throughout_a_turn() -> None:
    scrubber = Scrubber()
    assert scrubber.scrub("a@x.io and b@x.io") == "<EMAIL_1> and <EMAIL_2>"
    assert scrubber.scrub("Ask b@x.io.") == "Ask <EMAIL_2>."


def test_what_a_shown_document_publishes_stays() -> None:
    scrubber = Scrubber(known="Write to help@acme.example.")
    assert scrubber.scrub("Write to help@acme.example.") == "Write to help@acme.example."


def test_a_secret_never_stays() -> None:
    scrubber = Scrubber(known=f"The token is {SLACK_TOKEN}")
    assert SLACK_TOKEN not in scrubber.scrub(f"Use {SLACK_TOKEN}")
    assert has_secret(f"The token is {SLACK_TOKEN}")


@pytest.mark.parametrize(
    "text",
    [
        "ada (at) mail (dot) org",
        "ada＠mail.org",
        "case 123456789012",
        "d41d8cd98f00b204e9800998ecf8427e",
    ],
)
def test_what_may_be_left_is_told(text: str) -> None:
    scrubber = Scrubber()
    assert scrubber.leaves(scrubber.scrub(text))
