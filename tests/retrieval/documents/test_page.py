from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.documents.loaders import load
from retrieval.documents.loaders.blocks import Loaded
from retrieval.errors import UnreadableError


def read(html: str) -> Loaded:
    (loaded,) = load(Path("a.html"), html.encode())
    return loaded


def words(html: str) -> str:
    return "\n--\n".join(section.text.strip() for section in read(html).sections)


def test_code_that_has_a_fence_in_it_stays_one_block() -> None:
    assert words("<pre>```\nls\n```</pre>") == "````\n```\nls\n```\n````"


PANELS = "Linux: Use apt.\n\nMac: Use brew."


@pytest.mark.parametrize(
    "html",
    [
        (
            "<ul role=tablist><li role=tab>Linux<li role=tab>Mac</ul>"
            "<div role=tabpanel>Use apt.</div><div role=tabpanel hidden>Use brew.</div>"
        ),
        (
            "<div role=tablist><button role=tab aria-controls=a>Linux</button>"
            "<button role=tab aria-controls=b>Mac</button></div>"
            "<div id=a>Use apt.</div><div id=b hidden=true>Use brew.</div>"
        ),
        (
            "<style>.tab-pane{display:none}.active{display:block}</style><nav><div>"
            "<a data-toggle=tab href=#a>Linux</a><a data-toggle=tab href=#b>Mac</a></div></nav>"
            "<div class='tab-pane active' id=a>Use apt.</div>"
            "<div class=tab-pane id=b>Use brew.</div>"
        ),
        (
            "<div role=tablist><a role=tab id=s href=#a>Linux</a>"
            "<a role=tab id=t href=#b>Mac</a></div>"
            "<section role=tabpanel aria-labelledby=s>Use apt.</section>"
            "<section role=tabpanel aria-labelledby=t hidden>Use brew.</section>"
        ),
        (
            "<div class=tabbed-set><input type=radio id=a><input type=radio id=b>"
            "<div class=tabbed-labels><label for=a>Linux</label><label for=b>Mac</label></div>"
            "<div class=tabbed-content><div>Use apt.</div><div>Use brew.</div></div></div>"
        ),
        (
            "<div class=sd-tab-set><input type=radio id=a><label for=a>Linux</label>"
            "<div class=sd-tab-content>Use apt.</div><input type=radio id=b>"
            "<label for=b>Mac</label>"
            "<div class=sd-tab-content>Use brew.</div></div>"
        ),
        (
            "<details><summary>Linux</summary>Use apt.</details>"
            "<details><summary>Mac</summary><p>Use brew.</details>"
        ),
        (
            "<button class=accordion>Linux</button><div class=panel hidden>Use apt.</div>"
            "<button class=accordion>Mac</button><div class=panel hidden>Use brew.</div>"
        ),
        (
            "<div class=faq-question>Linux</div><div class=faq-answer hidden>Use apt.</div>"
            "<button aria-expanded=false>Mac</button><div aria-hidden=true>Use brew.</div>"
        ),
        (
            "<div class=expand-container><div class=expand-control><span>Linux</span></div>"
            "<div class=expand-content style='display:none'><p>Use apt.</p></div></div>"
            "<fieldset><legend>Mac</legend>Use brew.</fieldset>"
        ),
        "<dl><dt>Linux<dd>Use apt.<dt>Mac<dd>Use brew.</dl>",
    ],
)
def test_what_can_be_unfolded_is_read_under_its_label(html: str) -> None:
    assert words(f"<main>{html}</main>") == PANELS


def test_an_accordion_whose_button_is_a_heading_makes_sections() -> None:
    loaded = read(
        "<h1>FAQ</h1><h2><button aria-controls=a>Badge?</button></h2>"
        "<div id=a hidden>Desk 4.</div><h2><button aria-controls=b>Lost?</button></h2>"
        "<div id=b hidden>Room 12.</div>"
    )
    assert [(s.headings, s.text.strip()) for s in loaded.sections] == [
        (("FAQ", "Badge?"), "Desk 4."),
        (("FAQ", "Lost?"), "Room 12."),
    ]


