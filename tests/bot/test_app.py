"""The whole bot against a Slack on localhost."""

from __future__ import annotations

from tests.bot.conftest import House
from tests.slack_server import event, mention


async def test_a_mention_is_answered_in_its_thread_with_citations(each_transport: House) -> None:
    slack = each_transport.slack
    await each_transport.start()
    asked = mention("How many days of paid leave are there?", ts="1700000000.000001")
    delivered = await slack.deliver(event(asked, "Ev1"))
    assert delivered.is_acked
    await slack.until(lambda: len(slack.called("chat.update")) == 1)
    (answer,) = slack.posted("C1")
    assert answer["thread_ts"] == asked["ts"]
    assert "30 days" in answer["blocks"][0]["text"]
    assert "<https://docs.example/Leave|Leave &gt; Rules>, p. 3" in str(answer["blocks"])
