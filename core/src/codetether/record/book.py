"""One audit sink: its entries one after the other, what is known of its health, and its anchors."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from codetether.errors import CodetetherError, PluginError
from codetether.models.audit import AuditEntry
from codetether.models.record import JSON
from codetether.plugins.boundary import BROKEN, asked, plain, reason_of
from codetether.protocols import AnchoredAuditSink, AuditSink
from codetether.specs import AuditSinkSpec

_Begin = Callable[[], Awaitable[None] | None]

LIMIT = 10.0
"""Seconds that a sink has for one entry or event."""

PAUSE = 30.0
"""Seconds for which an audit sink that is not required is left alone after it let that limit pass."""


class Book:
    """One audit sink, with what is known of its health.

    Attributes:
        since: entries that are not anchored; stays 0 where the sink has no anchors. anchored: its last anchor, as all
            others are given it. last: the entry that was given to it last, as long as that is under way.
    """

    def __init__(self, plugin: str, spec: AuditSinkSpec, sink: AuditSink, notice: Callable[[str], None]) -> None:
        self.name = f'audit sink "{spec.name}" ({plugin})'
        self.sink_name = spec.name
        self.required = spec.required
        self.since = 0
        self.anchored: AuditEntry | None = None
        self.last: asyncio.Future[str] | None = None
        self._sink = sink
        self._notice = notice
        self._waiting: deque[tuple[_Begin, asyncio.Future[str]]] = deque()
        self._work: asyncio.Task[None] | None = None
        self._now: tuple[asyncio.Future[str], asyncio.Task[None]] | None = None
        self._hung: asyncio.Task[None] | None = None
        self._paused_until = 0.0
        self._missed = 0
        self._anchor = sink.anchor if isinstance(sink, AnchoredAuditSink) else None
        self._unanchored = False

    def record(self, entry: AuditEntry) -> asyncio.Future[str] | str:
        """Begins to record an entry, after those before it, in a task of the book's: nobody's cancellation ends it.

        The text, at once where it has ended already: why the sink does not have the entry, empty when it has.
        """
        if (self._hung is not None and not self._hung.done()) or time.monotonic() < self._paused_until:
            return f"it did not answer within {LIMIT:g} s"
        if self._work is not None and not self._work.done():
            return self._queued(partial(self._sink.record, entry))
        try:
            made = self._sink.record(entry)
        except BROKEN as error:
            return reason(error)
        if made is None:
            return ""
        said = self._queued(lambda: made)
        self._work = asyncio.create_task(self._recorded())
        return said

    def _queued(self, begin: _Begin) -> asyncio.Future[str]:
        self.last = asyncio.get_running_loop().create_future()
        self._waiting.append((begin, self.last))
        return self.last

    async def _recorded(self) -> None:
        """Records what waits, one after the other, until nothing does."""
        while self._waiting:
            begin, said = self._waiting.popleft()
            if said.done():  # nobody waits for it any more
                continue
            try:
                made = begin()
            except BROKEN as error:
                said.set_result(reason(error))
                continue
            if made is None:
                said.set_result("")
                continue
            task = asyncio.create_task(_awaited(made))
            self._now = said, task
            while not task.done():
                await asyncio.wait({task}, timeout=LIMIT)
                if not task.done() and not said.done():  # who asked for it was cancelled
                    self._given_up(said)
            if not said.done():
                said.set_result(_why(task))

    def settle(self, tried: asyncio.Future[str] | str) -> str:
        """Why the sink does not have the entry; empty when it has. Says it where that is new."""
        why = tried if isinstance(tried, str) else tried.result() if tried.done() else self._given_up(tried)
        if why:
            if not self._missed:
                self._notice(f"{self.name} fails: {why}")
            self._missed += 1
            return why
        if self._anchor is not None:
            self.since += 1
        if self._missed:
            self._notice(f"{self.name} works again; {self._missed} audit entries did not reach it")
            self._missed = 0
        return why

    async def anchor(self) -> Mapping[str, JSON] | None:
        """The sink's head, durable in its own place; None where there is nothing new, or it failed, which is said."""
        if self._anchor is None or not self.since:
            return None
        since, self.since = self.since, 0
        try:
            head = await asked(self._anchor, limit=LIMIT)
        except BROKEN as error:
            self.since += since
            if not self._unanchored:
                self._unanchored = True
                self._notice(f"{self.name} could not be anchored: {reason(error)}")
            return None
        self._unanchored = False
        return head

    def _given_up(self, tried: asyncio.Future[str]) -> str:
        tried.set_result(why := f"it did not answer within {LIMIT:g} s")
        if self._now is not None and self._now[0] is tried:
            self._hung = self._now[1]
            self._hung.cancel()  # which a sink may swallow
        self._paused_until = 0.0 if self.required else time.monotonic() + PAUSE
        return why


def _why(task: asyncio.Task[None]) -> str:
    """Why what the task did failed; empty where it did not."""
    if task.cancelled():
        return "it was cancelled"
    error = task.exception()
    return "" if error is None else reason(error)


async def _awaited(made: Awaitable[None]) -> None:
    try:
        await made
    except SystemExit as error:  # it must not end the event loop
        raise PluginError(reason_of(error)) from error


def reason(error: BaseException) -> str:
    """What went wrong, on one line."""
    if isinstance(error, TimeoutError) and not str(error):
        return f"it did not answer within {LIMIT:g} s"
    if isinstance(error, CodetetherError):
        return ". ".join(filter(None, (plain(error.message).rstrip("."), plain(error.remedy))))
    return reason_of(error)