def test_text_behind_a_panel_belongs_to_the_heading_above_the_panel() -> None:
    loaded = read(
        "<h1 id=b>Build</h1><details><summary>Linux</summary><h2>Steps</h2>make</details><p>end"
    )
    assert [(s.headings, s.anchor, s.text.strip()) for s in loaded.sections] == [
        (("Build", "Steps"), None, "Linux: make"),
        (("Build",), "b", "end"),
    ]
    assert loaded.title == "Build"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<aside class=starlight-aside><p>Tokens expire.</aside>", "Tokens expire."),
        ("<aside aria-label=Caution><p>Hot.</aside>", "Caution: Hot."),
        (
            (
                "<div class=note><table><tr><td rowspan=2><img alt='[Note]' src=n.png><th>Note"
                "<tr><td colspan=2><p>Hot.</table></div>"
            ),
            "Note: Hot.",
        ),
        (
            (
                "<div class='admonitionblock tip'><table><tr><td class=icon>"
                "<div class=title>Tip</div><td class=content>Hot.</table></div>"
            ),
            "Tip: Hot.",
        ),
        (
            "<div class='admonition note'><p class=admonition-title>Note</p><p>Hot.</p></div>",
            "Note: Hot.",
        ),
        (
            "<div class=confluence-information-macro><p class=title>Mind</p><div>Hot.</div></div>",
            "Mind: Hot.",
        ),
        ("<div class=panel><div class=panelHeader>Mind</div><div>Hot.</div></div>", "Mind: Hot."),
        (
            "<div class=theme-admonition><div class=admonitionHeading_x1>tip</div>Hot.</div>",
            "tip: Hot.",
        ),
        (
            (
                "<ac:structured-macro ac:name=info><ac:parameter ac:name=icon>false</ac:parameter>"
                "<ac:rich-text-body><p>Hot.</p></ac:rich-text-body></ac:structured-macro>"
            ),
            "Info: Hot.",
        ),
        (
            (
                "<ac:structured-macro ac:name=code><ac:parameter ac:name=language>sh</ac:parameter>"
                "<ac:plain-text-body><![CDATA[a < b\nc]]>"
                "</ac:plain-text-body></ac:structured-macro>"
            ),
            "```\na < b\nc\n```",
        ),
        ("<blockquote>Well.<footer>— Ann</footer></blockquote>", "Well.\n\n— Ann"),
    ],
)
def test_notes_are_read_under_what_they_are_called(html: str, text: str) -> None:
    assert words(html) == text


@pytest.mark.parametrize(
    "html",
    [
        "<aside class=sidebar><a href=/x>More</a></aside>",
        "<div role=navigation>More</div>",
        "<form class=search><label>More</label><input></form>",
        "<footer>More</footer>",
    ],
)
def test_what_stands_around_a_page_is_not_read(html: str) -> None:
    assert words(f"<p>seen</p>{html}") == "seen"


@pytest.mark.parametrize(
    "empty",
    [
        "<a id=main-content></a>",
        "<main><h1>Leave</h1></main>",
        "<main><script>x()</script></main>",
        "<article hidden>x</article>",
        "<div role=main>&nbsp;</div>",
    ],
)
def test_a_main_part_without_text_is_passed_over(empty: str) -> None:
    assert "27 days" in words(f"{empty}<div><p>You get 27 days.</p></div>")


def test_rows_and_columns_that_a_cell_spans_name_it() -> None:
    html = (
        "<table><caption>Fees</caption><thead><tr><th rowspan=2>Plan<th colspan=2>2024</tr>"
        "<tr><th>Q1<th>Q2</tr></thead><tr><td rowspan=2>Pro<td>1<td>2</tr>"
        "<tr><td>3<td>4</tr></table>"
    )
    assert words(html) == "Fees:\n| Plan | 2024 Q1 | 2024 Q2 |\n| Pro | 1 | 2 |\n| Pro | 3 | 4 |"


def test_a_table_in_a_cell_stays_in_its_row() -> None:
    html = "<table><tr><th>Room<th>Use<tr><td>B12<td><table><tr><td>Lab<td>9</table></table>"
    assert words(html) == "| Room | Use |\n| B12 | Lab, 9 |"


def test_lines_of_code_and_lists_in_cells_stay_in_their_rows() -> None:
    code, steps = "<pre>tool login\n  tool push</pre>", "<ol><li>First<li>Then</ol>"
    html = f"<table><tr><th>Run<th>Steps<tr><td>{code}<td>{steps}</table>"
    assert words(html) == "| Run | Steps |\n| `tool login` `tool push` | 1. First 2. Then |"


