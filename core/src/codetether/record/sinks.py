"""Where the record of a session goes: its events, from the journal to every event sink."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

from codetether.errors import PluginError
from codetether.models.events import EventRecord
from codetether.models.session import JournalRecord, Session
from codetether.plugins.boundary import asked
from codetether.protocols import EventSink
from codetether.record.book import LIMIT, reason
from codetether.record.projection import follow, project, running_turn
from codetether.record.redact import Redactor
from codetether.record.trail import AuditTrail
from codetether.specs import EventSinkSpec

if TYPE_CHECKING:
    from codetether.storage.journal import Journal

__all__ = ["AuditTrail", "EventFeed", "project"]

END_LIMIT = 5.0
"""Seconds that all event sinks together may hold up the end of a turn."""

QUEUE = 4096
"""Events waiting for one sink; what goes beyond stays in the journal (durable) or is lost (lossy)."""

GATHER = 0.2
"""Seconds for which events are gathered for a durable sink: the journal is synced once for all of them."""

RETRY_FIRST, RETRY_LAST = 0.5, 60.0
"""Seconds until a durable sink that failed is tried again: doubling, from the first to the last."""


class EventFeed:
    """Feeds the event sinks of a session from its journal; none of them can hold up or fail a turn.

    A durable sink gets an event when its record is on the disk, so that no sink ever knows of what a power loss took
    back. One that fails is sent everything after its cursor later on: soon, at the end of a turn, or when the session
    is opened again. A lossy one loses events, which is counted and said at the end.
    """

    def __init__(
        self,
        sinks: Sequence[tuple[str, EventSinkSpec, EventSink]],
        journal: Journal,
        redactor: Redactor,
        notice: Callable[[str], None],
    ) -> None:
        self._journal = journal
        self._redactor = redactor
        self._outlets = tuple(_Outlet(plugin, spec, sink, self, notice) for plugin, spec, sink in sinks)
        self._arrived: deque[JournalRecord] = deque()
        self._session = journal.state.session
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Starts the sinks; those that lack something of the journal are sent it while the session goes on."""
        if not self._outlets:
            return
        self._loop = asyncio.get_running_loop()
        state = self._journal.state
        self._session = attrs.evolve(state.session, messages=running_turn(state.session.messages))
        await asyncio.gather(*(outlet.open() for outlet in self._outlets))

    def feed(self, item: JournalRecord) -> None:
        """Takes a record that the journal holds; what is to be done with it is done a moment later."""
        if self._loop is None:
            return
        if not self._arrived:
            self._loop.call_soon(self._distribute)
        self._arrived.append(item)

    async def flush(self) -> None:
        """Waits until every sink has made durable what it was given, or 5 seconds have passed."""
        self._distribute()
        waits = {asyncio.ensure_future(outlet.flush()) for outlet in self._outlets if outlet.responds}
        if waits:
            await asyncio.wait(waits, timeout=END_LIMIT)
        for wait in waits:
            wait.cancel()

    async def close(self) -> None:
        """Flushes, stops, and says what was lost and what is still to be sent."""
        try:
            await self.flush()
            if any(outlet.lacking for outlet in self._outlets):
                await self.flush()  # once more, because most failures pass
        finally:
            self._loop = None
            for outlet in self._outlets:
                await outlet.close()

    def _distribute(self) -> None:
        while self._arrived:
            item = self._arrived.popleft()
            self._session = follow(self._session, item)
            made = self._events(item, self._session)
            for outlet in self._outlets:
                outlet.push(made)

    def holds_more(self, after: int) -> bool:
        """Whether the journal holds events of records after a sequence."""
        if after >= self.last:
            return False
        return any(project(item, self._session, 0) for item in self._journal.records(after))

    def recorded(self, after: int) -> Iterator[tuple[EventRecord, ...]]:
        """What the journal holds after a sequence: the events of each record, in order."""
        session = self._session
        for item in self._journal.records():
            session = follow(session, item)
            if item.sequence > after:
                yield self._events(item, session)

    async def settle(self) -> None:
        """What the journal holds is on the disk."""
        await self._journal.sync()

    @property
    def last(self) -> int:
        """The sequence of the journal's last record."""
        return self._journal.state.sequence

    def _events(self, item: JournalRecord, session: Session) -> tuple[EventRecord, ...]:
        return tuple(map(self._redactor.value, project(item, session, 0)))


