"""What Whimbrel looks like in Slack, as text: `python -m examples.threads`.

It reads the sample handbook, starts the bot against a Slack on localhost, asks, follows up and
clicks, and prints every thread as people would see it. With WHIMBREL_GENERATOR=none the documents
are quoted, which takes seconds.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import SecretStr

from bot.app.bot import Bot
from bot.app.commands import make_engine, make_jobs
from bot.settings import SlackSettings
from bot.slack.incoming.interactions import FEEDBACK_ACTION
from bot.store.channels import ChannelConfig
from examples.rendering import Json, render, render_view
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.search.embedding import Embedder
from retrieval.serving.live import Live
from retrieval.serving.model_loader import InstalledModels
from retrieval.settings import Settings, load_settings
from tests.slack_forms import press_at_home
from tests.slack_server import (
    APP_TOKEN,
    BOT_TOKEN,
    BOT_USER,
    TEAM,
    SlackServer,
    direct_message,
    event,
    mention,
    slash,
)

HANDBOOK = Path(__file__).parent / "handbook"
NAMES = {"U1": "Mara", "U2": "林晓", "U7": "Ines", BOT_USER: "Whimbrel"}
CHANNELS = {"C1": "#people", "D1": "Mara's messages with Whimbrel", "D2": "林晓与 Whimbrel 的私信"}

T = TypeVar("T")


class Stage:
    """A workspace with the bot in it, and what people do there."""

    def __init__(self, slack: SlackServer, bot: Bot) -> None:
        self._slack = slack
        self._bot = bot
        self._ids = count(1)
        self._done = 0

    async def mention(self, text: str, *, thread_ts: str | None = None) -> Json:
        """Ask in the channel; the answer."""
        return await self._asked("C1", mention(text, **self._times(thread_ts)))

    async def write(self, text: str, *, user: str) -> Json:
        """Ask in a direct message; the answer."""
        channel = user.replace("U", "D", 1)
        return await self._asked(channel, direct_message(text, user=user, **self._times(None)))

    async def ask(self, text: str) -> Json:
        """Ask with /ask; the answer."""
        url = self._slack.response_url("ask")
        body = slash("/ask", text, trigger_id=f"T{next(self._ids)}", url=url)
        await self._deliver(body)
        return self._slack.responses["ask"][-1]

    async def click(self, message: Json, action_id: str, *, kind: str = "button") -> None:
        """Click on a button of a message in the channel."""
        await self._deliver(
            {
                "type": "block_actions",
                "team": {"id": TEAM},
                "user": {"id": "U1"},
                "channel": {"id": "C1"},
                "trigger_id": f"T{next(self._ids)}",
                "response_url": self._slack.response_url("click"),
                "container": {"message_ts": message.get("ts"), "is_ephemeral": "ts" not in message},
                "message": message if "ts" in message else None,
                "actions": [
                    {"type": kind, "action_id": action_id, "value": _value(message, action_id)}
                ],
            }
        )

    async def reply(self, text: str, *, user: str, thread_ts: str) -> Json:
        """Write into a thread that the bot found no answer for; what the asker alone then sees."""
        message = {"type": "message", "channel": "C1", "user": user, "text": text}
        message |= self._times(thread_ts)
        self._slack.messages["C1"].append(message)
        await self._deliver(event(message, f"Ev{next(self._ids)}"), jobs=2)
        return self._slack.called("chat.postEphemeral")[-1]

    async def home(self, user: str) -> Json:
        """App Home, as somebody sees it who opens it."""
        opened = {"type": "app_home_opened", "user": user, "tab": "home"}
        await self._deliver(event(opened, f"Ev{next(self._ids)}"))
        return self._slack.homes[user]

    async def click_home(self, user: str, action_id: str) -> None:
        """Click on a button in App Home."""
        value = _value(self._slack.homes[user], action_id)
        trigger = f"T{next(self._ids)}"
        await self._deliver(press_at_home(action_id, value, trigger_id=trigger, user=user))

    def latest(self, channel: str) -> Json:
        """The bot's latest message in a channel."""
        return self._slack.posted(channel)[-1]

    def modal(self) -> Json:
        """The modal that was opened last, as it is now."""
        return list(self._slack.views.values())[-1]

    def _times(self, thread_ts: str | None) -> dict[str, str]:
        times = {"ts": f"16000000{next(self._ids):02d}.000001"}
        return times if thread_ts is None else times | {"thread_ts": thread_ts}

    async def _asked(self, channel: str, message: Json) -> Json:
        self._slack.messages[channel].append(message)
        await self._deliver(event(message, f"Ev{next(self._ids)}"))
        return self.latest(channel)

    async def _deliver(self, body: Json, *, jobs: int = 1) -> None:
        await self._slack.deliver(body)
        self._done += jobs
        while self._bot.inbox.counts() != {"done": self._done}:
            await self._bot.worker.next_change.wait()


