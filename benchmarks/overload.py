"""What becomes of ten times as many questions as a bot can answer: `python -m benchmarks.overload`.

Four people ask without a pause, four others now and then. Slack on localhost takes whatever it is
sent at once; answers take as long as is said, so that what the bot can do in a second is known.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import click

from benchmarks.chaos import WORKERS, Asked, Chaos
from bot.store.database import Database
from tests.slack_server import SlackServer

BUSY, NOW_AND_THEN = ("U1", "U2", "U3", "U4"), ("U5", "U6", "U7", "U8")
CHANNELS = 4
PAUSE_S = 5.0
"""So long each of those who ask now and then waits between questions."""

ACK_S, RECOVERY_S, GROWTH_MB = 1.0, 30.0, 200.0
"""What is promised: acks of 99 in 100, the end of the queue, and what the bot grows by."""

LOOK_S = 0.25
MB = 1024


@dataclass
class Load:
    """What was asked, and when each question got its end."""

    asked: dict[str, Asked] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)

    def ends_of(self, people: tuple[str, ...]) -> list[float]:
        """How long those of these people's questions that have ended took, in seconds."""
        return sorted(
            at - self.began[id_] for id_, at in self.ended.items() if self.asked[id_].user in people
        )


async def watch(chaos: Chaos, load: Load) -> None:
    """Note when questions end, and how much memory the bot has, until cancelled."""
    with closing(sqlite3.connect(chaos.folder / "whimbrel.db")) as database:
        seen = 0
        while True:
            sql = "SELECT rowid, event_id FROM turns WHERE rowid > ? ORDER BY rowid"
            for rowid, event_id in database.execute(sql, (seen,)).fetchall():
                seen = rowid
                load.ended[event_id.removesuffix("-again")] = time.monotonic()
            load.memory_mb.append(resident_mb(chaos.children[0].pid))
            await asyncio.sleep(LOOK_S)


def resident_mb(pid: int) -> float:
    """The memory that a process has, in MB; 0 where the system does not tell it like Linux."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    lines = (line.split() for line in status.splitlines())
    return next((int(words[1]) / MB for words in lines if words[:1] == ["VmRSS:"]), 0.0)


async def ask(chaos: Chaos, load: Load, user: str, tasks: list[asyncio.Task[None]]) -> None:
    """One more question of somebody's."""
    n = len(load.asked)
    ts = f"16{n:08}.000001"
    asked = Asked(n, "mention", f"C{n % CHANNELS}", user, ts, ts)
    load.asked[asked.event_ids[0]] = asked
    load.began[asked.event_ids[0]] = time.monotonic()
    tasks.append(asyncio.create_task(chaos.deliver(asked)))


async def press(chaos: Chaos, load: Load, *, rate: float, duration_s: float) -> None:
    """Ask `rate` questions a second for so long, and wait until all are delivered."""
    tasks: list[asyncio.Task[None]] = []
    began = time.monotonic()
    next_of = {user: began + n for n, user in enumerate(NOW_AND_THEN)}
    count = 0
    while (now := time.monotonic()) < began + duration_s:
        while count < (now - began) * rate:
            await ask(chaos, load, BUSY[count % len(BUSY)], tasks)
            count += 1
        for user, at in next_of.items():
            if now >= at:
                await ask(chaos, load, user, tasks)
                next_of[user] = at + PAUSE_S
        await asyncio.sleep(0.01)
    await asyncio.gather(*tasks)


def ends(chaos: Chaos, load: Load) -> dict[str, Counter[str]]:
    """How many questions of each person were answered, refused, given up, or lost."""
    with closing(sqlite3.connect(chaos.folder / "whimbrel.db")) as database:
        rows = database.execute("SELECT event_id, kind, state FROM inbox").fetchall()
    kinds = {event_id: (kind, state) for event_id, kind, state in rows}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for asked in load.asked.values():
        taken = [kinds[id_] for id_ in asked.event_ids if id_ in kinds]
        what = "lost"
        if any(id_ in load.ended for id_ in asked.event_ids):
            what = "answered"
        elif ("refusal", "done") in taken:
            what = "refused"
        elif taken:
            what = "given up"
        found[asked.user][what] += 1
    return found


async def run(folder: Path, *, times: float, duration_s: float, seconds: float) -> bool:
    """Ask, wait until the queue is empty, and print what came of it; whether it is as promised."""
    Database(folder / "whimbrel.db").close()
    rate = times * WORKERS / seconds
    async with SlackServer() as slack:
        chaos = Chaos(slack, folder, seed=0, processes=1, seconds=seconds, max_waiting=200)
        await chaos.start_one()
        load = Load()
        await press(chaos, load, rate=0.5, duration_s=5)  # it is warm, and its memory known
        watching = asyncio.create_task(watch(chaos, load))
        await asyncio.sleep(2 * LOOK_S)
        idle_mb = load.memory_mb[-1]
        chaos.ack_s.clear()
        await press(chaos, load, rate=rate, duration_s=duration_s)
        pressed = time.monotonic()
        while chaos.left() and time.monotonic() - pressed < 10 * RECOVERY_S:  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(LOOK_S)
        recovery_s = time.monotonic() - pressed
        await asyncio.sleep(2 * LOOK_S)
        watching.cancel()
        await chaos.end()
    return tell(ends(chaos, load), chaos, load, rate=rate, recovery_s=recovery_s, idle_mb=idle_mb)


def tell(
    found: dict[str, Counter[str]],
    chaos: Chaos,
    load: Load,
    *,
    rate: float,
    recovery_s: float,
    idle_mb: float,
) -> bool:
    """Print the figures; whether they are as promised."""
    acks = sorted(chaos.ack_s)
    growth_mb = max(load.memory_mb) - idle_mb
    ack_s = acks[len(acks) * 99 // 100]
    print(f"{len(load.asked)} questions, {rate:.0f} a second, {WORKERS} answered at a time")
    for name, people in (("without a pause", BUSY), ("now and then", NOW_AND_THEN)):
        counts = sum((found[user] for user in people), Counter[str]())
        took = load.ends_of(people)
        told = ", ".join(f"{what} {count}" for what, count in sorted(counts.items()))
        print(f"who asks {name}: {told}; answered within {took[-1]:.1f} s")
    print(f"acked after {acks[len(acks) // 2]:.3f} s, 99% {ack_s:.3f} s")
    print(f"memory {idle_mb:.0f} MB, at most {growth_mb:.0f} MB more")
    print(f"the queue was empty {recovery_s:.1f} s after the last question")
    nobody_starves = all(found[user]["answered"] for user in (*BUSY, *NOW_AND_THEN))
    is_spared = not any(found[user]["refused"] for user in NOW_AND_THEN)
    lost = sum(counts["lost"] + counts["given up"] for counts in found.values())
    print(f"lost or given up: {lost}")
    is_bounded = growth_mb < GROWTH_MB and recovery_s < RECOVERY_S
    return not lost and ack_s < ACK_S and is_bounded and nobody_starves and is_spared


@click.command(help=__doc__)
@click.option("--times", default=10.0, show_default=True, help="as much as can be answered")
@click.option("--duration", "duration_s", default=60.0, show_default=True, help="seconds")
@click.option("--seconds", default=0.5, show_default=True, help="how long an answer takes")
def main(times: float, duration_s: float, seconds: float) -> None:
    """Run it."""
    with tempfile.TemporaryDirectory() as folder:
        done = run(Path(folder), times=times, duration_s=duration_s, seconds=seconds)
        is_good = asyncio.run(done)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
