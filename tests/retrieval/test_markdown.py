from __future__ import annotations

from retrieval.markdown import quoted


def test_what_markdown_or_html_would_heed_is_taken_as_it_is() -> None:
    assert quoted("# <b>Ada</b>\n\n[1](x) | *y*") == (
        "\\# &lt;b&gt;Ada&lt;/b&gt; \\[1\\]\\(x\\) \\| \\*y\\*"
    )
