from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from retrieval.documents.loaders import load
from retrieval.documents.loaders.blocks import Loaded
from retrieval.errors import RestrictedError, UnreadableError
from tests.retrieval import sample_files as sample

SECRET = "The salary is 100."


def read(text: str | bytes, name: str = "a.md") -> Loaded:
    (loaded,) = load(Path(name), text if isinstance(text, bytes) else text.encode())
    return loaded


def matter(*lines: str) -> str:
    return "\n".join(["---", *lines, "---", SECRET])


@pytest.mark.parametrize(
    "text",
    [
        matter("audience: hr"),
        matter("audience: hr # only they"),
        matter("  audience: hr"),
        matter('"audience": hr'),
        matter("audience: >", "  hr"),
        matter("team: &t hr", "audience: *t"),
        matter("audience: hr", "visibility: internal"),
        matter("audience: hr").replace("\n", "\r\n"),
        matter("audience: hr").encode("utf-16"),
        f"---\naudience: hr\n...\n{SECRET}",
        f"\n \n{matter('audience: hr')}",
        f"\ufeff\ufeff{matter('audience: hr')}",
        f"\u200b{matter('audience: hr')}",
    ],
)
def test_a_label_is_read_however_its_block_is_written(text: str | bytes) -> None:
    assert (read(text).audience, read(text).sections[0].text.strip()) == ("hr", SECRET)


def test_values_of_front_matter_are_kept_as_they_are_written() -> None:
    loaded = read(matter("title: 1.10", "language: no", "owner: 2026-01-02"))
    assert (loaded.title, loaded.language, loaded.owner) == ("1.10", "no", "2026-01-02")
    merged = read(matter("base: &base {title: A}", "<<: *base", "title: B"))
    assert (merged.title, merged.gaps) == ("B", ())


@pytest.mark.parametrize(
    "line",
    [
        "Audience: hr",
        "AUDIENCE: hr",
        "audience：hr",
        "audience:hr",
        "audience = hr",
        "audience hr",
        "audiences: hr",
        "audiance: hr",
        "audeince: hr",
        "Audience-Label: hr",
        "audienceLabel: hr",
        "access: hr",
        "visible_to: hr",
        "visibleTo: hr",
        "private: true",
        "public: false",
        "受众: hr",
        "可见范围: 人事",
        "# audience: hr",
        "owner: Ann # audience: hr",
        "\taudience: hr",
        "meta: {audience: hr}",
        "metas: [{Audience: hr}]",
        "aud\u200bience: hr",
        "\u202eaudience: hr",
        "\u0430udience: hr",
        "audien\u0441e: hr",
        "ａｕｄｉｅｎｃｅ: hr",
        "audiencé: hr",
        "title: x\naudience: public\nAudience: hr",
        "audience: hr\naudience: public",
        "audience: public\nmeta: {audience: hr}",
        "audience:",
        "audience: ''",
        "audience: ' '",
        "audience: null",
        "audience: ~",
        "audience: yes",
        "audience: 7",
        "audience: 2026-01-31",
        "audience: [hr]",
        "audience: [hr, board]",
        "audience: {label: hr}",
        "audience: hr, board",
        "audience: hr；board",
        "audience: Public",
        "audience: PUBLIC",
        "audience: ｐｕｂｌｉｃ",
        "audience: 'pub\u200blic'",
        "audience: 'h\u200br'",
        "audience: '\u202ehr'",
        "audience: h\u0433r",
        "audience: people\u2011team",
        "audience: hr: board",
        f"audience: {'h' * 301}",
    ],
)
def test_what_may_be_meant_as_a_restriction_and_is_not_sure_is_refused(line: str) -> None:
    with pytest.raises(RestrictedError):
        read(matter("title: Pay", line))
    with pytest.raises(RestrictedError):
        read(matter(line))


@pytest.mark.parametrize(
    "text",
    [
        f"---\naudience: hr\n\n{SECRET}",
        f"---\ntitle: Pay\n\nAudience: hr\n# Pay\n{SECRET}",
        f"---\ntitle: Pay\naccess: hr\n----\n{SECRET}",
        f"----\naudience: hr\n----\n{SECRET}",
        f"\u2014\naudience: hr\n\u2014\n{SECRET}",
        f"  ---\n  audience: hr\n  ---\n{SECRET}",
        f"+++\n[meta]\naudience = 'hr'\n+++\n{SECRET}",
        f'{{"title": "x", "audience": "hr"}}\n\n{SECRET}',
        f'{{\n  "title": "x",\n  "audience": "hr"\n}}\n\n{SECRET}',
        f"```yaml\naudience: hr\n```\n{SECRET}",
        f"<!-- audience: hr -->\n{SECRET}",
        f"<!--\ntitle: x\naudience: hr\n-->\n{SECRET}",
        f"# Pay\n\n{SECRET}\n\n<!-- Audience: hr -->",
        f"Audience: hr\n\n{SECRET}",
        f"Title: Pay\nAudience: hr\n\n{SECRET}",
        f"**Audience:** hr\n\n{SECRET}",
        f"| audience | hr |\n|---|---|\n\n{SECRET}",
        f"---\ntitle: x\n---\n---\naudience: hr\n---\n{SECRET}",
        f"---\ntitle: x\n...\naudience: hr\n---\n{SECRET}",
        f"---\u2028audience: hr\u2028---\u2028{SECRET}",
    ],
)
@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.html"])
def test_a_head_in_another_form_that_may_restrict_is_refused(name: str, text: str) -> None:
    with pytest.raises(RestrictedError):
        read(text, name)


