"""Threads that work until the bot is told to stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class StoppablePool:
    """Runs calls on threads of its own. A call that takes long asks whether it `is_stopping`."""

    def __init__(self, threads: int, *, name: str, stop: threading.Event) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._stop = stop

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the call returns, off the event loop."""
        work = partial(copy_context().run, call, *args, **kwargs)  # with the trace
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    @property
    def is_stopping(self) -> bool:
        """Whether what is being done is to be broken off."""
        return self._stop.is_set()

    async def shutdown(self) -> None:
        """Take no more calls; returns when those in progress have."""
        await asyncio.to_thread(self._executor.shutdown)
