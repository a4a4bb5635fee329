"""A channel in which people ask, rate and review, one thing after the other."""

from __future__ import annotations

from itertools import count
from typing import Any

from bot.app.bot import Bot
from bot.review.document_lookup import DocumentLookup
from tests.bot.conftest import House, settled
from tests.fakes import SentenceAnswerer
from tests.slack_forms import press, press_at_home, submission
from tests.slack_server import BOT_USER, click, event, mention, reaction

Json = dict[str, Any]

LEAVE = "How many days of paid leave do I have?"
CUP = "Who won the cup?"
"""What no document answers."""


class Story:
    """Delivers what people do and waits until all of it is done."""

    def __init__(self, house: House, bot: Bot) -> None:
        self.house, self.bot, self.slack = house, bot, house.slack
        self.done = 0
        self._ids = count(1)

    async def send(self, body: Json, *, jobs: int = 1) -> None:
        assert (await self.slack.deliver(body)).is_acked
        self.done += jobs
        await settled(self.bot, done=self.done)

    async def ask(self, text: str, *, user: str = "U1", channel: str = "C1") -> tuple[Json, str]:
        """The message that answers, and the id of its turn."""
        n = next(self._ids)
        await self.send(event(mention(text, ts=f"1.{n}", user=user, channel=channel), f"Ev{n}"))
        message = self.slack.posted(channel)[-1]
        turn_id = self.bot.log.turn_shown_in(channel, message["ts"])
        assert turn_id is not None
        return message, turn_id

    async def reply(self, text: str, *, user: str, jobs: int = 1) -> None:
        """A person's message in the thread of the first question."""
        ts = f"5.{next(self._ids)}"
        self.slack.add_message("C1", ts, text, user, thread_ts="1.1")
        said = {"type": "message", "channel": "C1", "channel_type": "channel", "user": user}
        body = event({**said, "text": text, "ts": ts, "thread_ts": "1.1"}, f"Sa{ts}")
        await self.send(body, jobs=jobs)

    async def rate(self, turn_id: str, verdict: str, *, user: str = "U1") -> str:
        """A click on a thumb; the trigger that it came with."""
        trigger = f"vote{next(self._ids)}"
        button = {"action_id": "rate_answer", "value": f"{verdict}:{turn_id}"}
        await self.send(click(button, trigger_id=trigger, user=user))
        return trigger

    async def react(self, name: str, message: Json, *, user: str = "U1", **more: Any) -> None:
        reacted = reaction(name, message, channel="C1", user=user, **more)
        await self.send(event(reacted, f"Re{next(self._ids)}"))

    async def send_unheard(self, name: str, message: Json) -> None:
        """A reaction that asks nothing of the bot."""
        reacted = reaction(name, message, channel="C1")
        await self.send(event(reacted, f"Re{next(self._ids)}"), jobs=0)

    async def press(self, name: str, value: str, *, user: str = "U1") -> None:
        """A click on a button of a message."""
        await self.send(press(name, value, trigger_id=f"p{next(self._ids)}", user=user))

    async def press_home(self, name: str, value: str, *, user: str = "U9", jobs: int = 1) -> None:
        trigger = f"h{next(self._ids)}"
        await self.send(press_at_home(name, value, trigger_id=trigger, user=user), jobs=jobs)

    async def submit(self, filled: Json, *, user: str = "U1", jobs: int = 1) -> None:
        """Send the modal that was opened last."""
        (*_, view) = self.slack.views.values()
        sent = submission(view, filled, trigger_id=f"s{next(self._ids)}", user=user)
        await self.send(sent, jobs=jobs)

    async def open_home(self, user: str) -> str:
        """All that App Home says to somebody."""
        opened = {"type": "app_home_opened", "user": user, "channel": "D1", "tab": "home"}
        await self.send(event(opened, f"Ho{next(self._ids)}"))
        return str(self.slack.homes[user])

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return list(self.bot.inbox.database.connection.execute(sql, values).fetchall())


async def story(
    house: House,
    answerer: SentenceAnswerer | None = None,
    *,
    documents: DocumentLookup | None = None,
    **settings: Any,
) -> Story:
    """A story whose experts' expert is U9, unless the settings say otherwise."""
    chosen = house.settings(**{"experts": ("U9",), **settings})
    return Story(house, await house.start(answerer, settings=chosen, documents=documents))


def human(ts: str, user: str = "U2") -> Json:
    """What a reaction needs to know of a person's message."""
    return {"ts": ts, "user": user}


def ours(message: Json) -> Json:
    return {"ts": message["ts"], "user": BOT_USER}
