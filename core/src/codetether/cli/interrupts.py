"""The one event loop of a command, and what Ctrl-C, SIGTERM and a closed terminal do to it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

from codetether.cli.app import EXIT

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """The first signal asks politely (`polite`, set by the command), the second cancels, the third ends the process."""

    def __init__(self, task: asyncio.Task[int]) -> None:
        self.polite: Callable[[], object] | None = None
        self._task = task
        self._count = 0

    def happened(self) -> None:
        """A signal came."""
        self._count += 1
        if self._count == 1 and self.polite is not None:
            self.polite()
        elif self._count <= 2:
            self._task.cancel()
        else:
            os._exit(EXIT["interrupted"])


def launch(command: Callable[[Interrupts], Awaitable[int]]) -> int:
    """Runs a command's coroutine to its exit code."""
    return asyncio.run(_supervised(command))


async def _supervised(command: Callable[[Interrupts], Awaitable[int]]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    interrupts = Interrupts(task)
    for number in SIGNALS:
        loop.add_signal_handler(number, interrupts.happened)
    try:
        return await command(interrupts)
    except asyncio.CancelledError:
        return EXIT["interrupted"]
