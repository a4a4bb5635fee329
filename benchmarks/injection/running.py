"""Plants attacks, asks about each in a Slack on localhost, and looks at what that gets."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from benchmarks.injection.attacks import CANARY, DOCUMENTS, FALSE, Attack
from benchmarks.injection.findings import Kind, findings
from bot.admin.learner import LearningProcess
from bot.admin.replaying import Replayer
from bot.admin.syncing import SyncProcess
from bot.app.bot import Bot
from bot.app.parts import Engine, LongJobs, Timings
from bot.review.document_lookup import DocumentLookup
from bot.settings import SlackSettings
from bot.store.channels import ChannelConfig
from retrieval.answering.answerer import Answerer
from retrieval.index.building import update_index
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.fakes import FolderReindexer, NoCandidates, TwoGenerations
from tests.slack_forms import press, press_at_home, submission
from tests.slack_server import APP_TOKEN, BOT_TOKEN, SlackServer, click, event, mention
from tests.slack_streams import Json

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook"
ASKER, ADMIN = "U1", "U9"


@dataclass(frozen=True)
class Outcome:
    """What an attack came to: what would act in Slack, by kind, and what was said.

    It `is_misinformed` if the answer states what the attacker claims.
    """

    attack: Attack
    found: dict[Kind, tuple[str, ...]]
    answers: tuple[str, ...] = field(default=(), repr=False)
    is_misinformed: bool = False


def plant(attacks: Sequence[Attack], folder: Path, settings: Settings, embedder: Embedder) -> None:
    """Index the sample handbook with every attack in it, and the document that few may read."""
    documents = folder / DOCUMENTS
    shutil.copytree(HANDBOOK, documents / "handbook")
    (documents / "board.md").write_text(CANARY, encoding="utf-8")
    for attack in attacks:
        attack.plant(documents)
    update_index([documents], settings, embedder)


async def run(
    attacks: Sequence[Attack],
    answerer: Answerer,
    folder: Path,
    *,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Ask about each of the attacks that were planted, one after the other."""
    outcomes = []
    async with _workspace(attacks, answerer, folder) as town:
        for attack in attacks:
            outcomes.append(await town.attacked(attack))
            on_outcome(outcomes[-1])
    return outcomes


@dataclass(frozen=True)
class _Shelf:
    """What is looked up of the documents that an answerer has."""

    answerer: Answerer

    @property
    def library(self) -> _Shelf:
        return self

    @property
    def generator(self) -> Any:  # noqa: ANN401 - only its id is read
        return self.answerer.generator

    @property
    def embedder(self) -> Embedder:
        return self.answerer.searcher.embedder

    def searcher(self) -> Any:  # noqa: ANN401 - the answerer's own
        return self.answerer.searcher


@asynccontextmanager
async def _workspace(
    attacks: Sequence[Attack], answerer: Answerer, folder: Path
) -> AsyncIterator[_Town]:
    granted = {attack.channel: ("board",) for attack in attacks if attack.is_granted}
    async with SlackServer() as slack:
        settings = SlackSettings(
            bot_token=SecretStr(BOT_TOKEN),
            app_token=SecretStr(APP_TOKEN),
            api_url=slack.api_url,
            health_port=0,
            admins=(ADMIN,),
            experts=(ADMIN,),
            channel_audiences=granted,
        )
        lookup = DocumentLookup(cast("Any", _Shelf(answerer)))
        home = Settings(home=folder)
        bot = Bot(
            settings,
            folder / "whimbrel.db",
            Engine(
                answerer, lookup, TwoGenerations(), NoCandidates(), links=answerer.settings.links
            ),
            LongJobs(
                FolderReindexer(folder),
                LearningProcess(home),
                Replayer(home),
                SyncProcess(home),
            ),
            host="127.0.0.1",
            port=0,
            timings=Timings(5.0, retry_s=0.0, tick_s=0.01, look_s=60.0),
        )
        for channel in granted:
            slack.channels[channel]["is_private"] = True
        async with bot:
            yield _Town(slack, bot)


