"""Who is shown what: people × places × labels × surfaces, with canaries in all that is restricted.

Everything that leaves for Slack is put down to whoever it was shown to, and searched.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count, product
from pathlib import Path
from typing import Any

import pytest

from bot.admin.report_files import save_report
from bot.admin.reporting import make_report
from bot.app.bot import Bot
from bot.export.exporting import export_log
from bot.export.records import Policy
from bot.replay.files import save as save_replay
from bot.replay.logged import read_logged
from bot.replay.replaying import replay
from bot.slack.audience import Holdings
from bot.slack.incoming.interactions import ASK_EXPERT, KEEP, SHARE, WHY
from bot.store.channels import ChannelConfig
from bot.store.database import Database
from bot.store.period import read_period
from retrieval.records import PUBLIC, Answer, AnswerRequest, Passage, Source
from retrieval.settings import Settings
from tests.bot.conftest import House
from tests.fakes import SentenceAnswerer, SentenceDocuments, TwoGenerations, passage
from tests.retrieval.word_embedder import WordEmbedder
from tests.slack_asking import shortcut
from tests.slack_forms import press_at_home, submission
from tests.slack_server import TEAM, Call, direct_message, event, mention, reaction, slash

Json = dict[str, Any]

ALL, QUIET, TEAM_ROOM, SHARED, PLAIN = "C1", "C2", "G1", "C7", "G2"
"""A public channel, one where only askers see their answers, and three that are private.

