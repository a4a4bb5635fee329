from __future__ import annotations

import pytest

from retrieval.errors import SettingsError
from retrieval.linking import ANY_HOST, LinkRules, unlinked
from retrieval.settings import load_settings

NAMED = LinkRules(("docs.example", "*.wiki.example", "http://intranet", "docs.example:8443"))


@pytest.mark.parametrize(
    "url",
    [
        "http://docs.example/a",
        "ipp://docs.example/a",
        "tel:+49301234",
        "mailto:a@docs.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//docs.example/a",
        "docs.example/a",
        "https://docs.example@evil.example/a",
        "https://docs.example:pass@evil.example/a",
        "https://docs.example\\@evil.example/a",
        "https://evil.example\\.docs.example/a",
        "https://docs.ex\u0430mple/a",
        "https://docs.example\u200b/a",
        "https://docs.example/\u202egnp.exe",
        "https://docs.example\n.evil.example/",
        "https://[::1]/a",
        "https://",
        "https:///a",
        "",
        None,
    ],
)
def test_an_address_that_is_not_plainly_that_of_a_host_is_not_linked(url: str | None) -> None:
    assert ANY_HOST.address(url) is None
    assert NAMED.address(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://docs.example/a?b=1&c#d",
        "HTTPS://Docs.Example/a",
        "https://docs.example:443/a",
        "https://docs.example:8443/a",
        "https://team.wiki.example/a",
        "http://intranet/a",
        "https://intranet/a",
    ],
)
def test_named_hosts_are_linked(url: str) -> None:
    assert NAMED.address(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/a",
        "https://docs.example.evil.example/a",
        "https://evildocs.example/a",
        "https://wiki.example/a",
        "https://evilwiki.example/a",
        "https://docs.example:8080/a",
        "http://team.wiki.example/a",
    ],
)
def test_no_other_host_is_linked_where_some_are_named(url: str) -> None:
    assert NAMED.address(url) is None


def test_what_could_end_a_link_is_encoded() -> None:
    assert ANY_HOST.address("https://a.example/b|c> 年") == "https://a.example/b%7Cc%3E%20%E5%B9%B4"


def test_what_is_not_linked_is_told_by_its_host() -> None:
    urls = ["https://docs.example/a", "https://evil.example/a", "https://evil.example/b", "tel:1"]
    assert unlinked([*urls, None], NAMED) == ["'tel:1'", "https://evil.example"]


@pytest.mark.parametrize("host", ["https://docs.example/a", "*", "Docs.Example", "a b", ""])
def test_a_setting_that_names_no_host_is_refused(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("WHIMBREL_LINK_HOSTS", f'["{host}"]')
    with pytest.raises(SettingsError, match=r"WHIMBREL_LINK_HOSTS: .*wanted a host"):
        load_settings()
