"""What becomes of questions while the bot is killed and Slack fails: `python -m benchmarks.chaos`.

A Slack on localhost delivers every question twice, some as two events with different ids, while
bots on one database are killed and started again, sockets are cut, and calls are answered with
429, 500 or a reset, before or after they have had their effect. Then each question is looked up
in Slack: answers are counted by what they say and by the event that they reply to. Slack's
retries come sooner than in life. An answer for one person's eyes cannot be looked up by the bot
after a crash, so that such a one may be shown again; it is counted apart.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import aiohttp
import click
from pydantic import SecretStr

from bot.admin.learner import LearningProcess
from bot.admin.replaying import Replayer
from bot.admin.syncing import SyncProcess
from bot.app.bot import Bot
from bot.app.parts import Engine, LongJobs
from bot.serving import run_until_stopped
from bot.settings import SlackSettings
from bot.slack.incoming.interactions import RETRY
from bot.store.database import Database
from retrieval.records import Answer, AnswerRequest
from retrieval.settings import Settings
from tests.fakes import (
    FolderReindexer,
    NoCandidates,
    SentenceAnswerer,
    SentenceDocuments,
    TwoGenerations,
)
from tests.slack_server import (
    APP_TOKEN,
    BOT_TOKEN,
    Fault,
    SlackServer,
    direct_message,
    event,
    mention,
    slash,
)
from tests.slack_streams import Json

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

Kind = Literal["mention", "direct", "command"]
FaultKind = Literal["throttled", "broken", "dropped", "dropped_after"]

METHODS = (
    "chat.postMessage",
    "chat.update",
    "chat.delete",
    "chat.startStream",
    "chat.appendStream",
    "chat.stopStream",
    "conversations.replies",
    "users.info",
    "response_url",
)
PEOPLE, CHANNELS, IN_THREAD = 12, 4, 3
WORKERS = 4
RETRY_S, PATIENCE_S = 0.3, 300.0
OUTAGE = 5
"""With so many kills of bots goes one of Postgres."""


class SlowAnswerer(SentenceAnswerer):
    """Says the question again word by word, as slowly as a model writes."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Answer:
        """The question and what a `SentenceAnswerer` says to it."""
        answer = super().answer(request, should_stop=should_stop)
        text = f"About {request.text} {answer.text}"
        for piece in text.split(" "):
            time.sleep(self._seconds / len(text.split(" ")))
            if on_text is not None:
                on_text(f"{piece} ")
        return replace(answer, text=text)