def _value(message: Json, action_id: str) -> str:
    for block in message["blocks"]:
        for element in block.get("elements", ()):
            if element.get("action_id") == action_id:
                button = element.get("negative_button", element)
                return str(button["value"])
    raise LookupError(f"the message has no button {action_id}")


def say(who: str, text: str, *, depth: int = 0) -> None:
    """Print what a person writes or does."""
    click.echo(f"{'    ' * depth}{click.style(who, bold=True)}  {text}")


def show(lines: list[str], *, who: str = "Whimbrel", depth: int = 1) -> None:
    """Print what appears."""
    click.echo(f"{'    ' * depth}{click.style(who, bold=True)}")
    for line in lines:
        click.echo(f"{'    ' * depth}  {line}".rstrip())
    click.echo()


async def play(stage: Stage) -> None:
    """Ask, follow up and click, and print what is to be seen."""

    def answered(message: Json, *, who: str = "Whimbrel") -> None:
        show(render(message, NAMES), who=who)

    heading("#people: a mention, and a follow-up in its thread")
    question = "How many days of annual leave do I get?"
    say("Mara", f"@Whimbrel {question}")
    first = await stage.mention(question)
    answered(first)
    more = "And how many of them can I carry over?"
    say("Mara", f"@Whimbrel {more}", depth=1)
    answered(await stage.mention(more, thread_ts=first["thread_ts"]))

    heading("Mara clicks on “Why this answer?”")
    await stage.click(first, "why_answer")
    show(render_view(stage.modal(), NAMES), who="a modal opens")

    heading("Mara clicks on 👎")
    await stage.click(first, FEEDBACK_ACTION, kind="feedback_buttons")
    show(render_view(stage.modal(), NAMES), who="a modal opens; the vote counts already")

    heading("#people: nothing in the documents")
    question = "What is the wifi password of the Lisbon office?"
    say("Mara", f"@Whimbrel {question}")
    answered(abstention := await stage.mention(question))
    say("Mara", "clicks on “Ask an expert”", depth=1)
    await stage.click(abstention, "ask_expert")
    answered(stage.latest("C1"))

    say("Ines", reply := "It is on the card at the reception; it changes every Monday.", depth=1)
    note = await stage.reply(reply, user="U7", thread_ts=abstention["thread_ts"])
    answered(note, who="Whimbrel (only Mara sees this)")
    say("Mara", "clicks on “Yes, that answers it”", depth=1)
    await stage.click(note, "accept_reply")
    click.echo()

    heading("Ines opens App Home and approves")
    show(render_view(await stage.home("U7"), NAMES), who="App Home")
    await stage.click_home("U7", "approve_review")
    again = "what's the wifi password in the Lisbon office"
    say("Mara", f"@Whimbrel {again}")
    answered(await stage.mention(again))

    heading("#people: /ask, for Mara's eyes only, then shared")
    question = "By which day of the month must I hand in an expense claim?"
    say("Mara", f"/ask {question}")
    private = await stage.ask(question)
    answered(private, who="Whimbrel (only Mara sees this)")
    say("Mara", "clicks on “Share here”")
    await stage.click(private, "share_answer")
    answered(stage.latest("C1"))

    heading("林晓与 Whimbrel 的私信")
    question = "电脑丢失后要在多长时间内报告？"
    say("林晓", question)
    answered(await stage.write(question, user="U2"))


def heading(text: str) -> None:
    """Print what comes next."""
    click.secho(f"── {text} " + "─" * max(0, 90 - len(text)), fg="cyan")


async def perform(play: Callable[[Stage], Awaitable[T]], settings: Settings) -> T:
    """Load everything, start the bot, play, and stop it; what the play returns."""
    embedder = Embedder.load(settings)
    library = Library(settings, embedder)
    update_index([settings.home / "handbook"], settings, embedder)
    live = Live(settings, library, InstalledModels(settings))
    async with SlackServer() as slack:
        slack_settings = SlackSettings(
            bot_token=SecretStr(BOT_TOKEN),
            app_token=SecretStr(APP_TOKEN),
            api_url=slack.api_url,
            health_port=0,
        )
        engine, jobs = make_engine(live), make_jobs(settings, library)
        bot = Bot(slack_settings, settings.database_file, engine, jobs)
        async with bot:
            slack.users["U7"]["real_name"] = NAMES["U7"]
            bot.channels.set("C1", ChannelConfig(experts=("U7",)), by="U7")
            return await play(Stage(slack, bot))


def on_stage(play: Callable[[Stage], Awaitable[T]], *, age_s: float = 0) -> T:
    """Perform in a folder of its own, on a handbook that was changed so long ago."""
    logging.basicConfig(level=logging.ERROR)
    settings = load_settings()
    settings.models_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "models").symlink_to(settings.models_folder.resolve())
        shutil.copytree(HANDBOOK, home / "handbook")
        for path in (home / "handbook").rglob("*"):
            os.utime(path, times=(time.time() - age_s,) * 2)
        values: dict[str, Any] = {"home": home}
        return asyncio.run(perform(play, settings.model_copy(update=values)))


if __name__ == "__main__":
    on_stage(play)
