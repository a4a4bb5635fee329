from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bot.outgoing.mentions import defang

MENTIONS = ("<!channel>", "<!here|here>", "<@U123>", "<#C1|general>", "<!subteam^S1>", "@here")


def test_no_mention_survives() -> None:
    for mention in MENTIONS:
        assert mention not in defang(f"ask {mention}, now")


def test_links_and_addresses_stay_as_they_are() -> None:
    text = "see <https://a.example|A>, mail ann@example.com, a < b"
    assert defang(text) == text


@given(st.lists(st.sampled_from((*MENTIONS, "<", "!", "@", "here", "channel", " ")), max_size=9))
def test_nothing_that_slack_reads_as_a_mention_can_be_put_together(parts: list[str]) -> None:
    blocks = [{"type": "markdown", "text": "".join(parts)}]
    said = json.dumps(defang(blocks))
    assert not any(start in said for start in ("<!", "<@", "<#"))
    assert not any(word in said for word in ("@here", "@channel"))