class _Outlet:
    """One event sink with its queue and the task that writes to it."""

    def __init__(
        self, plugin: str, spec: EventSinkSpec, sink: EventSink, feed: EventFeed, notice: Callable[[str], None]
    ) -> None:
        self.responds = True  # False: a flush waited in vain, so the next does not wait until something moves
        self._name = f'event sink "{spec.name}" ({plugin})'
        self._durable = spec.delivery == "durable"
        self._sink = sink
        self._feed = feed
        self._notice = notice
        self._task: asyncio.Task[None] | None = None
        self._queue: deque[EventRecord] = deque()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._flushes: list[asyncio.Future[None]] = []
        self._taken: tuple[float, float] = (0, 0)  # sequence and part of the last event that the sink took
        self._behind = False  # the sink lacks what only the journal holds
        self._failed = False
        self._delay = RETRY_FIRST
        self._lost = 0

    async def open(self) -> None:
        """Starts the task."""
        self._taken = (self._feed.last, math.inf)
        if self._durable:
            try:
                cursor = await asked(self._sink.cursor, limit=END_LIMIT)
                self._taken = (cursor, math.inf)
                self._behind = self._feed.holds_more(cursor)
            except Exception as error:  # a sink never fails a session
                self._fail(error)
        self._task = asyncio.create_task(self._work(), name=self._name)
        self._wake.set()

    @property
    def lacking(self) -> bool:
        """Whether there are events that the sink must still get."""
        return self._durable and (self._behind or bool(self._queue))

    def push(self, made: Sequence[EventRecord]) -> None:
        """Queues events, unless the sink has them or gets them from the journal anyhow."""
        new = [e for e in made if (e.sequence, e.part) > self._taken]
        if self._behind or not new:
            return
        if len(self._queue) + len(new) <= QUEUE:
            self._queue.extend(new)
        elif self._durable:
            self._queue.clear()
            self._behind = True
        else:
            self._lost += len(new)
        self._wake.set()

    async def flush(self) -> None:
        """Returns when the sink has made durable what it was given, or has failed to."""
        flushed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushes.append(flushed)
        self._wake.set()
        self._hurry.set()
        self.responds = False
        await flushed

    async def close(self) -> None:
        """Stops the task, and says what the sink did not get."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=0.2)
        if self.lacking:
            self._notice(f"{self._name} lacks events of this session; they are sent when it is opened again")
        lost = self._lost + (0 if self._durable else len(self._queue))
        if lost:
            self._notice(f"{self._name} lost {lost} events of this session")

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            if self._durable:
                await self._gather()
            self._wake.clear()
            self._hurry.clear()
            flushes, self._flushes = self._flushes, []
            try:
                await self._drain()
                if flushes:
                    await asked(self._sink.flush, limit=LIMIT)
            except (Exception, asyncio.CancelledError) as error:  # a sink never fails a session, nor ends this task
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                self._fail(error)
            else:
                self._worked()
            self.responds = True
            for waiting in flushes:
                if not waiting.done():
                    waiting.set_result(None)

    async def _gather(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER):
                await self._hurry.wait()

    async def _drain(self) -> None:
        while self._behind or self._queue:
            end = max(self._feed.last, self._queue[-1].sequence if self._queue else 0)
            if self._durable:
                await self._feed.settle()
            if self._behind:
                await self._catch_up(end)
            else:
                await self._send_queue(end if self._durable else math.inf)

    async def _send_queue(self, end: float) -> None:
        """Sends what waits, up to a sequence."""
        while self._queue and self._queue[0].sequence <= end:
            event = self._queue.popleft()
            try:
                await self._write(event)
            except Exception as error:
                if self._durable:
                    raise
                self._lost += 1
                self._fail(error)

    async def _catch_up(self, end: float) -> None:
        """Sends from the journal what is missing, up to a sequence."""
        if self._failed:
            self._taken = (await asked(self._sink.cursor, limit=LIMIT), math.inf)
        for made in self._feed.recorded(int(self._taken[0]) - 1):
            for event in made:
                if self._taken < (event.sequence, event.part) <= (end, math.inf):
                    await self._write(event)
        self._taken = max(self._taken, (end, math.inf))
        self._behind = self._feed.last > end

    async def _write(self, event: EventRecord) -> None:
        try:
            made = self._sink.write(event)
        except SystemExit as error:
            raise PluginError(reason(error)) from error
        if made is not None:
            await asked(lambda: made, limit=LIMIT)
        self._taken = (event.sequence, event.part)
        self.responds = True
        if event.sequence % 32 == 0 and event.part == 0:
            await asyncio.sleep(0)  # a sink that never waits must not keep the loop from others

    def _fail(self, error: BaseException) -> None:
        if not self._failed:
            fate = "its events stay in the session and are sent again" if self._durable else "events are lost"
            self._notice(f"{self._name} fails, {fate}: {reason(error)}")
        self._failed = True
        if self._durable:
            self._behind = True
            self._queue.clear()
            asyncio.get_running_loop().call_later(self._delay, self._wake.set)
            self._delay = min(2 * self._delay, RETRY_LAST)

    def _worked(self) -> None:
        if self._failed and self._durable:
            self._failed = False
            self._delay = RETRY_FIRST
            self._notice(f"{self._name} works again; it has every event")