def test_what_there_is_to_choose_from_is_read() -> None:
    html = "<p>Plan: <select><option>Basic<option selected>Pro</select></p><textarea>Dear A,\nhi"
    assert words(html) == "Plan: Basic; Pro\n\nDear A,\nhi"
    countries = "".join(f"<option>Country {n}" for n in range(200))
    assert words(f"<select>{countries}</select>").endswith("…")


def test_macros_of_confluence_without_a_body_are_a_gap() -> None:
    html = "<p>Open issues:</p>" + "".join(
        f"<ac:structured-macro ac:name={name}></ac:structured-macro>"
        for name in ("jira", "toc", "include")
    )
    assert read(html).gaps == ("macros whose words stand elsewhere: include, jira",)


def test_tables_that_only_place_things_are_read_as_paragraphs() -> None:
    html = "<table role=presentation><tr><td>a<td>b</table><table><tr><td><p>c<p>d</table>"
    assert words(html) == "a\n\nb\n\nc\n\nd"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<pre><span>a --b</span><br><span>c</span></pre>", "```\na --b\nc\n```"),
        ("<pre><div>a</div><div>b</div></pre>", "```\na\nb\n```"),
        (
            (
                "<table class=highlighttable><tr><td class=linenos><pre>1\n2</pre>"
                "<td class=code><pre>a\nb</pre></table>"
            ),
            "```\na\nb\n```",
        ),
        ("<ol start=4><li>four<li>five<li value=9>nine</ol>", "4. four\n5. five\n9. nine"),
        ("<ol type=a><li>one<li>two</ol>", "a. one\nb. two"),
        ("<ul><li><input type=checkbox checked>done<li>plain</ul>", "- [x] done\n- plain"),
        ("<p><ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rt>じ</rt></ruby>だ", "漢字(かんじ)だ"),
        ("<p>10<sup>3</sup> m<sup>2</sup> H<sub>2</sub>O", "10^3 m2 H2O"),
        ("<p>See <img src=a.png alt='the pump'> <img alt='IMG_1.png'><img alt=''>", "See the pump"),
        ("<figure><img alt='Pump'><figcaption>New</figcaption></figure>", "Pump\n\nNew"),
    ],
)
def test_the_shape_of_what_is_seen_is_kept(html: str, text: str) -> None:
    assert words(html) == text


TEX = "<annotation encoding='application/x-tex'>B = 0.08 S</annotation>"


@pytest.mark.parametrize(
    "formula",
    [
        f"<math><semantics><mi>B</mi>{TEX}</semantics></math>",
        (
            f"<span class=katex><span class=katex-mathml><math><mi>B</mi>{TEX}</math></span>"
            "<span class=katex-html aria-hidden=true>B=0.08S</span></span>"
        ),
        "<span class=katex><span class=katex-html aria-hidden=true>B = 0.08 S</span></span>",
        (
            "<span class=MathJax_Preview></span><span class=MathJax>x</span>"
            "<script type='math/tex'>B = 0.08 S</script>"
        ),
        (
            f"<mjx-container><mjx-math aria-hidden=true>x</mjx-math><mjx-assistive-mml><math>{TEX}"
            "</math></mjx-assistive-mml></mjx-container>"
        ),
        (
            r"<span style='display:none'><math><mi>B</mi></math></span><img class=mwe-math-image "
            r"aria-hidden=true alt='{\displaystyle B = 0.08 S}'>"
        ),
        r"<math alttext='{\displaystyle B = 0.08 S}'><mi>B</mi></math>",
        "<math><mi>B</mi><mo>=</mo><mn>0.08</mn><mtext>&nbsp;S</mtext></math>",
    ],
)
def test_formulas_are_read_as_tex_or_in_a_line(formula: str) -> None:
    assert " ".join(words(f"<p>The bonus is {formula} of it.").split()) in (
        "The bonus is B = 0.08 S of it.",
        "The bonus is B = 0.08S of it.",
    )


