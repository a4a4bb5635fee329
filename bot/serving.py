"""What serves: opened and closed as one, until the process is told to end."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)


class Serving(ABC):
    """Serves from `async with` to its end; where it cannot begin, what was opened is closed."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    @abstractmethod
    async def _start(self, stack: AsyncExitStack) -> None:
        """Begin, and push onto the stack what is to be undone at the end."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()


async def run_until_stopped(
    server: Serving, *, on_start: Callable[[], None] = lambda: None, until_input_ends: bool = False
) -> None:
    """Serve until the process is told to end; then let answers in progress be finished.

    Who starts it as a child may hold its standard input, of which nothing is read: that ends with
    the parent, however that ends.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    if until_input_ends:
        loop.add_reader(sys.stdin, stopped.set)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    async with server:
        on_start()
        await stopped.wait()
        if until_input_ends:
            loop.remove_reader(sys.stdin)
        logger.info("stopping")
