from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from httpx2 import Request, Response

from retrieval.errors import SourceError
from retrieval.sources.addresses import CheckedTransport, Resolve, is_public, resolved
from retrieval.sources.client import HttpClient
from tests.retrieval.sources.site import Site, Told


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        site.answers["/"] = Told(b"here")
        yield site


def client(url: str, resolve: Resolve, *, allows_private: bool) -> HttpClient:
    transport = CheckedTransport(allows_private=allows_private, resolve=resolve)
    return HttpClient(url, transport=transport, sleep=lambda _: None)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.1", "255.255.255.255", "224.0.0.1", "::1", "::", "fe80::1%eth0", "fd00::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "198.18.0.1", "not an address", "",
    ],
)  # fmt: skip
def test_all_others_are_not(address: str) -> None:
    assert not is_public(address)


def test_the_address_that_was_checked_is_the_one_that_is_reached(site: Site) -> None:
    port = int(site.url.rpartition(":")[2])
    asked: list[tuple[str, int]] = []

    def resolve(host: str, at: int) -> Sequence[str]:
        asked.append((host, at))
        return ["127.0.0.1"]

    with closing(client(f"http://docs.example:{port}", resolve, allows_private=True)) as http:
        assert http.get("/").body == b"here"
    assert asked == [("docs.example", port)]
    assert site.asked[0].headers["host"] == f"docs.example:{port}"


def test_a_name_that_comes_to_mean_a_private_address_reaches_nothing(site: Site) -> None:
    port = int(site.url.rpartition(":")[2])
    answers = iter([["8.8.8.8", "127.0.0.1"], ["127.0.0.1"], ["::ffff:127.0.0.1"]])
    with closing(
        client(f"http://d.example:{port}", lambda *_: next(answers), allows_private=False)
    ) as http:
        for _ in range(3):
            with pytest.raises(SourceError, match="private network"):
                http.get("/")
    assert site.asked == []


def test_an_address_is_checked_as_a_name_is(site: Site) -> None:
    for url in (site.url, site.url.replace("127.0.0.1", "localhost")):
        with (
            closing(client(url, resolved, allows_private=False)) as http,
            pytest.raises(SourceError, match="private network"),
        ):
            http.get("/")
    assert site.asked == []


class FromOutside(CheckedTransport):
    """Takes one host for one of the internet, wherever it is."""

    def handle_request(self, request: Request) -> Response:
        self._allows_private = request.url.host == "outside.example"
        return super().handle_request(request)


def test_an_answer_that_leads_into_a_private_network_is_not_followed(site: Site) -> None:
    port = int(site.url.rpartition(":")[2])
    site.answers["/"] = Told(status=302, headers={"Location": "http://inside.example/secret"})
    names = {"outside.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"]}
    transport = FromOutside(allows_private=False, resolve=lambda host, _: names[host])
    with (
        closing(HttpClient(f"http://outside.example:{port}", transport=transport)) as http,
        pytest.raises(SourceError, match=r"inside\.example is in a private network"),
    ):
        http.get("/")
