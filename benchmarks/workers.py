"""What one, two and four identical bots on one Postgres answer: `python -m benchmarks.workers`.

Each is `whimbrel serve` over examples/handbook, a program of its own, beside a Slack, an endpoint
with all models and a PostgreSQL on this machine. The endpoint takes as long for an answer as is
said, and computes nothing, like a GPU elsewhere. So many people ask, each in a channel of their
own, and the next question as soon as the answer stands there with its buttons; it is the same load
for however many bots. This Slack takes as many edits as come; of streams it takes 20 a minute, as
the real one.

CPU-seconds are those of the bots, and of the server, by the answers of the same time. Memory is the
most that was resident in the bot that had most. Linux tells both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.chaos import replies_to
from benchmarks.worker import cpu_seconds, indexed, peak_mb, reaching
from bot.store.database import Database
from tests.endpoint_server import EndpointServer
from tests.slack_server import SlackServer, event, mention

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

PROGRAM = (sys.executable, "-P", "-m", "retrieval.cli")
SAID = "There are 26 days [1]."
CONNECTIONS = 2
"""Sockets that a bot has."""

WARM_S = 10.0
"""So long people have asked before it is measured."""


@dataclass
class Load:
    """People who ask from `began` to `until`, and when each question was asked and answered."""

    slack: SlackServer
    began: float
    until: float
    asked: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)

    async def ask(self, person: int) -> None:
        """Ask one question after the other until the time is over."""
        channel, user = f"C{person}", f"U{person}"
        while time.monotonic() < self.until:
            n = len(self.asked)
            id_, ts, text = f"Ev{n}", f"16{n:08}.000001", "How many days of annual leave do I get?"
            self.slack.add_message(channel, ts, text, user)
            self.asked[id_] = time.monotonic()
            body = event(mention(text, ts=ts, channel=channel, user=user), id_)
            while not (await self.slack.deliver(body)).is_acked:
                pass
            await self.slack.until(partial(self._is_answered, channel, id_))
            self.answered[id_] = time.monotonic()

    def _is_answered(self, channel: str, event_id: str) -> bool:
        return any(
            "feedback_buttons" in json.dumps(message.get("blocks", ()))
            and not self.slack.streams.is_live(channel, message["ts"])
            for message in self.slack.posted(channel)
            if replies_to(message) == event_id
        )

    def took(self) -> list[float]:
        """How many seconds each answer took that came once all were warm, and in time."""
        return [
            at - self.asked[id_]
            for id_, at in self.answered.items()
            if self.began + WARM_S <= at < self.until
        ]

    def doubled(self) -> int:
        """How many questions have more than one message in reply."""
        channels = [*self.slack.messages]
        replies = Counter(replies_to(m) for channel in channels for m in self.slack.posted(channel))
        return sum(count > 1 for id_, count in replies.items() if id_ in self.asked)


@dataclass(frozen=True)
class Row:
    """What so many bots did. `shares` are of all answers, by bot, the largest first."""

    bots: int
    a_minute: float
    p50_s: float
    p99_s: float
    bot_cpu_s: float
    server_cpu_s: float
    memory_mb: float
    shares: tuple[float, ...]
    lost: int
    doubled: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bots", type=int, nargs="+", default=[1, 2, 4], metavar="N")
    parser.add_argument("--people", type=int, default=32, metavar="N")
    parser.add_argument("--seconds", type=float, default=2.0, help="that the endpoint takes")
    parser.add_argument("--duration", type=float, default=40.0, help="seconds that are measured")
    arguments = parser.parse_args()
    rows = asyncio.run(
        measure(arguments.bots, arguments.people, arguments.seconds, arguments.duration)
    )
    print(table(rows))


async def measure(bots: list[int], people: int, seconds: float, duration_s: float) -> list[Row]:
    """Index the examples once, and let so many bots answer, one number after the other."""
    from tests.postgres_server import PostgresServer

    with ExitStack() as stack:
        endpoint = stack.enter_context(EndpointServer())
        endpoint.write = slowly(seconds)
        home = stack.enter_context(TemporaryDirectory())
        environment = await indexed(PROGRAM, endpoint, home)
        server = PostgresServer()
        stack.callback(server.close)
        return [await serve(n, people, duration_s, environment, server) for n in bots]


def slowly(seconds: float) -> Callable[[object], str]:
    """What takes so long to write an answer, whatever it is asked."""

    def write(_: object) -> str:
        time.sleep(seconds)
        return SAID

    return write


async def serve(
    count: int,
    people: int,
    duration_s: float,
    environment: dict[str, str],
    server: PostgresServer,
) -> Row:
    """What came of it with so many bots on a database of their own."""
    address = server.fresh()
    async with SlackServer() as slack:
        environment = environment | reaching(slack) | {"WHIMBREL_DATABASE": address}
        bots = [started(environment) for _ in range(count)]

        def spent() -> npt.NDArray[np.float64]:
            return np.array([sum(map(cpu_seconds, bots)), server.cpu_s()])

        try:
            await slack.until(lambda: slack.connections == CONNECTIONS * count)
            now = time.monotonic()
            load = Load(slack, began=now, until=now + WARM_S + duration_s)
            asking = [asyncio.create_task(load.ask(person)) for person in range(people)]
            await asyncio.sleep(WARM_S)
            before = spent()
            await asyncio.sleep(duration_s)
            cpu_s = spent() - before
            await asyncio.gather(*asking, return_exceptions=True)  # what times out is lost
            memory_mb = max(map(peak_mb, bots))
        finally:
            for bot in bots:
                bot.terminate()
            for bot in bots:
                await asyncio.to_thread(bot.wait)
    took = load.took()
    return Row(
        bots=count,
        a_minute=60 * len(took) / duration_s,
        p50_s=float(np.median(took)),
        p99_s=float(np.quantile(took, 0.99)),
        bot_cpu_s=float(cpu_s[0] / len(took)),
        server_cpu_s=float(cpu_s[1] / len(took)),
        memory_mb=memory_mb,
        shares=shares(address),
        lost=len(load.asked) - len(load.answered),
        doubled=load.doubled(),
    )


def started(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A bot that adds to one log with the others."""
    with Path(environment["WHIMBREL_HOME"], "bots.log").open("ab") as log:
        return subprocess.Popen((*PROGRAM, "serve"), env=environment, stderr=log)  # noqa: S603 - ours