@pytest.mark.parametrize(
    "text",
    [
        matter("title: x", "accessed: 2026-01-31", "tags: [audio, audit]", "author: Ann"),
        matter("visibility: public"),
        "---\nhello\n\n---\nworld",
        "---\n# Handbook\n\nWords.\n\nOur audience: everybody who asks.",
        "# Handbook\n\n**Audience:** developers\n\nWords.",
        "The audience is large: it has 400 seats.\n\nWords.",
        "Target audience: people who cook\n\nWords.",
        "<!-- toc -->\n# Handbook\n\nWords.",
    ],
)
def test_what_only_speaks_of_an_audience_is_read(text: str) -> None:
    assert read(text).audience is None


@pytest.mark.parametrize("name", ["a.txt", "a.html"])
def test_front_matter_is_refused_where_it_is_not_read(name: str) -> None:
    with pytest.raises(RestrictedError, match=r"may restrict its readers by 'audience'"):
        read(matter("audience: hr"), name)


def page(*metas: str) -> str:
    return f"<html><head>{''.join(metas)}</head><body><p>{SECRET}</body></html>"


def test_a_page_names_its_label_in_a_meta_element() -> None:
    assert read(page('<meta name="audience" content="hr">'), "a.html").audience == "hr"


@pytest.mark.parametrize(
    "metas",
    [
        ['<meta name="Audience" content="hr">'],
        ['<meta property="audience" content="hr"><meta name="audience" content="public">'],
        ['<meta name="dcterms.audience" content="hr">'],
        ['<meta name="audience" content="">'],
        ['<meta name="audience">'],
        ['<meta name="Visibility" content="private">'],
        ['<meta name="access" content="hr">'],
        ['<meta name="audience" content="hr,board">'],
        ['<meta name="audience" content="hr">', '<meta name="audience" content="public">'],
    ],
)
def test_a_page_whose_label_is_not_sure_is_refused(metas: list[str]) -> None:
    with pytest.raises(RestrictedError):
        read(page(*metas), "a.html")


@pytest.mark.parametrize("tag", ["html", "body", "main", "article"])
def test_a_page_that_names_its_audience_in_an_element_is_refused(tag: str) -> None:
    with pytest.raises(RestrictedError):
        read(f'<{tag} data-audience="hr"><p>{SECRET}</p></{tag}>', "a.html")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"audience;text\nhr;words\n"),
        ("a.tsv", b"text\tAudience\nwords\thr\n"),
        ("a.xlsx", sample.xlsx("Pay", [["Text", "Audience"], ["words", "hr"]])),
        ("a.eml", b"From: a@b.test\nSensitivity: Company-Confidential\n\nwords"),
        ("a.eml", b"From: a@b.test\nX-Audience: hr\n\nwords"),
        ("a.docx", sample.docx([(None, "Audience: hr"), (None, SECRET)])),
        ("a.pdf", sample.pdf([["Audience: hr", SECRET]])),
        ("a.rst", b"Pay\n===\n\n:visibility: private\n\nwords\n"),
        ("a.adoc", b"= Pay\n:visibility: private\n\nwords\n"),
        ("a.org", b"#+TITLE: Pay\n#+VISIBILITY: private\n\nwords\n"),
    ],
)
def test_files_of_other_types_that_restrict_their_readers_are_refused(
    name: str, data: bytes
) -> None:
    with pytest.raises(RestrictedError):
        read(data, name)


@pytest.mark.parametrize(
    "said",
    [
        '"Audience": "hr"',
        '"audiences": "hr"',
        '"audience": null',
        '"audience": ""',
        '"audience": 7',
        '"audience": ["hr"]',
        '"audience": []',
        '"audience": "Public"',
        '"metadata": {"audience": "hr"}',
        '"access": "hr"',
    ],
)
def test_a_row_of_a_corpus_whose_label_is_not_sure_is_refused_by_its_id(said: str) -> None:
    with pytest.raises(RestrictedError, match="of the document 'pay'"):
        read(f'{{"_id": "pay", "text": "words", {said}}}', "corpus.jsonl")


