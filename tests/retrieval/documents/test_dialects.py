from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.documents.loaders import load
from retrieval.documents.loaders.blocks import Loaded


def read(text: str, name: str = "a.md") -> Loaded:
    (loaded,) = load(Path(name), text.encode())
    return loaded


def words(text: str, name: str = "a.md") -> str:
    return "\n--\n".join(section.text.strip() for section in read(text, name).sections)


@pytest.mark.parametrize(
    ("note", "label"),
    [
        ("> [!NOTE]\n> Ask *Piet*.", "Note"),
        ("> \\[!NOTE]\n> Ask *Piet*.", "Note"),
        ("> [!warning]- Mind this\n> Ask *Piet*.", "Mind this"),
        ("!!! note\n    Ask *Piet*.", "Note"),
        ('!!! warning "Mind this"\n\n    Ask *Piet*.', "Mind this"),
        ("??? tip\n    Ask *Piet*.", "Tip"),
        ('???+ question "Who?"\n\tAsk *Piet*.', "Who?"),
        ('!!! note inline end "Mind"\n    Ask *Piet*.', "Mind"),
        ('=== "Linux"\n\n    Ask *Piet*.', "Linux"),
        (":::note\nAsk *Piet*.\n:::", "Note"),
        (":::note[Mind *this*]\n\nAsk *Piet*.\n\n:::", "Mind this"),
        ("::: tip Mind this\nAsk *Piet*.\n:::", "Mind this"),
        (':::caution{title="Mind"}\nAsk *Piet*.\n:::', "Mind"),
        ("::: {.callout-important}\nAsk *Piet*.\n:::", "Important"),
        (":::{admonition} Mind this\n:class: tip\nAsk *Piet*.\n:::", "Mind this"),
        ("```{warning}\n:class: x\nAsk *Piet*.\n```", "Warning"),
        ("::::{tab-set}\n:::{tab-item} Linux\nAsk *Piet*.\n:::\n::::", "Linux"),
        ('{% hint style="info" %}\nAsk *Piet*.\n{% endhint %}', "Info"),
        ('{% tabs %}\n{% tab title="Linux" %}\nAsk *Piet*.\n{% endtab %}\n{% endtabs %}', "Linux"),
        ('{{< tabs >}}\n{{% tab "Linux" %}}\nAsk *Piet*.\n{{% /tab %}}\n{{< /tabs >}}', "Linux"),
        ("{{% notice warning %}}\nAsk *Piet*.\n{{% /notice %}}", "Warning"),
        ("/// note | Mind\nAsk *Piet*.\n///", "Mind"),
        ("<details>\n<summary>Who</summary>\n\nAsk *Piet*.\n\n</details>", "Who"),
        ("<details><summary>Who</summary>\nAsk *Piet*.\n</details>", "Who"),
        (
            '<Tabs id="os">\n<TabItem value="l" label="Linux">\nAsk *Piet*.\n</TabItem>\n</Tabs>',
            "Linux",
        ),
        ('<Admonition type="danger">\n\nAsk *Piet*.\n\n</Admonition>', "Danger"),
        ('<Card\n  title="Mind"\n  icon={<Icon name="a" />}\n>\nAsk *Piet*.\n</Card>', "Mind"),
        ("<Note>\nAsk *Piet*.\n</Note>", "Note"),
        ('<Tab title="Linux">\n    Ask *Piet*.\n</Tab>', "Linux"),
        (":::info Mind *this* {#x}\nAsk *Piet*.\n:::", "Mind this"),
    ],
)
def test_notes_and_tabs_of_every_dialect_are_read_under_their_label(note: str, label: str) -> None:
    colon = "" if label.endswith("?") else ":"
    assert words(f"before\n\n{note}\n\nafter") == f"before\n\n{label}{colon} Ask Piet.\n\nafter"


