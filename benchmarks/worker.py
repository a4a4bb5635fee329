"""Start and memory of `whimbrel serve` where all its models are at an endpoint.

    python -m benchmarks.worker [--python PROGRAM] [--repeat N]

Each time a worker starts as a program of its own over examples/handbook, beside a Slack and an
endpoint on this machine, and is asked one question. `--python` is that of an environment with
deploy/requirements-worker.txt alone; without it, this one's. CPU-seconds are those of all its
threads; memory is the most that was resident. Linux tells both.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.overhead import EXAMPLES
from tests.endpoint_server import EndpointServer
from tests.slack_server import APP_TOKEN, BOT_TOKEN, SlackServer, event, mention

TARGET_S, TARGET_MB = 2.0, 250


class Start(NamedTuple):
    """What a start took until the worker was ready, and its memory after one answer."""

    cpu_s: float
    wall_s: float
    ready_mb: float
    answered_mb: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    program = (arguments.python, "-P", "-m", "retrieval.cli")
    starts = asyncio.run(measure(program, arguments.repeat + 1))[1:]  # the first reads the disk
    cpu_s, wall_s, ready_mb, answered_mb = map(median, zip(*starts, strict=True))
    print(f"ready after {cpu_s:.2f} CPU-seconds, {wall_s:.2f} s; wanted: at most {TARGET_S:.0f}")
    print(f"resident: {ready_mb:.0f} MB when ready, {answered_mb:.0f} MB after an answer; ", end="")
    print(f"wanted: at most {TARGET_MB}")


async def measure(program: tuple[str, ...], repeat: int) -> list[Start]:
    """Index the examples once, and start a worker so many times."""
    with EndpointServer("There are 26 days [1].") as endpoint, TemporaryDirectory() as home:
        async with SlackServer() as slack:
            slack.channels["C1"] = {"is_channel": True}
            environment = await indexed(program, endpoint, home) | reaching(slack)
            return [await start(program, slack, environment, n) for n in range(repeat)]


async def indexed(program: tuple[str, ...], endpoint: EndpointServer, home: str) -> dict[str, str]:
    """The environment of a worker whose models are at the endpoint, with the examples indexed."""
    endpoint.dimension = 384
    roles = ("embedder", "generator", "reranker")
    urls = {f"WHIMBREL_{role.upper()}": f"{endpoint.url}/v1#{role}" for role in roles}
    environment = {**os.environ, **urls, "WHIMBREL_HOME": home}
    index = (*program, "index", str(EXAMPLES / "handbook"))
    await asyncio.to_thread(subprocess.run, index, check=True, capture_output=True, env=environment)
    return environment


def reaching(slack: SlackServer) -> dict[str, str]:
    """What a worker needs in its environment to serve a Slack on this machine."""
    return {
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_APP_TOKEN": APP_TOKEN,
        "SLACK_API_URL": slack.api_url,
        "SLACK_HEALTH_PORT": "0",
    }


async def start(
    program: tuple[str, ...], slack: SlackServer, environment: dict[str, str], n: int
) -> Start:
    """One worker from its start to an answer."""
    connected, said = slack.connections, len(slack.called("chat.update"))
    began = time.perf_counter()
    worker = subprocess.Popen(  # noqa: ASYNC220, S603 - ours, and it is not waited for
        (*program, "serve"), env=environment, stderr=subprocess.DEVNULL
    )
    try:
        await slack.until(lambda: slack.connections == connected + 2)
        wall_s, cpu_s, ready_mb = time.perf_counter() - began, cpu_seconds(worker), peak_mb(worker)
        question = mention("How many days of annual leave do I get?", ts=f"{n + 1}.1")
        await slack.deliver(event(question, f"Ev{n}"))
        await slack.until(lambda: len(slack.called("chat.update")) > said)
        return Start(cpu_s, wall_s, ready_mb, peak_mb(worker))
    finally:
        worker.terminate()
        await asyncio.to_thread(worker.wait)


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """What a process has taken of the processor."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(process: subprocess.Popen[bytes]) -> float:
    """The most memory that a process had resident."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


if __name__ == "__main__":
    main()