def test_mathml_keeps_fractions_and_powers() -> None:
    sum_of = "<mrow><mi>b</mi><mo>+</mo><mn>1</mn></mrow>"
    power = "<msup><mi>c</mi><mn>2</mn></msup>"
    html = f"<math><mfrac><mi>a</mi>{sum_of}</mfrac>{power}</math>"
    assert words(f"<p>{html}") == "a/(b + 1)c^2"


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ("<a href='https://pay.example/x'>Pay portal</a>", "Pay portal (https://pay.example/x)"),
        ("<a href='https://pay.example/'>pay.example</a>", "https://pay.example/"),
        ("<a href='https://pay.example/x'>https://pay.example/x</a>", "https://pay.example/x"),
        ("<a href='mailto:hr@x.example?subject=a'>Ask HR</a>", "Ask HR (hr@x.example)"),
        ("<a href='tel:+49-30-1'>Call</a>", "Call (+49-30-1)"),
        ("<a href='tel:+49301'>+49 301</a>", "+49 301"),
        ("<a href='#top'>Top</a>", "Top"),
        ("<a href='/leave'>Leave</a>", "Leave"),
        ("<a href='javascript:x()'>Run</a>", "Run"),
        ("<a href='https://docs.example@evil.example/'>Docs</a>", "Docs"),
        (f"<a href='https://x.example/?q={'a' * 400}'>Tracked</a>", "Tracked"),
        ("<a href='https://ci.example'><img alt='build'></a>", "build"),
        ("<a href='https://a.example/note'>[1]</a>", "[1] (https://a.example/note)"),
    ],
)
def test_links_keep_where_they_lead(link: str, text: str) -> None:
    assert words(f"<p>{link}</p>") == text


def test_links_of_headings_and_of_a_woven_site_are_quiet() -> None:
    own = "<link rel=canonical href='https://wiki.example/a'>"
    links = "".join(f"<p><a href='https://wiki.example/{n}'>Page {n}</a></p>" for n in range(25))
    head = "<h2><a href='https://b.example'>Head</a> <a href=#x class=headerlink>¶</a></h2>"
    html = f"{own}{head}{links}"
    loaded = read(html)
    assert "https" not in words(html)
    assert loaded.sections[0].headings == ("Head",)


@pytest.mark.parametrize("html", ["<div>" * 100_000, "<ul><li>" * 50_000, "<blockquote>" * 100_000])
def test_what_is_nested_too_deeply_is_refused_at_once(html: str) -> None:
    with pytest.raises(UnreadableError, match="nested too deeply"):
        read(f"{html}x")


def test_words_in_many_spans_are_read() -> None:
    assert words("<span>" * 5000 + "x") == "x"


@pytest.mark.parametrize(
    "navigation",
    [
        (
            "<div class=navheader><table summary='Navigation header'><tr><th colspan=3>Leave</th>"
            "<tr><td><a href=a><img alt=Prev></a><td><td><a href=b><img alt=Next></a></table></div>"
        ),
        (
            "<div class=toc><p>Table of Contents</p><dl class=toc><dt><a href=#a>1. Annual leave"
            "</a><dt><a href=#b>2. Sick leave</a></dl></div>"
        ),
        "<ul id=toc><li><a href=#a>Annual leave</a><li><a href=#b>Sick leave</a></ul>",
        "<ol class='breadcrumb'><li><a href=/>Home</a><li><a href=/people>People</a></ol>",
        "<table class=pager><tr><td><a href=a>Previous</a><td><a href=b>Next</a></table>",
        "<ul class=docnav><li><a href=a>Previous</a><li><a href=b>Next</a></ul>",
    ],
    ids=["DocBook", "contents", "by id", "breadcrumb", "pager", "Publican"],
)
def test_navigation_that_is_named_so_is_not_read(navigation: str) -> None:
    page = f"<h1>Leave</h1>{navigation}<p>Ask your lead.</p>{navigation}"
    assert words(page) == "Ask your lead."


def test_words_beside_few_links_are_read_whatever_they_are_called() -> None:
    part = "<div class=toc>First read <a href=a>this</a>, then ask your lead about the dates.</div>"
    assert "ask your lead about the dates" in words(f"<h1>Leave</h1>{part}")


@pytest.mark.parametrize(
    ("rows", "drawn"),
    [
        (
            (
                "<tr><td rowspan=2>Plan<td colspan=2>Answer<td rowspan=2>Price"
                "<tr><td>urgent<td>else<tr><td>Plus<td>2 hours<td>a day<td>9"
            ),
            "| Plan | Answer urgent | Answer else | Price |\n| Plus | 2 hours | a day | 9 |",
        ),
        (
            (
                "<tr><td><p><strong>Who</strong></p><td><b>Days </b>"
                + "".join(f"<tr><td>{name}<td>many" for name in "abcdefghi")
            ),
            "\n".join(f"Who: {name} | Days: many" for name in "abcdefghi"),
        ),
    ],
)
def test_heads_of_tables_are_told_by_what_they_span_or_by_bold_letters(
    rows: str, drawn: str
) -> None:
    assert words(f"<table>{rows}</table>") == drawn