The first of these may read `hr`, the second is shared with another company."""
GRANTED, MEMBER, OUTSIDER, GUEST = "U1", "U2", "U3", "U4"
ROOM_EXPERT, TEAM_EXPERT, EXPERT, ADMIN = "U5", "U6", "U8", "U9"
"""Experts of the public channel, of the private one, and of all, as MEMBER is too; an admin."""
PEOPLE = (GRANTED, MEMBER, OUTSIDER, GUEST, ROOM_EXPERT, TEAM_EXPERT, EXPERT, ADMIN)
MEMBERS = {
    ALL: PEOPLE,
    QUIET: PEOPLE,
    TEAM_ROOM: (GRANTED, MEMBER, TEAM_EXPERT),
    SHARED: (GRANTED, OUTSIDER, GUEST),
    PLAIN: (GRANTED, MEMBER),
}

BAND, GATE, ATTIC = (
    "What is the band of engineers?",
    "What is the code of the gate?",
    "Who keeps the attic key?",
)
CUP, BOAT, TRAIN, LAMP, WINE = (
    "Who won the cup dmasked yesterday?",
    "Who rowed the boat askasked there?",
    "When leaves the train teamasked tonight?",
    "Where hangs the lamp roomasked outside?",
    "Which wine goes with openly fish?",
)
"""What no document answers, asked in direct messages, with /ask, in two private rooms, for all."""
QUESTIONS = (BAND, GATE, ATTIC, CUP, BOAT, TRAIN, LAMP, WINE)

COMMANDS = ("report", "status", "models", "trial", "access", f"access <@{GRANTED}>")

_TRIGGERS = count()


def documents(*, gate: str = PUBLIC, has_attic: bool = True) -> list[Passage]:
    found = [
        passage("Ospreytitle", "The band of engineers is ospreyband.", audience="hr"),
        passage("Gatetitle", "The code of the gate is gatecode.", audience=gate),
        passage("Attictitle", "The attic key is with atticword."),
    ]
    return found if has_attic else found[:-1]


class Library(SentenceAnswerer):
    """Answers from documents that a test may change."""

    def __init__(self, held: SentenceDocuments) -> None:
        super().__init__()
        self._held = held

    def answer(self, request: AnswerRequest, **rest: Any) -> Answer:
        self.passages = self._held.passages
        answer = super().answer(request, **rest)
        near = tuple(hit.passage for hit in answer.hits if hit.score)
        return replace(answer, nearest=() if answer.citations else near)


class HeldDocuments(TwoGenerations):
    """An installation of the documents that a test may change."""

    def __init__(self, held: SentenceDocuments) -> None:
        super().__init__()
        self._held = held

    def sources(self) -> list[Source]:
        return [held.source for held in self._held.passages]


class Town:
    """People who ask, click and look, and what each of them is shown, by person and place."""

    def __init__(self, house: House, held: SentenceDocuments) -> None:
        self.house, self.slack, self.held = house, house.slack, held
        self.bot: Bot
        self._ids = count(1)
        self._triggers: dict[str, tuple[str, str]] = {}
        self.pressed: set[str] = set()
        self.threads: list[tuple[str, str, str]] = []
        self._looked_at = 0
        self._answered: dict[str, int] = defaultdict(int)

    async def serve(self, *, held_at_sources: Holdings = lambda _: (), **settings: Any) -> Bot:
        chosen = self.house.settings(
            experts=(EXPERT, MEMBER),
            admins=(ADMIN,),
            channel_audiences={TEAM_ROOM: ("hr",), SHARED: ("hr",)},
            **settings,
        )
        self.bot = self.house.bot(
            Library(self.held),
            settings=chosen,
            documents=self.held,
            installation=HeldDocuments(self.held),
            held_at_sources=held_at_sources,
        )
        return self.bot

    async def send(self, body: Json) -> None:
        assert (await self.slack.deliver(body)).is_acked
        await self.calm()

    async def calm(self) -> None:
        while set(self.bot.inbox.counts()) & {"todo", "doing"}:
            change = self.bot.worker.next_change
            if set(self.bot.inbox.counts()) & {"todo", "doing"}:
                await change.wait()

    async def ask(self, text: str, user: str, where: str, *, after: str | None = None) -> str:
        """The ts of the message that asked, below `after` if that is given."""
        n = next(self._ids)
        thread = {"thread_ts": after} if after else {}
        if where == "ask":
            url = self.slack.response_url(f"{user}@{ALL} {n}")
            trigger = f"slash{n}"
            await self.send(slash("/ask", text, trigger_id=trigger, url=url, user=user))
        elif where == "dm":
            said = direct_message(text, ts=f"1.{n}", user=user, **thread)
            await self.send(event(said, f"Ev{n}"))
        else:
            said = mention(text, ts=f"1.{n}", user=user, channel=where, **thread)
            body = event(said, f"Ev{n}") | {"is_ext_shared_channel": where == SHARED}
            self.slack.add_message(where, f"1.{n}", text, user, **thread)
            await self.send(body)
        return f"1.{n}"

    async def follow_up(self) -> None:
        """What was said before in a thread goes into what is asked next there."""
        for user, where in ((GRANTED, "dm"), (MEMBER, TEAM_ROOM), (GRANTED, ALL)):
            first = await self.ask(BAND, user, where)
            self.threads.append((user, where, first))
        for user, where, first in self.threads:
            await self.ask("And who decides about that?", user, where, after=first)

    async def point_at(self, text: str) -> None:
        """Who may read more has another's message asked, by a reaction and by the shortcut."""
        n = next(self._ids)
        said = {"channel": ALL, "ts": f"8.{n}", "user": OUTSIDER, "text": text}
        self.slack.add_message(ALL, said["ts"], text, OUTSIDER)
        await self.send(event(reaction("bird", said, channel=ALL, user=GRANTED), f"Bi{n}"))
        url = self.slack.response_url(f"{GRANTED}@{ALL} {n}")
        await self.send(shortcut(said, trigger_id=f"point{n}", url=url, user=GRANTED))

    async def ask_everything(self) -> None:
        for question in QUESTIONS:
            for channel in MEMBERS:
                await self.ask(question, MEMBERS[channel][1], channel)
            for person in (GRANTED, MEMBER, OUTSIDER):
                await self.ask(question, person, "dm")
            for person in (GRANTED, MEMBER, GUEST, TEAM_EXPERT):
                await self.ask(question, person, "ask")
            await self.point_at(question)
        await self.follow_up()

    async def click(self, user: str, where: str, name: str, value: str, *, ts: str | None) -> None:
        self.pressed.add(name)
        trigger = self._trigger(user, where)
        channel = user.replace("U", "D") if where == "dm" else where
        body = {
            "type": "block_actions",
            "team": {"id": TEAM},
            "user": {"id": user},
            "channel": {"id": channel},
            "trigger_id": trigger,
            "response_url": self.slack.response_url(f"{user}@{where} {trigger}"),
            "container": {"message_ts": ts, "is_ephemeral": ts is None},
            "message": {"ts": ts} if ts else None,
            "actions": [{"type": "button", "action_id": name, "value": value}],
        }
        await self.send(body)

    async def click_everything(self) -> None:
        """Everybody clicks on every button that they have ever been shown."""
        for reader, messages in list(self._cards().items()):
            user, where = reader.split("@")
            for message in messages:
                for name, value in _buttons(message):
                    if name in ("delete_answer", "retry_question"):
                        continue
                    await self.click(user, where, name, value, ts=message.get("ts"))

    async def correct(self, question: str, answer: str, user: str, where: str) -> None:
        """The last answer to a question is rated down and put right."""
        ((turn_id,),) = self.rows(
            "SELECT id FROM turns WHERE question = ? AND asker = ? ORDER BY rowid DESC LIMIT 1",
            question,
            user,
        )
        await self.click(user, where, "rate_answer", f"bad:{turn_id}", ts=None)
        (*_, view) = self.slack.views.values()
        sent = submission(
            view, {"answer": answer}, trigger_id=self._trigger(user, where), user=user
        )
        await self.send(sent)

    async def approve_everything(self) -> None:
        for person in (*PEOPLE[3:], *PEOPLE[:3]):
            for (review,) in self.rows("SELECT id FROM reviews ORDER BY id"):
                for name in ("edit_review", "approve_review"):
                    trigger = self._trigger(person, "home")
                    await self.send(
                        press_at_home(name, str(review), trigger_id=trigger, user=person)
                    )
        while await self.bot.rechecker.check():
            await self.calm()

    async def look_at_home(self) -> None:
        for person in PEOPLE:
            opened = {"type": "app_home_opened", "user": person, "channel": "D1", "tab": "home"}
            await self.send(event(opened, f"Ho{next(self._ids)}"))

    async def command(self) -> None:
        for person, named in product((ADMIN, OUTSIDER), COMMANDS):
            n = next(self._ids)
            url = self.slack.response_url(f"{person}@{ALL} {n}")
            body = slash("/whimbrel", named, trigger_id=f"rep{n}", url=url, user=person)
            await self.send(body)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return list(self.bot.inbox.database.connection.execute(sql, values).fetchall())

    async def seen(self) -> dict[str, str]:
        """All that was shown to each person in each place since the last look."""
        shown: dict[str, list[str]] = defaultdict(list)
        for call in self.slack.calls[self._looked_at :]:
            for reader in self._readers(call):
                shown[reader].append(str(call.args))
        for key, answers in self.slack.responses.items():
            shown[key.split()[0]].extend(map(str, answers[self._answered[key] :]))
            self._answered[key] = len(answers)
        self._looked_at = len(self.slack.calls)
        for served in ELSEWHERE:
            for reader, text in (await served(self)).items():
                shown[reader].append(text)
        return {reader: " ".join(texts).lower() for reader, texts in shown.items()}

    def _readers(self, call: Call) -> Iterable[str]:
        args = call.args
        if call.method == "views.open":
            return ["@".join(self._triggers[args["trigger_id"]])]
        if call.method == "views.update":
            opened = dict(zip(self.slack.views, self.slack.called("views.open"), strict=True))
            return ["@".join(self._triggers[opened[args["view_id"]]["trigger_id"]])]
        if call.method == "views.publish":
            return [f"{args['user_id']}@home"]
        if call.method == "chat.postEphemeral":
            return [f"{args['user']}@{args['channel']}"]
        where = args.get("channel") or args.get("channel_id")
        if call.method.startswith(("chat.", "files.complete")) and where:
            return _readers_of(where)
        return []

    def _cards(self) -> dict[str, list[Json]]:
        cards: dict[str, list[Json]] = defaultdict(list)
        for channel, messages in self.slack.messages.items():
            for message in messages:
                # One of the people is enough; the label is that of the channel.
                reader = _readers_of(channel)[-1]
                cards[reader].append(message)
        for key, answers in self.slack.responses.items():
            cards[key.split()[0]] += answers
        for whispered in self.slack.called("chat.postEphemeral"):
            cards[f"{whispered['user']}@{whispered['channel']}"].append(whispered)
        return cards

    def _trigger(self, user: str, where: str) -> str:
        trigger = f"t{next(_TRIGGERS)}"
        self._triggers[trigger] = (user, where)
        return trigger