def toml(*lines: str) -> str:
    return "\n".join(["+++", *lines, "+++", SECRET])


def test_front_matter_may_be_toml() -> None:
    loaded = read(toml('title = "Pay"', "audience = 'hr'", "date = 2026-01-31", "[extra]", "a = 1"))
    assert (loaded.title, loaded.audience, loaded.gaps) == ("Pay", "hr", ())
    assert loaded.sections[0].text.strip() == SECRET


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        (["title: Policy: remote work"], "Policy: remote work"),
        (["title: Pay", "owner: @ana"], "Pay"),
        (["title: 100% pay", "note: %x"], "100% pay"),
        (["title: Pay", "tags:\t[a]", "\tdraft: true"], "Pay"),
        (["title: Pay", "tags: a", "tags: b"], "Pay"),
        (["title: Pay", "title: Leave"], "Pay"),
        (["title: 'It''s", "owner: Ann"], "It''s"),
        (['title: "Pay" and leave'], 'Pay" and leave'),
        (["title: Pay", "summary: *all", "list: [a, b"], "Pay"),
        (["title: Pay", "- item"], "Pay"),
    ],
)
def test_front_matter_that_is_nearly_valid_is_read_line_by_line(
    lines: list[str], title: str
) -> None:
    loaded = read(matter(*lines))
    assert (loaded.title, loaded.audience) == (title, None)
    assert "read line by line" in loaded.gaps[0]
    assert loaded.sections[0].text.strip() == SECRET


def test_toml_that_is_nearly_valid_is_read_line_by_line() -> None:
    loaded = read(toml("title = Pay", "draft = yes"))
    assert (loaded.title, len(loaded.gaps)) == ("Pay", 1)


def test_a_plain_label_in_front_matter_that_is_not_valid_is_obeyed() -> None:
    assert read(matter("title: Pay: all", "audience: hr")).audience == "hr"


@pytest.mark.parametrize(
    "text",
    [
        matter("title: Pay: all", "audience: [hr"),
        matter("title: Pay: all", "audience: hr, board"),
        matter("title: Pay: all", "audience:"),
        matter("title: Pay: all", "Audience: hr"),
        matter("title: Pay: all", "access: hr"),
        matter("title: Pay: all", "audience: hr", "audience: public"),
        matter("title: Pay: all", "meta: {audience: hr"),
        matter("title: Pay: all", "meta:", "  audience: hr"),
        matter("title: 'Pay: all", "audience: public", "x: 'y: z"),
        matter("title: Pay: all", "note: |", "audience: hr"),
        matter("title: Pay: all audience: hr"),
        matter("title: Pay", "visible_to: @hr"),
        toml("title = Pay", "audience = [hr]"),
        toml("title = Pay", "[meta]", "audience = 'hr'", "audience = 'all'"),
        toml("[meta]", "audience = 'hr'"),
        toml("access = 'hr'"),
        toml("audience = ['hr']"),
        "---\n" + "title: x\n" * 20_000 + f"audience: hr\n---\n{SECRET}",
    ],
)
def test_front_matter_that_is_not_valid_and_may_restrict_is_refused(text: str) -> None:
    with pytest.raises(RestrictedError):
        read(text)


def test_a_title_that_is_a_list_is_left_out_and_told() -> None:
    loaded = read(matter("title: [a, b]", "owner: Ann"))
    assert (loaded.title, loaded.owner) == (None, "Ann")
    assert loaded.gaps == ("front matter whose title is not a single value",)


@pytest.mark.parametrize(
    "said",
    [
        "{/* audience: hr */}",
        "export const audience = 'hr';",
        "export const meta = {\n  title: 'x',\n  audience: 'hr',\n};",
    ],
)
def test_a_page_in_mdx_that_may_restrict_its_readers_is_refused(said: str) -> None:
    with pytest.raises(RestrictedError):
        read(f"# Pay\n\n{said}\n\n{SECRET}", "a.mdx")


@pytest.mark.parametrize("value", ["[" * 30_000, "&a [x]\n" + "b: &b [*a, *a]\n" * 3])
def test_front_matter_that_is_a_bomb_does_no_harm(value: str) -> None:
    doubling = "".join(f"k{n + 1}: &k{n + 1} [*k{n}, *k{n}]\n" for n in range(40))
    with contextlib.suppress(UnreadableError):
        read(f"---\nk: {value}\nk0: &k0 [x]\n{doubling}---\n{SECRET}")
