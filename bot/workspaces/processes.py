"""The bot of one workspace in a process of its own, begun again when it ends."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bot.admin.child import end
from retrieval.cli import PROGRAM

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
REST_S = 1.0
LONGEST_REST_S = 60.0


class ServedBot(Protocol):
    """The bot of one workspace; what is signed with its `secret` it takes for Slack's."""

    secret: str

    async def port(self) -> int:
        """Where it takes deliveries on this machine, once it does."""

    async def end(self) -> None:
        """Let it end what it is doing, and wait until it has."""


class BotProcess:
    """`whimbrel serve` with an environment of its own; it ends with us, however we end."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, program: Sequence[str] = PROGRAM
    ) -> None:
        self.secret = secrets.token_hex(32)
        self._folder = folder
        self._environment = {**environment, "SLACK_SIGNING_SECRET": self.secret}
        self._program = program
        self._port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._serving = asyncio.create_task(self._serve())

    async def port(self) -> int:
        """Where it takes deliveries on this machine, once it does."""
        return await asyncio.shield(self._port)

    async def end(self) -> None:
        """Let it end what it is doing, and wait until it has."""
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)

    async def _serve(self) -> None:
        rest_s = REST_S
        while True:
            began = time.monotonic()
            try:
                ended: object = await self._serve_once()
            except (OSError, ValueError) as error:
                ended = error
            if time.monotonic() - began > LONGEST_REST_S:
                rest_s = REST_S
            logger.error(
                "a bot has ended folder=%s: %s; again in %.0f s", self._folder, ended, rest_s
            )
            await asyncio.sleep(rest_s)
            rest_s = min(2 * rest_s, LONGEST_REST_S)

    async def _serve_once(self) -> int | None:
        child = await asyncio.create_subprocess_exec(
            *self._program, "serve", "--host", HOST, "--port", "0", "--behind",
            cwd=self._folder, env=self._environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert child.stdout is not None
        try:
            if line := await child.stdout.readline():
                self._port.set_result(int(line))
            await child.stdout.read()
            return await child.wait()
        finally:
            if self._port.done():
                self._port = asyncio.get_running_loop().create_future()
            if child.returncode is None:
                await end(child)
