from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bot.slack.outgoing.mentions import defang, tagging

MENTIONS = ("<!channel>", "<!here|here>", "<@U123>", "<#C1|general>", "<!subteam^S1>", "@here")


def test_no_mention_survives() -> None:
    for mention in MENTIONS:
        assert mention not in defang(f"ask {mention}, now")


def test_links_and_addresses_stay_as_they_are() -> None:
    text = "see <https://a.example|A>, mail ann@example.com, a < b"
    assert defang(text) == text


def test_only_the_people_who_are_to_be_asked_are_tagged() -> None:
    content = {"text": "Help?", "blocks": [{"type": "divider"}]}
    tagged = tagging(["U1", "channel", "W2"], content)
    assert tagged["text"] == "<@U1> <@W2> Help?"
    assert tagged["blocks"][0]["text"]["text"] == "<@U1> <@W2>"
    assert tagging(["!here"], content) == content


@given(st.lists(st.sampled_from((*MENTIONS, "<", "!", "@", "here", "channel", " ")), max_size=9))
def test_nothing_that_slack_reads_as_a_mention_can_be_put_together(parts: list[str]) -> None:
    blocks = [{"type": "markdown", "text": "".join(parts)}]
    said = json.dumps(defang(blocks))
    assert not any(start in said for start in ("<!", "<@", "<#"))
    assert not any(word in said for word in ("@here", "@channel"))


def test_hidden_characters_go_and_only_written_links_are_links() -> None:
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "a\u202eb evil.example"}}
    shown = {"type": "mrkdwn", "text": "ab evil.example", "verbatim": True}
    assert defang([block]) == [{"type": "section", "text": shown}]
    assert defang(defang([block])) == defang([block])
