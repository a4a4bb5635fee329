from __future__ import annotations

import pytest

from retrieval.sources.robots import FORBIDDEN, Robots, read_robots

TEXT = """\ufeff# what programs may read
User-agent: *
Disallow: /

User-Agent: other
User-agent: Whimbrel
Disallow: /private
Allow: /private/open
Disallow: /*.pdf$
Disallow: /*/drafts/
Disallow: /a%20b
Disallow:
Crawl-delay: 7
Sitemap: https://docs.example/sitemap.xml
"""


@pytest.mark.parametrize(
    ("path", "is_allowed"),
    [
        ("/", True), ("/handbook", True), ("/private", False), ("/private/x", False),
        ("/privately", False), ("/private/open/x", True), ("/x.pdf", False), ("/x.pdf?y", True),
        ("/pdf", True), ("/team/drafts/x", False), ("/drafts/x", True), ("/a b", False),
        ("/a%20b/c", False),
    ],
)  # fmt: skip
def test_the_longest_rule_for_us_decides(path: str, is_allowed: bool) -> None:
    assert read_robots(TEXT, "whimbrel").allows(f"https://docs.example{path}") is is_allowed


def test_who_is_not_named_has_the_rules_for_all() -> None:
    assert not read_robots(TEXT, "somebody").allows("https://docs.example/handbook")
    assert read_robots(TEXT, "whimbrel").delay_s == 7


def test_no_rules_allow_everything() -> None:
    assert read_robots("", "whimbrel") == Robots()
    assert Robots().allows("https://docs.example")
    assert not FORBIDDEN.allows("https://docs.example")


def test_rules_without_end_forbid_more_and_not_less() -> None:
    endless = f"/{'*a' * 10_000}$"
    robots = read_robots(f"User-agent: *\nDisallow: {endless}\nAllow: {endless}", "whimbrel")
    assert not robots.allows(f"https://docs.example/{'a' * 100_000}b")