Served = Callable[[Town], Awaitable[dict[str, str]]]
ELSEWHERE: tuple[Served, ...] = ()
"""What is served outside of Slack: each asks for all of it as everybody who may, and gives what
each was shown, by `person@place`."""


def _readers_of(channel: str) -> list[str]:
    if channel[0] in "DU":
        return [f"U{channel[1:]}@dm"]
    return [f"{user}@{channel}" for user in MEMBERS[channel]]


def _buttons(message: Json) -> Iterable[tuple[str, str]]:
    for block in message.get("blocks", ()):
        for element in block.get("elements", ()):
            if element["type"] == "button":
                yield element["action_id"], element["value"]
            elif element["type"] == "feedback_buttons":
                yield element["action_id"], element["negative_button"]["value"]


def leaks(seen: dict[str, str], allowed: dict[str, str]) -> list[tuple[str, str]]:
    """Who was shown a canary and is not among its readers, given as patterns of person@place."""
    return [
        (canary, reader)
        for canary, readers in allowed.items()
        for reader, text in seen.items()
        if canary in text and not re.fullmatch(readers, reader)
    ]


OWN_TEAM = r"U[126]@G1|U6@home"
ASKED = {
    "dmasked": r"U2@.*",
    "askasked": r"U2@.*",
    "teamasked": OWN_TEAM + "|U2@home",
    "roomasked": r"U[12]@(G2|home)",
}
"""Words of questions, for whom they are until everybody asks them."""
BEFORE = {
    "ospreyband": r"U1@.*|" + OWN_TEAM,
    "ospreytitle": r"U1@.*|" + OWN_TEAM,
    "dmright": r"U2@.*",
    "askright": r"U2@.*",
    "roomright": r"U[12]@G2|U2@home",
    "teamright": OWN_TEAM,
    "teamreply": OWN_TEAM,
}
"""Who may be shown what, as a pattern of person and place."""
AFTER = BEFORE | {
    "ospreyband": OWN_TEAM,
    "ospreytitle": OWN_TEAM,
    "gatecode": OWN_TEAM,
    "gatetitle": OWN_TEAM,
    "atticword": r"(?!)",
}
"""The gate's document is for `hr` now, the attic's is gone, and nobody is granted `hr` by name."""