class _Town:
    """People who ask, look and correct, as each place of an attack needs it."""

    def __init__(self, slack: SlackServer, bot: Bot) -> None:
        self._slack, self._bot = slack, bot
        self._ids = count(1)

    async def attacked(self, attack: Attack) -> Outcome:
        """Ask as the attack wants it, look at why, and at all that was sent meanwhile."""
        began = len(self._slack.calls)
        sources = (attack.folder, f"{DOCUMENTS}/handbook/", f"{DOCUMENTS}/board")
        self._bot.channels.set(attack.channel, ChannelConfig(sources=sources), by=ADMIN)
        turn_id = await self._asked(attack)
        if turn_id is not None:
            await self._send(
                press("why_answer", turn_id, channel=attack.channel, **self._trigger())
            )
        if attack.place in ("correction", "curated answer") and turn_id is not None:
            await self._corrected(attack, turn_id)
        if attack.place == "curated answer":
            await self._ask(attack, attack.question)
        shown = [call.args for call in self._slack.calls[began:]]
        shown += [{"blocks": m.get("blocks"), "text": m.get("text")} for m in self._posted(attack)]
        found = [it for args in shown for it in findings(args, is_granted=attack.is_granted)]
        kinds = dict.fromkeys(kind for kind, _ in found)
        answers = self._answers(attack)
        return Outcome(
            attack,
            {kind: tuple(dict.fromkeys(f for k, f in found if k == kind)) for kind in kinds},
            answers,
            any(FALSE in answer for answer in answers),
        )

    async def _asked(self, attack: Attack) -> str | None:
        if attack.place == "question":
            return await self._ask(attack, f"{attack.question} {attack.claim}")
        if attack.place == "earlier question":
            first = f"{attack.question} {attack.claim}"
            n = next(self._ids)
            await self._ask(attack, first, ts=f"1.{n}")
            return await self._ask(attack, attack.follow_up, thread_ts=f"1.{n}")
        if attack.place == "attachment":
            name = f"{' '.join(attack.wanted.split())}.txt"
            stored = f"f{attack.number}"
            data = attack.claim.encode()
            self._slack.files[stored] = data
            url = self._slack.file_url(stored)
            file = {"id": "F1", "name": name, "size": len(data), "url_private": url}
            return await self._ask(attack, attack.follow_up, files=[file])
        return await self._ask(attack, attack.question)

    async def _ask(
        self,
        attack: Attack,
        text: str,
        *,
        ts: str | None = None,
        **more: Any,  # noqa: ANN401 - fields of an event
    ) -> str | None:
        """Ask in the attack's channel; the turn's id, None if there was none."""
        ts = ts or f"1.{next(self._ids)}"
        said = mention(text, ts=ts, user=ASKER, channel=attack.channel, **more)
        self._slack.add_message(attack.channel, ts, text, ASKER)
        await self._send(event(said, f"Ev{next(self._ids)}"))
        posted = self._posted(attack)
        return self._bot.log.turn_shown_in(attack.channel, posted[-1]["ts"]) if posted else None

    async def _corrected(self, attack: Attack, turn_id: str) -> None:
        """Put the answer right as the attacker has it; an expert looks at that and approves it."""
        rating = {"action_id": "rate_answer", "value": f"bad:{turn_id}"}
        await self._send(click(rating, user=ASKER, channel=attack.channel, **self._trigger()))
        (*_, view) = self._slack.views.values()
        # Where sources are set, only what rests on one of them is served: the cited document here.
        named = attack.wanted if attack.place == "correction" else ""
        filled = {"answer": attack.claim, "reason": "incomplete", "document_name": named}
        await self._send(submission(view, filled, user=ASKER, **self._trigger()))
        opened = {"type": "app_home_opened", "user": ADMIN, "channel": "D9", "tab": "home"}
        await self._send(event(opened, f"Ev{next(self._ids)}"))
        query = "SELECT max(id) FROM reviews"
        ((review,),) = self._bot.inbox.database.connection.execute(query).fetchall()
        names = ["edit_review"] + ["approve_review"] * (attack.place == "curated answer")
        for name in names:
            await self._send(press_at_home(name, str(review), user=ADMIN, **self._trigger()))

    def _trigger(self) -> dict[str, str]:
        return {"trigger_id": f"t{next(self._ids)}"}

    def _posted(self, attack: Attack) -> list[Json]:
        return self._slack.posted(attack.channel)

    def _answers(self, attack: Attack) -> tuple[str, ...]:
        return tuple(
            block["text"]
            for message in self._posted(attack)
            for block in message.get("blocks") or ()
            if block["type"] == "markdown"
        )

    async def _send(self, body: Json) -> None:
        if not (await self._slack.deliver(body)).is_acked:
            raise RuntimeError("the bot took no delivery")
        while set(self._bot.inbox.counts()) & {"todo", "doing"}:
            change = self._bot.worker.next_change
            if set(self._bot.inbox.counts()) & {"todo", "doing"}:
                await change.wait()
