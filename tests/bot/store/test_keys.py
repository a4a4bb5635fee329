"""Keys of the API: kept as hashes, limited, counted, and gone when they are revoked."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bot.store.database import Database
from bot.store.keys import ApiKeys, OverLimitError
from retrieval.errors import DataError

NOON = 1_796_000_000.0  # 2026-11-30T00:53:20Z
DAY = 86_400.0


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(database: Database, clock: Clock) -> ApiKeys:
    return ApiKeys(database, clock=clock)


def test_a_key_is_found_by_its_secret_which_no_file_holds(keys: ApiKeys, tmp_path: Path) -> None:
    key, secret = keys.create("web", audience=["hr"])
    assert keys.find(secret) == key
    assert key.audience == {"public", "hr"}
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(secret[-43:].encode() in held for held in files)


@pytest.mark.parametrize("secret", ["", "x", "whimbrel_0123456789ab_" + "x" * 43, "ключ", "\ud800"])
def test_what_is_no_key_opens_nothing(keys: ApiKeys, secret: str) -> None:
    keys.create("web")
    assert keys.find(secret) is None


def test_a_revoked_key_opens_nothing_and_its_name_is_not_given_again(keys: ApiKeys) -> None:
    key, secret = keys.create("web")
    assert keys.revoke("web")
    assert not keys.revoke("web")
    assert keys.find(secret) is None
    assert not keys.holds(key)
    with pytest.raises(DataError, match="choose another name"):
        keys.create("web")


def test_a_key_holds_to_the_end_of_its_last_day(keys: ApiKeys, clock: Clock) -> None:
    _, secret = keys.create("web", expires=date(2026, 11, 30))
    assert keys.find(secret) is not None
    clock.now += DAY
    assert keys.find(secret) is None


@pytest.mark.parametrize("name", ["", "Web", "a b", "api:web", "-web", "x" * 50, "web\n"])
def test_names_stand_in_the_log_and_are_plain(keys: ApiKeys, name: str) -> None:
    with pytest.raises(DataError):
        keys.create(name)


@pytest.mark.parametrize("label", ["", "a,b", "Public"])
def test_a_label_that_is_none_is_refused(keys: ApiKeys, label: str) -> None:
    with pytest.raises(DataError, match="audience"):
        keys.create("web", audience=[label])


def test_the_minute_and_the_month_begin_anew(keys: ApiKeys, clock: Clock) -> None:
    key, _ = keys.create("web", per_minute=1, per_month=2)

    def charge() -> int:
        try:
            keys.charge(key, "questions")
        except OverLimitError as error:
            return error.retry_after_s
        return 0

    assert charge() == 0
    waits = charge()
    assert waits == 40
    clock.now += waits
    assert charge() == 0
    clock.now += 60
    waits = charge()
    assert 82_000 < waits < DAY
    clock.now += waits
    assert charge() == 0
    assert [(used.month, used.questions) for used in keys.usage()] == [
        ("2026-11", 2),
        ("2026-12", 1),
    ]


def test_a_request_that_was_broken_off_may_be_begun_again(keys: ApiKeys, clock: Clock) -> None:
    key, _ = keys.create("web")
    other, _ = keys.create("other")
    assert keys.claim(key, "r1", b"body").state == "new"
    assert keys.claim(key, "r1", b"body").state == "pending"
    assert keys.claim(other, "r1", b"another body").state == "new"
    clock.now += 3_600
    assert keys.claim(key, "r1", b"body").state == "new"
    keys.settle(key, "r1", "t1")
    assert keys.claim(key, "r1", b"body").turn_id == "t1"
    assert keys.claim(key, "r1", b"another body").state == "other"
    clock.now += 2 * DAY
    assert keys.claim(key, "r1", b"body").state == "new"


def test_people_of_different_keys_or_names_are_different(keys: ApiKeys) -> None:
    web, _ = keys.create("web")
    other, _ = keys.create("web-2")
    people = {key.person(user) for key in (web, other) for user in ("", "a", "b")}
    assert len(people) == 6
    assert web.person("a") == web.person("a")