@dataclass
class Asked:
    """A question, and how Slack got rid of it."""

    n: int
    kind: Kind
    channel: str
    user: str
    ts: str
    thread_ts: str
    is_acked: bool = False

    @property
    def marker(self) -> str:
        """What no other answer says."""
        return f"q{self.n:04}q"

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The events that tell of it."""
        return (f"Ev{self.n}", f"Ev{self.n}-again")

    def bodies(self, url: str) -> list[Json]:
        """What Slack delivers."""
        text = f"how much leave is there, {self.marker}?"
        if self.kind == "command":
            return 2 * [slash("/ask", text, trigger_id=f"t{self.n}", url=url, user=self.user)]
        if self.kind == "direct":
            said = direct_message(text, ts=self.ts, user=self.user, channel=self.channel)
            return 2 * [event(said, self.event_ids[0])]
        thread = {} if self.ts == self.thread_ts else {"thread_ts": self.thread_ts}
        said = mention(text, ts=self.ts, channel=self.channel, user=self.user, **thread)
        heard = said | {"type": "message", "channel_type": "channel"}
        return [event(said, self.event_ids[0]), event(heard, self.event_ids[1])]


@dataclass
class Found:
    """What Slack shows in the end."""

    counts: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def note(self, what: str, asked: Asked, told: object = "") -> None:
        """One more that went wrong."""
        self.counts[what] += 1
        self.lines.append(f"{what}: question {asked.n} ({asked.kind}) {told}")


class Chaos:
    """Delivers, kills and fails, and looks what came of it."""

    def __init__(
        self,
        slack: SlackServer,
        folder: Path,
        *,
        seed: int,
        processes: int,
        seconds: float,
        max_waiting: int = 10_000,
        address: str | None = None,
    ) -> None:
        self.slack = slack
        self.folder = folder
        self.address = address
        self.draw = random.Random(seed)
        self.processes = processes
        self.seconds = seconds
        self.max_waiting = max_waiting
        self.children: list[asyncio.subprocess.Process] = []
        self.ack_s: list[float] = []
        self.kills = self.faults = self.ended = 0

    async def start_one(self) -> None:
        """One more bot on the database."""
        program = ("-m", "benchmarks.chaos", "--serve", self.slack.api_url)
        with (self.folder / "bot.log").open("ab") as log:
            self.children.append(
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    *program,
                    *("--home", str(self.folder), "--seconds", str(self.seconds)),
                    *("--max-waiting", str(self.max_waiting)),
                    *(("--address", self.address) if self.address else ()),
                    stderr=log,
                )
            )

    async def kill_one(self) -> None:
        """End a bot without a word, and start another one."""
        child = self.children.pop(self.draw.randrange(len(self.children)))
        child.kill()
        await child.wait()
        self.kills += 1
        await self.start_one()

    async def supervise(self) -> None:
        """Start again what has ended by itself, as systemd does: its server was away, say."""
        while True:
            await asyncio.sleep(RETRY_S)
            for child in [child for child in self.children if child.returncode is not None]:
                self.children.remove(child)
                self.ended += 1
                await self.start_one()

    def fail_something(self) -> None:
        """The next call of some method goes wrong."""
        kind = self.draw.choice(get_args(FaultKind))
        self.slack.fail(self.draw.choice(METHODS), Fault(kind))
        self.faults += 1

    async def deliver(self, asked: Asked) -> None:
        """Deliver a question as Slack does: a command once, an event until it is taken."""
        if asked.kind != "command":
            self.slack.add_message(
                asked.channel, asked.ts, "", asked.user, thread_ts=asked.thread_ts
            )
        for body in asked.bodies(self.slack.response_url(asked.marker)):
            retry = 0
            while not (is_acked := await self._try(body, retry)) and asked.kind != "command":
                retry += 1
                await asyncio.sleep(RETRY_S)
            asked.is_acked = asked.is_acked or is_acked

    async def _try(self, body: Json, retry: int) -> bool:
        began = time.monotonic()
        with suppress(ConnectionError, aiohttp.ClientError):
            taken = await self.slack.deliver(body, retry_num=retry)
            if taken.is_acked:
                self.ack_s.append(time.monotonic() - began)
            return taken.is_acked
        return False

    async def end(self) -> None:
        """Wait until nothing is left to do, or nothing more comes of it; then stop every bot."""
        until = time.monotonic() + PATIENCE_S
        while self.left() and time.monotonic() < until:  # noqa: ASYNC110 - it is in other processes
            await asyncio.sleep(0.5)
        for child in self.children:
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            await child.wait()

    def left(self) -> int:
        """How many jobs have not ended."""
        sql = "SELECT count(*) FROM inbox WHERE state IN ('todo', 'doing')"
        with closing(self._database()) as database:
            return int(database.connection.execute(sql).fetchone()[0])

    def _database(self) -> Database:
        path = self.folder / "whimbrel.db"
        return Database(path, address=self.address, is_read_only=True)

    def logged(self) -> list[str]:
        """The events that were answered, in the order in which they were."""
        with closing(self._database()) as database:
            rows = database.connection.execute("SELECT event_id FROM turns ORDER BY rowid")
        return [event_id for (event_id,) in rows]

    def look(self, questions: list[Asked]) -> Found:
        """What became of each question."""
        found, replies = Found(), self._replies()
        for asked in questions:
            if asked.kind == "command":
                self._look_in_private(asked, found)
            elif asked.is_acked:
                self._look_at(asked, [m for id_ in asked.event_ids for m in replies[id_]], found)
        strays = [message for message in self._posted() if not replies_to(message)]
        found.counts["left standing"] += len(strays)
        found.lines += [f"left standing: {json.dumps(m)[:200]}" for m in strays]
        self._look_at_order(questions, found)
        return found

    def _posted(self) -> list[Json]:
        return [m for channel in list(self.slack.messages) for m in self.slack.posted(channel)]

    def _replies(self) -> dict[str, list[Json]]:
        replies: dict[str, list[Json]] = defaultdict(list)
        for message in self._posted():
            replies[replies_to(message)].append(message)
        return replies

    def _look_at(self, asked: Asked, messages: list[Json], found: Found) -> None:
        said = [message for message in messages if asked.marker in json.dumps(message["blocks"])]
        if not messages:
            found.note("lost", asked)
        elif len(messages) > 1:
            found.note("doubled", asked, len(messages))
        elif RETRY in json.dumps(messages[0]["blocks"]):
            found.note("error cards", asked)
        elif not said or self.slack.streams.is_live(asked.channel, messages[0]["ts"]):
            found.note("left standing", asked, json.dumps(messages[0]["blocks"])[:200])

    def _look_in_private(self, asked: Asked, found: Found) -> None:
        shown = [json.dumps(told) for told in self.slack.responses[asked.marker]]
        answers = [text for text in shown if asked.marker in text]
        if not asked.is_acked:
            found.counts["commands not taken"] += 1
            if shown:
                found.note("done though not taken", asked)
        elif any(RETRY in text for text in shown):
            found.note("error cards", asked)
        elif not answers:
            found.note("lost", asked)
        elif len(answers) > 1:
            found.counts["shown again in private"] += 1

    def _look_at_order(self, questions: list[Asked], found: Found) -> None:
        order = {event_id: number for number, event_id in enumerate(self.logged())}
        threads: dict[tuple[str, str], list[tuple[int, Asked]]] = defaultdict(list)
        for asked in questions:
            at = [order[id_] for id_ in asked.event_ids if id_ in order]
            threads[asked.channel, asked.thread_ts] += [(number, asked) for number in at]
        for answered in threads.values():
            if [number for number, _ in answered] != sorted(number for number, _ in answered):
                found.note("out of order", answered[0][1])


def replies_to(message: Json) -> str:
    """The event that a message of the bot replies to; empty if it bears no mark."""
    payload = (message.get("metadata") or {}).get("event_payload", {})
    return str(payload.get("event_id", ""))


def make_questions(count: int) -> list[Asked]:
    """Questions of several people: in threads of three, in direct messages, by command."""
    asked: list[Asked] = []
    thread_ts, in_thread = "", IN_THREAD
    for n in range(count):
        ts = f"16{n:08}.000001"
        user = f"U{n % PEOPLE}"
        if n % 10 == 0:
            asked.append(Asked(n, "command", "C1", user, ts, f"command{n}"))
        elif n % 10 in (1, 2):
            asked.append(Asked(n, "direct", f"D{n % PEOPLE}", user, ts, ts))
        else:
            thread_ts, in_thread = (ts, 1) if in_thread == IN_THREAD else (thread_ts, in_thread + 1)
            channel = f"C{int(thread_ts[2:10]) % CHANNELS}"
            asked.append(Asked(n, "mention", channel, user, ts, thread_ts))
    return asked


async def run(
    folder: Path,
    *,
    questions: int,
    kills: int,
    processes: int,
    rate: float,
    seed: int,
    seconds: float,
    is_calm: bool = False,
    server: PostgresServer | None = None,
) -> bool:
    """Ask, kill and fail; print what came of it. True if nothing was lost, doubled or shuffled."""
    address = server.fresh() if server else None
    Database(folder / "whimbrel.db", address=address).close()
    began = time.monotonic()
    async with SlackServer() as slack:
        chaos = Chaos(
            slack, folder, seed=seed, processes=processes, seconds=seconds, address=address
        )
        for _ in range(processes):
            await chaos.start_one()
        asked = make_questions(questions)
        supervising = asyncio.create_task(chaos.supervise())
        threads: dict[str, asyncio.Task[None]] = {}
        outages = 0
        for question in asked:
            # A thread's questions are delivered one after the other, all else at once.
            before = threads.get(question.thread_ts)
            threads[question.thread_ts] = asyncio.create_task(_after(before, chaos, question))
            if chaos.draw.random() < 0.4 and not is_calm:
                chaos.fail_something()
            if question.n % 10 == 9 and not is_calm:
                await slack.hang_up()
            if kills and question.n % max(1, questions // kills) == 0 and chaos.kills < kills:
                await asyncio.sleep(chaos.draw.uniform(0, 2 / rate))
                await chaos.kill_one()
                if server and chaos.kills % OUTAGE == 0:
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.start)
                    outages += 1
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*threads.values())
        supervising.cancel()
        await chaos.end()
        ended_s = time.monotonic() - began
        found = chaos.look(asked)
        _print(chaos, found, questions=questions, calm=is_calm, seconds=ended_s, outages=outages)
        bad = ("lost", "doubled", "out of order", "left standing", "done though not taken")
        return not any(found.counts[what] for what in bad) and not chaos.left()


def _print(
    chaos: Chaos, found: Found, *, questions: int, calm: bool, seconds: float, outages: int
) -> None:
    acks = sorted(chaos.ack_s)
    print(
        f"{questions} questions delivered twice by {PEOPLE} people, {chaos.processes} process(es),"
        f" {chaos.kills} kills, {chaos.faults} failed calls, sockets cut"
        f" {0 if calm else questions // 10} times, {seconds:.0f} s"
    )
    if chaos.address:
        print(
            f"on Postgres, whose server was killed {outages} times;"
            f" {chaos.ended} bots ended at their start and were started again"
        )
    for what in ("lost", "doubled", "out of order", "left standing", "done though not taken"):
        print(f"{what:<24}{found.counts[what]:>5}")
    share = found.counts["error cards"] / questions
    print(f"{'error cards':<24}{found.counts['error cards']:>5}  {share:.1%}")
    for what in ("commands not taken", "shown again in private"):
        print(f"{what:<24}{found.counts[what]:>5}")
    if calm:
        print(f"{questions / seconds:.1f} questions a second")
    print(
        f"acked after {acks[len(acks) // 2]:.3f} s, 99% {acks[len(acks) * 99 // 100]:.1f} s,"
        " with the wait for a bot that was killed"
    )
    for line in found.lines:
        print(f"  {line}")


async def _after(before: asyncio.Task[None] | None, chaos: Chaos, question: Asked) -> None:
    if before is not None:
        await before
    await chaos.deliver(question)


def serve(api_url: str, home: Path, seconds: float, max_waiting: int, address: str | None) -> None:
    """Be the bot until killed."""
    settings = SlackSettings(
        bot_token=SecretStr(BOT_TOKEN),
        app_token=SecretStr(APP_TOKEN),
        api_url=api_url,
        health_port=0,
        max_waiting=max_waiting,
        workers=WORKERS,
    )
    engine = Engine(SlowAnswerer(seconds), SentenceDocuments(), TwoGenerations(), NoCandidates())
    retrieval = Settings(home=home)
    jobs = LongJobs(
        FolderReindexer(home),
        LearningProcess(retrieval),
        Replayer(retrieval),
        SyncProcess(retrieval),
    )
    bot = Bot(settings, home / "whimbrel.db", engine, jobs, address=address)
    asyncio.run(run_until_stopped(bot))


def _postgres() -> PostgresServer:
    from tests.postgres_server import PostgresServer

    return PostgresServer()


@click.command(help=__doc__)
@click.option("--questions", default=60, show_default=True)
@click.option("--kills", default=6, show_default=True)
@click.option("--processes", default=1, show_default=True, help="bots on one database")
@click.option("--rate", default=3.0, show_default=True, help="questions a second")
@click.option("--seconds", default=0.6, show_default=True, help="how long an answer takes")
@click.option("--seed", default=0, show_default=True)
@click.option("--home", type=click.Path(path_type=Path), default=None, help="keep its files here")
@click.option("--calm", "is_calm", is_flag=True, help="nothing fails: how many are answered?")
@click.option("--database", type=click.Choice(["sqlite", "postgres"]), default="sqlite")
@click.option("--address", default=None, hidden=True)
@click.option("--serve", "api_url", default=None, hidden=True)
@click.option("--max-waiting", default=10_000, hidden=True)
def main(
    api_url: str | None,
    home: Path | None,
    seconds: float,
    max_waiting: int,
    address: str | None,
    database: str,
    **options: Any,  # noqa: ANN401 - click's
) -> None:
    """Run it."""
    if api_url is not None and home is not None:
        serve(api_url, home, seconds, max_waiting, address)
        return
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        options["server"] = server = _postgres() if database == "postgres" else None
        if server is not None:
            stack.callback(server.close)
        is_good = asyncio.run(run(home or Path(folder), seconds=seconds, **options))
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
