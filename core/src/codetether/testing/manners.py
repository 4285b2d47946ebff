"""How a plugin behaves in the process that it shares with all others, looked at while any of its promises is tried."""

from __future__ import annotations

import asyncio
import io
import locale
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import Any

from codetether.testing.promises import BrokenPromise

STALL = 2.0
"""Seconds that the event loop may stand still, since nobody else moves meanwhile."""
STUCK = 12.0
"""Seconds after which what holds the event loop is interrupted, so that the others can be tried."""
PATIENCE = 1.0
"""Seconds that threads and tasks have to end, once everything is closed."""
POOLS = ("asyncio_", "codetether")
"""How threads are named that plain functions run on: such a function cannot be stopped, only waited for."""


class Stuck(BaseException):
    """Raised within what holds the event loop for too long; no plugin takes it for an error of its own."""


def _umask() -> int:
    os.umask(mask := os.umask(0o077))
    return mask


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals() if number != signal.SIGURG}


def _handle(before: Mapping[int, Any]) -> None:
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():
            if handler is not None and handler is not signal.getsignal(number):
                signal.signal(number, handler)


SHARED: Mapping[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "the working directory": (os.getcwd, os.chdir),
    "the mask for modes of new files": (_umask, os.umask),
    "the locale": (lambda: locale.setlocale(locale.LC_ALL), lambda before: locale.setlocale(locale.LC_ALL, before)),
    "the handlers of signals": (_handlers, _handle),
    "the time limit of all sockets": (socket.getdefaulttimeout, socket.setdefaulttimeout),
    "the limit of recursion": (sys.getrecursionlimit, sys.setrecursionlimit),
    "the level of the root logger": (lambda: logging.root.level, logging.root.setLevel),
    "the handlers of the root logger": (
        lambda: [*logging.root.handlers],
        lambda handlers: setattr(logging.root, "handlers", handlers),
    ),
}
"""What belongs to the whole process: how to look at it, and how to put it back."""


@contextmanager
def well_behaved(package: str) -> Iterator[None]:
    """Raises BrokenPromise at its end where what belongs to all was changed or written to; puts it back.

    Opened on the event loop, around a trial. `package` begins the names of the plugin's own modules.
    """
    before = {what: look() for what, (look, _) in SHARED.items()}
    clock, written = _Clock(package), io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", write_through=True)
    try:
        with clock, redirect_stdout(written):
            yield
    except Stuck:
        clock.stood = clock.stood or f"it held the event loop for {STUCK:g} s"
    finally:
        after = {what: look() for what, (look, _) in SHARED.items()}
        for what, (_, put_back) in SHARED.items():
            if after[what] != before[what]:
                put_back(before[what])
    if clock.stood:
        raise BrokenPromise(clock.stood)
    for what, was in before.items():
        if after[what] != was:
            told = "" if isinstance(was, dict | list) else f" from {was!r} to {after[what]!r}"
            raise BrokenPromise(f"it changed {what}{told}, which the whole process shares")
    written.seek(0)
    if said := written.read(80):
        raise BrokenPromise(f"it printed {said!r}; standard output is the program's own: return the text, or log it")


@contextmanager
def threads_ended(package: str) -> Iterator[None]:
    """Raises BrokenPromise where a thread that began meanwhile runs the plugin's code a second after the block."""
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + PATIENCE
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith(POOLS):
            continue
        while where := _within(package, thread.ident):
            if time.monotonic() > end:
                raise BrokenPromise(f"a thread of it is left after everything was closed, {where}; end it in __aexit__")
            time.sleep(PATIENCE / 50)


async def tasks_ended(before: set[asyncio.Task[Any]]) -> None:
    """Raises BrokenPromise where tasks that began since are there after a second."""
    if left := asyncio.all_tasks() - before:
        _, left = await asyncio.wait(left, timeout=PATIENCE)
    for task in left:
        task.cancel()
    if left:
        names = ", ".join(sorted(str(getattr(task.get_coro(), "__qualname__", task)) for task in left))
        raise BrokenPromise(f"the task {names} is left after everything was closed; end it in __aexit__")


class _Clock:
    """Sees on a thread of its own whether the event loop goes on, and what holds it."""

    def __init__(self, package: str) -> None:
        self.stood = ""
        self._package = package
        self._loop = asyncio.get_running_loop()
        self._owner = threading.get_ident()
        self._main = threading.current_thread() is threading.main_thread()
        self._beaten = time.monotonic()
        self._over = threading.Event()

    def __enter__(self) -> None:
        if self._main:
            self._handler = signal.signal(signal.SIGURG, _interrupt)
        self._beat()
        threading.Thread(target=self._watch, name="codetether-clock", daemon=True).start()

    def __exit__(self, *why: object) -> None:
        self._over.set()
        self._next.cancel()
        if self._main:
            signal.signal(signal.SIGURG, self._handler)

    def _beat(self) -> None:
        self._beaten = time.monotonic()
        self._next = self._loop.call_later(STALL / 10, self._beat)

    def _watch(self) -> None:
        while not self._over.wait(STALL / 5):
            still = time.monotonic() - self._beaten
            if still > STALL and (where := _within(self._package, self._owner)):
                self.stood = f"it held the event loop for more than {STALL:g} s, {where}; wait in asyncio.to_thread"
            if still > STUCK and self._main and not self._over.is_set():
                self._beaten = time.monotonic()
                signal.pthread_kill(self._owner, signal.SIGURG)


def _within(package: str, thread: int | None) -> str:
    """The innermost line of the plugin in which a thread is; empty where it is in none."""
    found = sys._current_frames().get(thread or 0)
    for frame, line in traceback.walk_stack(found) if found else ():
        module = f"{frame.f_globals.get('__name__', '')}."
        if package and module.startswith(f"{package}.") and not module.endswith(".trials."):
            return f"in {frame.f_code.co_qualname} ({os.path.relpath(frame.f_code.co_filename)}:{line})"
    return ""


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Stuck
