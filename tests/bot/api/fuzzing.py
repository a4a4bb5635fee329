"""Runs schemathesis on the API over a handful of sentences; `python -m tests.bot.api.fuzzing`.

The program, which has an environment of its own, is the first argument; what follows goes to it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from tests.bot.api.conftest import Counter


async def main(program: str = "schemathesis", *options: str) -> int:
    async with aiohttp.ClientSession() as session, AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        counter = Counter(folder, stack, session)
        await counter.open()
        key = counter.key()
        process = await asyncio.create_subprocess_exec(
            program,
            "run",
            f"{counter.url}/v1/openapi.json",
            "--header",
            f"Authorization: Bearer {key}",
            *options,
        )
        return await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
