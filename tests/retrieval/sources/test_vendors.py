from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

import pytest

from retrieval.sources.connector import Readers
from retrieval.sources.vendors import (
    BearerToken,
    Unmatched,
    both,
    either,
    is_past,
    mail_of,
    path_part,
    utc,
)
from tests.retrieval.sources.site import Asked, Site, Told

ADA, BOB, NOBODY = Readers({"ada@x.example"}), Readers({"bob@x.example"}), Readers()


@pytest.mark.parametrize(
    ("moment", "read"),
    [
        ("2026-03-04T05:06:07.890Z", "2026-03-04T05:06:07+00:00"),
        ("2026-03-04T05:06:07+08:00", "2026-03-03T21:06:07+00:00"),
        ("2026-03-04T05:06:07.000-0130", "2026-03-04T06:36:07+00:00"),
        ("2026-03-04T05:06:07", "2026-03-04T05:06:07+00:00"),
        ("soon", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_moments_are_told_in_utc(moment: str, read: str) -> None:
    assert utc(moment) == read


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(None, False), ("2020-01-01T00:00:00Z", True), ("2100-01-01T00:00:00Z", False), ("", True)],
)
def test_what_has_no_end_is_not_over(moment: str | None, expected: bool) -> None:
    assert is_past(moment) is expected


@pytest.mark.parametrize(
    "text", [None, "", "ada", "ada@host", "Ada <ada@x.example>", "a@x.example, b@x.example"]
)
def test_what_is_no_address_is_nobody(text: str | None) -> None:
    assert mail_of(text) == NOBODY


def test_an_address_is_told_in_lower_case() -> None:
    assert mail_of(" Ada@X.example ") == ADA


def test_everybody_is_more_than_anybody() -> None:
    assert either([ADA, BOB]) == ADA | BOB
    assert either([ADA, None]) is None
    assert either([]) == NOBODY
    assert both(ADA | BOB, BOB) == both(BOB, None) == both(None, BOB) == BOB
    assert both(None, None) is None
    assert both(ADA, BOB) == NOBODY


@pytest.mark.parametrize(
    ("title", "part"), [("a/b\\c\n d", "a b c d"), ("  ", "Untitled"), ("/", "Untitled")]
)
def test_a_title_is_one_part_of_a_path(title: str, part: str) -> None:
    assert path_part(title) == part


def test_nobody_who_is_matched_is_counted() -> None:
    assert Unmatched().told() == []
    [left] = Unmatched(people={"eve"}, groups={"lost"}).told()
    assert left.reason.startswith("1 have no e-mail address that can be seen; 1 groups")


@pytest.mark.parametrize(("seconds", "times"), [(3600, 1), (30, 2)])
def test_a_token_is_renewed_before_it_ends(seconds: int, times: int) -> None:
    def told(asked: Asked) -> Told:
        assert asked.body == b"grant_type=x"
        number = len(site.asked)
        return Told({"access_token": f"t{number}", "expires_in": seconds})

    headers: Mapping[str, str] = {}
    with Site(**{"/token": told}) as site:
        with closing(BearerToken(f"{site.url}/token", lambda: {"grant_type": "x"})) as token:
            for _ in range(2):
                headers = token.headers()
        assert headers == {"Authorization": f"Bearer t{times}"}