def shares(address: str) -> tuple[float, ...]:
    """The share of all questions that each bot has answered, the largest first."""
    sql = (
        "SELECT count(*) FROM inbox WHERE kind = 'question' AND state = 'done'"
        " GROUP BY owner ORDER BY count(*) DESC"
    )
    with closing(Database(Path("-"), address=address, is_read_only=True)) as database:
        counts = [count for (count,) in database.connection.execute(sql)]
    return tuple(count / sum(counts) for count in counts)


COLUMNS = (
    "bots",
    "answers a minute",
    "times",
    "p50 s",
    "p99 s",
    "CPU-s an answer",
    "times",
    "Postgres CPU-s",
    "MB each",
    "answered by each",
    "lost",
    "doubled",
)


def table(rows: list[Row]) -> str:
    """The rows as a table of Markdown; `times` is beside the first."""
    first = rows[0]
    lines = [" | ".join(COLUMNS), " | ".join(["---"] * len(COLUMNS))]
    for row in rows:
        cells = (
            f"{row.bots}",
            f"{row.a_minute:.0f}",
            f"{row.a_minute / first.a_minute:.2f}",
            f"{row.p50_s:.2f}",
            f"{row.p99_s:.2f}",
            f"{row.bot_cpu_s:.3f}",
            f"{row.bot_cpu_s / first.bot_cpu_s:.2f}",
            f"{row.server_cpu_s:.3f}",
            f"{row.memory_mb:.0f}",
            ", ".join(f"{share:.0%}" for share in row.shares),
            f"{row.lost}",
            f"{row.doubled}",
        )
        lines.append(" | ".join(cells))
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    main()
