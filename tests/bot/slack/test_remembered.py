from __future__ import annotations

from bot.slack.remembered import Remembered


async def test_what_changes_while_slack_is_asked_is_asked_again() -> None:
    remembered: Remembered[str] = Remembered(60)
    says = ["before", "after"]

    async def slack() -> str:
        if len(says) == 2:
            remembered.forget("U1")
        return says.pop(0)

    assert await remembered.ask("U1", slack) == "after"
    assert await remembered.ask("U1", slack) == "after"


async def test_what_slack_does_not_say_is_asked_again() -> None:
    remembered: Remembered[str] = Remembered(60)
    says = [None, "now"]

    async def slack() -> str | None:
        return says.pop(0)

    assert await remembered.ask("U1", slack) is None
    assert await remembered.ask("U1", slack) == "now"