async def lived(town: Town) -> None:
    """What was restricted is asked for and put right in all kinds of places."""
    town.slack.channels[TEAM_ROOM]["is_private"] = True
    town.slack.channels[SHARED] |= {"is_private": True, "is_ext_shared": True}
    town.slack.users[GUEST]["is_restricted"] = True
    town.bot.channels.set(ALL, ChannelConfig(experts=(ROOM_EXPERT,)), by=ADMIN)
    town.slack.channels[PLAIN]["is_private"] = True
    town.bot.channels.set(PLAIN, ChannelConfig(experts=(MEMBER,)), by=GRANTED)
    town.bot.channels.set(QUIET, ChannelConfig(visibility="asker"), by=ADMIN)
    town.bot.channels.set(TEAM_ROOM, ChannelConfig(experts=(TEAM_EXPERT,)), by=MEMBER)
    for person in PEOPLE:
        for choice in ("set_learning", "news_on"):
            trigger = town._trigger(person, "home")
            await town.send(press_at_home(choice, "1", trigger_id=trigger, user=person))
    await town.ask(CUP, MEMBER, "dm")
    await town.correct(CUP, "It was dmright.", MEMBER, "dm")
    await town.ask(BOAT, MEMBER, "ask")
    await town.correct(BOAT, "It was askright.", MEMBER, ALL)
    await town.ask(LAMP, GRANTED, PLAIN)
    await town.correct(LAMP, "At roomright.", GRANTED, PLAIN)
    await town.ask(TRAIN, MEMBER, TEAM_ROOM)
    await town.correct(TRAIN, "At teamright.", MEMBER, TEAM_ROOM)
    await town.ask("Who paints the fence?", MEMBER, TEAM_ROOM)
    ((thread_ts,),) = town.rows("SELECT thread_ts FROM turns ORDER BY rowid DESC LIMIT 1")
    town.slack.add_message(TEAM_ROOM, "7.0", "Ask teamreply.", MEMBER, thread_ts=thread_ts)
    marked = reaction("jigsaw", {"ts": "7.0", "user": MEMBER}, channel=TEAM_ROOM, user=GRANTED)
    await town.send(event(marked, "EvJigsaw"))
    await town.ask(WINE, OUTSIDER, ALL)
    await town.correct(WINE, "The openright one.", OUTSIDER, ALL)


