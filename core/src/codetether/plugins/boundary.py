"""Where code of plugins is called: within a limit, and what it raises arrives as an error that can be reported."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
import time
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from codetether.errors import CodetetherError, PluginError
from codetether.values import frozen

T = TypeVar("T")

IMPORT_LIMIT = 5.0
"""Seconds that a plugin may take to import."""
HOOK_LIMIT = 10.0
"""Seconds that one hook of one plugin may take, and each object's `create`, opening and closing."""
CALL_LIMIT = 120.0
"""Seconds that one method of a plugin's object may take that is not a tool's, a wire's or a sink's own."""
AT_ONCE = 0.002
"""Seconds that the event loop waits for a call on a thread: most are done by then, and a turn of it would cost more."""
BROKEN = (Exception, SystemExit)
"""What is caught around a plugin's code on the event loop: argparse alone shows why SystemExit is among it."""
TEXT_LIMIT = 1000
"""Characters of what a plugin says of itself, or of its failure, that are shown."""


def plain(text: str, limit: int = TEXT_LIMIT) -> str:
    """One line of at most `limit` characters, in which nothing is left that a terminal acts on."""
    line = " ".join(text[: 4 * limit].split())
    shown = line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def reason_of(error: BaseException) -> str:
    """One line that names an exception, whatever it is."""
    try:
        text = plain(_said(error))
    except Exception as worse:  # an exception that cannot even be shown still has a type
        text = f"(its text cannot be had: {type(worse).__name__})"
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _said(error: BaseException) -> str:
    """On one line a remedy needs a mark of its own."""
    if isinstance(error, CodetetherError) and error.remedy:
        return f"{error.message} — {error.remedy}"
    return str(error)


@frozen
class Outcome:
    """What a call on a thread came to: a value, or the very exception, even one that would end the process."""

    value: Any = None
    error: BaseException | None = None
    seconds: float = 0.0

    def get(self) -> Any:
        """The value. Raises PluginError that names what the call raised."""
        if self.error is not None:
            raise PluginError(reason_of(self.error)) from self.error
        return self.value


def _outcome(call: Callable[[], Any]) -> Outcome:
    began = time.perf_counter()
    # The plugin boundary, the one place where everything is caught: the caller reports it.
    try:
        return Outcome(call(), seconds=time.perf_counter() - began)
    except BaseException as error:
        return Outcome(error=error, seconds=time.perf_counter() - began)


class _Turn:
    """Calls that a thread makes one after the other, until it is abandoned within one."""

    def __init__(self, calls: Sequence[Callable[[], Any]]) -> None:
        self.outcomes: list[Outcome] = []
        self._calls = calls
        self._began = time.monotonic()
        self._abandoned = False
        self._lock = threading.Lock()

    def __call__(self) -> None:
        for call in self._calls:
            outcome = _outcome(call)
            with self._lock:
                if self._abandoned:
                    return
                self.outcomes.append(outcome)
                self._began = time.monotonic()

    def left(self, limit: float) -> float:
        """The seconds that the call at work has left. Where there are none it is abandoned, and gets no outcome."""
        with self._lock:
            left = self._began + limit - time.monotonic()
            self._abandoned = left <= 0
            return left


class Limiter:
    """Runs calls on a daemon thread, one after the other; a call that hangs is abandoned with its thread."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] | None = None

    def run(self, call: Callable[[], T], limit: float) -> T:
        """The call's value. Raises PluginError that names what the call raised, or that `limit` seconds passed."""
        value: T = self.run_each([call], limit)[0].get()
        return value

    def run_each(self, calls: Sequence[Callable[[], Any]], limit: float) -> list[Outcome]:
        """What each call came to, in their order. One thread takes all; after one that hangs, another the rest."""
        outcomes: list[Outcome] = []
        while len(outcomes) < len(calls):
            turn = _Turn(calls[len(outcomes) :])
            future = self._start(turn)
            while not future.done():
                if (left := turn.left(limit)) > 0:
                    with suppress(TimeoutError):  # of the waiting: what a call raised lies in its outcome
                        future.result(left)
                else:
                    turn.outcomes.append(Outcome(error=self._abandoned(limit), seconds=limit))
                    break
            outcomes += turn.outcomes
        return outcomes

    async def wait_each(self, calls: Sequence[Callable[[], Any]], limit: float) -> list[Outcome]:
        """The same, while the event loop goes on."""
        outcomes: list[Outcome] = []
        while len(outcomes) < len(calls):
            turn = _Turn(calls[len(outcomes) :])
            started = self._start(contextvars.copy_context().run, turn)
            try:
                started.result(AT_ONCE)
            except TimeoutError:  # of the waiting
                future = asyncio.wrap_future(started)
                while not started.done():
                    if (left := turn.left(limit)) > 0:
                        await asyncio.wait({future}, timeout=left)
                    else:
                        turn.outcomes.append(Outcome(error=self._abandoned(limit), seconds=limit))
                        break
            outcomes += turn.outcomes
        return outcomes

    def close(self) -> None:
        """Ends the thread, as soon as its call has returned."""
        if self._jobs is not None:
            self._jobs.put(None)
            self._jobs = None

    def _start(self, call: Callable[..., Any], *args: Any) -> Future[Outcome]:
        future: Future[Outcome] = Future()

        def job() -> None:
            outcome = _outcome(partial(call, *args))
            if future.set_running_or_notify_cancel():
                future.set_result(outcome)

        if self._jobs is None:
            self._jobs = queue.SimpleQueue()
            threading.Thread(target=_work, args=(self._jobs,), name="codetether-plugins", daemon=True).start()
        self._jobs.put(job)
        return future

    def _abandoned(self, limit: float) -> PluginError:
        self.close()
        return PluginError(f"took longer than {limit:g} s; abandoned")


def _work(jobs: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()


async def asked(method: Callable[..., Awaitable[T]], *args: Any, limit: float | None = None) -> T:
    """What a method of a plugin's object answers.

    Raises PluginError when `limit` seconds (120) pass, when the method tries to end the process, or when it lets a
    cancellation out that nobody asked for; else what the method raised.
    """
    seconds = CALL_LIMIT if limit is None else limit
    clock = asyncio.timeout(seconds)
    call = _called(method, *args)
    try:
        try:
            waiting = call.send(None)
        except StopIteration as ended:  # most never wait, and need no clock
            value: T = ended.value
            return value
        async with clock:
            return await _rest(call, waiting)
    except SystemExit as error:
        raise PluginError(reason_of(error)) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise PluginError("cancelled itself") from error
    except TimeoutError as error:
        if clock.expired():
            raise PluginError(f"took longer than {seconds:g} s") from error
        raise


async def _called(method: Callable[..., Awaitable[T]], *args: Any) -> T:
    return await method(*args)


@types.coroutine
def _rest(call: Coroutine[Any, Any, T], waiting: Any) -> Generator[Any, Any, T]:
    """Goes on with a call that has come to its first wait."""
    try:
        while True:
            try:
                sent = yield waiting
            except BaseException as error:
                waiting = call.throw(error)
            else:
                waiting = call.send(sent)
    except StopIteration as ended:
        value: T = ended.value
        return value