def test_notes_keep_the_headings_lists_and_code_in_them() -> None:
    inner = "    ## Steps\n\n    - a\n        - b\n\n    ```sh\n    make\n    ```"
    text = f'# Build\n=== "Linux"\n\n{inner}\n\nEnd.'
    loaded = read(text)
    assert [(s.headings, s.anchor) for s in loaded.sections] == [
        (("Build", "Steps"), "steps"),
        (("Build",), "build"),
    ]
    assert words(text) == "Linux:\n- a\n  - b\n\n```\nmake\n```\n--\nEnd."


def test_an_aside_of_a_notion_page_is_read_as_markdown() -> None:
    assert words("<aside>\n💡 Change your **PIN**.\n\n</aside>\n\nMore.") == (
        "💡 Change your PIN.\n\nMore."
    )


@pytest.mark.parametrize(
    ("heading", "title", "anchor"),
    [
        ("## Rolling back {#rollback}", "Rolling back", "rollback"),
        ("## Rights { #access .foo }", "Rights", "access"),
        ("## Rights {: #access}", "Rights", "access"),
        ("## Rights {.foo}", "Rights", "rights"),
        ("Rights {#access}\n-----", "Rights", "access"),
        ("## Sets {a, b}", "Sets {a, b}", "sets-a-b"),
    ],
)
def test_headings_may_name_their_anchor(heading: str, title: str, anchor: str) -> None:
    (section,) = read(f"{heading}\n\nx").sections
    assert (section.headings, section.anchor) == ((title,), anchor)


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("See [it](https://a.example/x){target=_blank .big}.", "See it (https://a.example/x)."),
        ("{: .lead }\nWords.", "Words."),
        ("[TOC]\n\nWords.", "Words."),
        ('{% include "a.md" %}\n\nWords.', "Words."),
        ("<A>\n    x\n</A>\n\n    code", "x\n\n```\ncode\n```"),
        ("Words <Icon name='a' /> here, {/* no */} there.", "Words here, there."),
        ("Sets {1, 2} and {{ value }}.", "Sets {1, 2} and {{ value }}."),
        ("Use {% if x %} in templates.", "Use {% if x %} in templates."),
        ("Inline $a_1 * b_2 * c$ ends.", "Inline $a_1 * b_2 * c$ ends."),
        ("From $5 to $10, or US$7 *each*.", "From $5 to $10, or US$7 each."),
        ("$$\na_1 * b_2\n- c\n$$", "$$ a_1 * b_2 - c $$"),
        (r"Inline \(a_1 * b_2 * c\) ends.", r"Inline \(a_1 * b_2 * c\) ends."),
        ("Text[^1].\n\n[^1]: Onlyword", "Text[^1].\n\n[^1]: Onlyword"),
        ("3. three\n4. four", "3. three\n4. four"),
        ("![The pump](p.png){ width=300 }", "The pump"),
        ('```js title="a.js"\nx\n```', "a.js:\n```\nx\n```"),
        ("a ::: b\n\n1 == 1", "a ::: b\n\n1 == 1"),
        ("```\n:::note\n!!! x\n```", "```\n:::note\n!!! x\n```"),
    ],
)
def test_marks_are_left_out_and_words_are_kept(text: str, read_as: str) -> None:
    assert words(text) == read_as


MDX = (
    "import Tabs from '@theme/Tabs';\nimport {\n  A,\n} from './a';\n\n"
    "export const rows = [\n  1,\n];\n\n# Page\n\n<div style={{color: 'red'}}>\n\nRed *words*.\n\n"
    "</div>\n\n<Chart data={rows} />\n\n{/* a\n   note */}\n\nTwo{' '}words."
)


def test_mdx_is_read_without_its_code() -> None:
    assert words(MDX, "a.mdx") == "Red words.\n\nTwo words."


def test_lines_about_imports_are_text_where_they_are_no_code() -> None:
    assert words("import duties rise.\n\nexport duties fall.") == (
        "import duties rise.\n\nexport duties fall."
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["word ", "$a ", "{/*", '<A "', "[a](b ", "*a*{.x ", "!!! ", "\\("]
)
def test_a_line_of_hundreds_of_kilobytes_is_read(unit: str) -> None:
    assert words("start " + unit * (300_000 // len(unit))).startswith("start ")
