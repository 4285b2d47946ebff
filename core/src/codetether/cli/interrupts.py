"""The one event loop of a command, and what Ctrl-C, SIGTERM and a closed terminal do to it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

from codetether.cli.app import EXIT

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """The first signal asks politely (`polite`, set by the command), the second cancels, the third ends the process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[int]) -> None:
        self.polite: Callable[[], object] | None = None
        self._loop = loop
        self._task = task
        self._count = 0
        self._restore_terminal = _terminal()

    def begin(self, polite: Callable[[], object] | None) -> None:
        """Another piece of work begins, and with it the count: its first signal asks politely again."""
        self.polite = polite
        self._count = 0

    def came(self, *_: object) -> None:
        """A signal came; called between any two instructions, so the loop is only told, but for the third."""
        self._count += 1
        if self._count > 2:
            self._restore_terminal()
            os._exit(EXIT["interrupted"])
        with suppress(RuntimeError):  # the loop has ended: the command's own exit code stands
            self._loop.call_soon_threadsafe(self._act, self._count)

    def _act(self, count: int) -> None:
        if count == 1 and self.polite is not None:
            self.polite()
        else:
            self._task.cancel()


def _terminal() -> Callable[[], None]:
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        return lambda: None
    from codetether.cli.keyboard import as_it_is

    return as_it_is()


def launch(command: Callable[[Interrupts], Awaitable[int]]) -> int:
    """Runs a command's coroutine to its exit code."""
    return asyncio.run(_supervised(command))


async def _supervised(command: Callable[[Interrupts], Awaitable[int]]) -> int:
    task = asyncio.current_task()
    assert task is not None
    interrupts = Interrupts(asyncio.get_running_loop(), task)
    for number in SIGNALS:
        signal.signal(number, interrupts.came)
    try:
        return await command(interrupts)
    except asyncio.CancelledError:
        return EXIT["interrupted"]


def settled() -> None:
    """The exit code is decided: a late signal must not replace it while the interpreter ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
