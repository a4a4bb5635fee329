from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from retrieval.errors import SourceError
from retrieval.sources.client import HttpClient
from tests.retrieval.sources.site import Site, Told


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


Opens = Callable[..., HttpClient]


@pytest.fixture
def opened() -> Iterator[Opens]:
    with ExitStack() as stack:

        def open_(site: Site, **given: object) -> HttpClient:
            given = {"sleep": lambda _: None, **given}
            return stack.enter_context(closing(HttpClient(site.url, **given)))  # type: ignore[arg-type]

        yield open_


def test_a_source_that_is_busy_is_asked_again_when_it_says(site: Site, opened: Opens) -> None:
    waits: list[float] = []
    site.answers["/pages"] = Told({"pages": [1]})
    site.first.extend([Told(status=429, headers={"Retry-After": "7"}), Told(status=503)])
    client = opened(site, sleep=waits.append)
    assert client.get("/pages").json() == {"pages": [1]}
    assert len(site.asked) == 3
    assert 7 <= waits[0] < 8
    assert waits[1] <= 3


def test_a_limit_that_ends_at_a_time_is_waited_for(site: Site, opened: Opens) -> None:
    waits: list[float] = []
    site.answers["/pages"] = Told(b"here")
    limit = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}
    site.first.append(Told(status=403, headers=limit))
    assert opened(site, sleep=waits.append).get("/pages").body == b"here"
    assert len(waits) == 1


def test_a_source_that_stays_broken_is_given_up(site: Site, opened: Opens) -> None:
    site.answers["/pages"] = Told(status=500)
    with pytest.raises(SourceError, match="status 500") as caught:
        opened(site).get("/pages?token=secret")
    assert caught.value.status == 500
    assert "secret" not in str(caught.value)
    assert len(site.asked) == 5


def test_nobody_waits_for_hours(site: Site, opened: Opens) -> None:
    site.first.append(Told(status=429, headers={"Retry-After": "7200"}))
    with pytest.raises(SourceError, match="come back in 7200 s"):
        opened(site).get("/pages")


def test_what_is_not_there_is_asked_for_once(site: Site, opened: Opens) -> None:
    with pytest.raises(SourceError) as caught:
        opened(site).get("/nothing")
    assert caught.value.status == 404
    assert len(site.asked) == 1


def test_a_body_without_end_is_refused(site: Site, opened: Opens) -> None:
    site.answers["/large"] = Told(b"x" * 2_000_000)
    with pytest.raises(SourceError, match="larger than 1 MB"):
        opened(site, max_bytes=2**20).get("/large")


def test_credentials_go_to_no_other_host(site: Site, opened: Opens) -> None:
    with Site() as other:
        other.answers["/file"] = Told(b"body")
        site.answers["/file"] = Told(status=302, headers={"Location": f"{other.url}/file"})
        client = opened(site, credentials=lambda: {"Authorization": "Bearer secret"})
        assert client.get("/file").body == b"body"
    assert site.asked[0].headers["authorization"] == "Bearer secret"
    assert "authorization" not in other.asked[0].headers


def test_credentials_are_asked_for_before_each_request(site: Site, opened: Opens) -> None:
    site.answers["/pages"] = Told(b"")
    tokens = iter(("first", "second"))
    client = opened(site, credentials=lambda: {"X-Token": next(tokens)})
    client.get("/pages")
    client.get("/pages")
    assert [asked.headers["x-token"] for asked in site.asked] == ["first", "second"]


def test_a_body_is_posted_as_json(site: Site, opened: Opens) -> None:
    site.answers["/search"] = lambda asked: Told({"got": asked.json()})
    assert opened(site).post("/search", json={"page": 2}).json() == {"got": {"page": 2}}


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://here/", "http://[bad"])
def test_an_answer_may_not_lead_out_of_the_web(site: Site, opened: Opens, target: str) -> None:
    site.first.append(Told(status=302, headers={"Location": target}))
    with pytest.raises(SourceError):
        opened(site).get("/")


def test_answers_that_lead_in_a_circle_end(site: Site, opened: Opens) -> None:
    site.answers["/"] = Told(status=302, headers={"Location": "/"})
    with pytest.raises(SourceError, match="on and on"):
        opened(site).get("/")


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"errors": [{"reason": "userRateLimitExceeded"}], "code": 403}},
        {"error": {"errors": [{"reason": "rateLimitExceeded"}], "code": 403}},
        {"message": "You have exceeded a secondary rate limit."},
    ],
)
def test_a_limit_that_is_told_as_forbidden_is_waited_for(
    site: Site, opened: Opens, said: dict[str, object]
) -> None:
    site.answers["/pages"] = Told(b"here")
    site.first.append(Told(said, 403))
    assert opened(site).get("/pages").body == b"here"
    site.answers["/pages"] = Told(said, 403)
    with pytest.raises(SourceError) as caught:
        opened(site).get("/pages")
    assert caught.value.status == 429  # nothing was withdrawn from us


def test_what_is_forbidden_for_good_is_not_asked_for_again(site: Site, opened: Opens) -> None:
    site.answers["/pages"] = Told({"message": "you may not"}, 403)
    with pytest.raises(SourceError) as caught:
        opened(site).get("/pages")
    assert (caught.value.status, len(site.asked)) == (403, 1)