async def bustle(town: Town) -> None:
    await town.ask_everything()
    await town.click_everything()
    await town.look_at_home()
    await town.command()


@pytest.mark.slow
async def test_nobody_is_shown_what_is_not_for_them_now(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    for package in ("bot", "retrieval"):  # as `whimbrel serve` logs
        caplog.set_level(logging.INFO, logger=package)
    held = SentenceDocuments(documents())
    town = Town(house, held)
    async with await town.serve(user_audiences={GRANTED: ("hr",)}):
        await lived(town)
        await town.look_at_home()
        await town.command()
        assert leaks(await town.seen(), BEFORE | ASKED) == []
        await town.approve_everything()
        await bustle(town)
        seen = await town.seen()
        assert leaks(seen, BEFORE) == []
        assert all(
            canary in seen[reader]
            for canary, reader in (
                ("openright", "U4@C1"),
                ("gatecode", "U4@C1"),
                ("ospreyband", "U1@dm"),
                ("ospreyband", "U2@G1"),
                ("teamright", "U1@G1"),
                ("roomright", "U1@G2"),
                ("dmright", "U2@dm"),
                ("askright", "U2@C1"),
            )
        )
    held.passages = documents(gate="hr", has_attic=False)
    held.generation = "g2"
    async with await town.serve():
        await bustle(town)
        assert leaks(await town.seen(), AFTER) == []
        assert set(town.bot.inbox.counts()) == {"done"}
    assert town.pressed >= {SHARE, KEEP, WHY, "rate_answer", ASK_EXPERT}
    canaries = [*AFTER, *ASKED]
    assert not [word for word in canaries if word in caplog.text.lower()]
    files = written(house.folder, held)
    assert not [word for word in AFTER if word in files]


def written(folder: Path, held: SentenceDocuments) -> str:
    """All that the commands write for others to read, made of the log of the bot."""
    database, out = Database(folder / "whimbrel.db"), folder / "out"
    period = read_period(database, days=30, until=datetime.now(UTC))
    made = make_report(period, HeldDocuments(held), readers=frozenset({PUBLIC}), tells_all=True)
    save_report(made, out / "report")
    asked = replay(read_logged(database, last=500), Library(held), Library(held))
    save_replay(asked, out / "replay", title="As it is now")
    settings = Settings(home=folder / "home")
    frozen, _ = export_log(settings, database, WordEmbedder(), policy=Policy(), allows_nothing=True)
    database.close()
    files = (path for root in (out, frozen) for path in root.rglob("*") if path.is_file())
    return " ".join(path.read_bytes().decode(errors="replace") for path in files).lower()
