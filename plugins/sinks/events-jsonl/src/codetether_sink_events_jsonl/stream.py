"""The event stream of one session: lines in sealed files, each event once, whatever fails or dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from codetether import Disk, EventRecord, SegmentLimits, Segments, StorageError, stream_stamp, to_json

from codetether_sink_events_jsonl.lines import Family, chat_event, place
from codetether_sink_events_jsonl.settings import EventsJsonlSettings

if TYPE_CHECKING:
    from pathlib import Path

PAUSE, RETRY = 0.5, 10.0
"""Seconds until an old file whose last record goes on, or that could not be sealed, is looked at again."""

CLOSE_LIMIT = 5.0
"""Seconds that a disk which does not answer may hold up the end of the session."""


class EventStream:
    """An EventSink. The files are their own cursor: what they hold is found from them alone.

    A line tells the number of its journal record and its part of it; a file is only ever sealed between two records.
    Lines are written in groups on a thread of their own, a moment after they are taken; `flush` makes them durable.
    """

    def __init__(self, directory: Path, settings: EventsJsonlSettings, notice: Callable[[str], None]) -> None:
        limits = SegmentLimits(bytes=settings.max_bytes, seconds=settings.max_seconds)
        self._segments = Segments(directory, "chat-events", limits=limits, stamp=stream_stamp, whole=_whole)
        self._disk = Disk()
        self._max_bytes, self._max_seconds = settings.max_bytes, settings.max_seconds
        self._notice = notice
        self._held: tuple[int, int] | None = None  # the last event that is written or waits to be; None: ask the files
        self._waiting: list[tuple[int, bytes]] = []  # sequences and lines
        self._writing: asyncio.Task[None] | None = None
        self._last_sequence = 0  # of the lines in the files; the I/O thread's own
        self._ended = False  # the stream ends with a whole record
        self._abandoned = False  # the thread hangs; when it wakes, another stream may own the files
        self._problem = ""
        self._family = Family()
        self._timer: asyncio.TimerHandle | None = None
        self._sealing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            async with asyncio.timeout(CLOSE_LIMIT):
                await self._written()
                if self._ended:
                    await self._disk.call(self._segments.seal)
                await self._disk.call(self._segments.close)
                await self._disk.close()
        except TimeoutError:
            self._abandoned = True
            self._notice(f"the event stream was not closed: the disk did not answer within {CLOSE_LIMIT:g} s")
        except StorageError as failed:
            self._notice(f"the last file of the event stream is not sealed: {failed.message}")

    async def cursor(self) -> int:
        """What the files hold, and nothing else; what waits to be written is dropped."""
        self._held = None
        self._waiting.clear()
        if self._writing is not None:
            await asyncio.wait({self._writing})
            self._writing.exception()  # whoever asks for the cursor knows that something failed
            self._writing = None
        sequence, part, self._ended = await self._disk.call(self._read_end)
        self._held = (sequence, part)
        self._say()
        self._watch_age()
        return sequence if self._ended else max(0, sequence - 1)

    def write(self, record: EventRecord) -> Awaitable[None] | None:
        """Takes an event that the stream does not have. Raises what went wrong with those before."""
        self._raise_failure()
        if self._held is None:
            return self._write_first(record)
        if (record.sequence, record.part) <= self._held:
            if (
                record.sequence,
                record.part,
            ) == self._held:  # what an earlier process wrote last: was it the whole record?
                self._ended = record.part + 1 >= record.parts
            return None
        self._held = (record.sequence, record.part)
        self._ended = record.part + 1 >= record.parts
        event = chat_event(record, self._family)
        if event is not None:
            self._waiting.append((record.sequence, to_json(event) + b"\n"))
            if self._writing is None:
                self._writing = asyncio.create_task(self._write_out())
        return None

    async def _write_first(self, record: EventRecord) -> None:
        await self.cursor()
        self.write(record)

    async def flush(self) -> None:
        """Everything taken so far is on the disk."""
        await self._written()
        await self._disk.sync(self._segments)
        self._say()
        self._watch_age()

    async def _written(self) -> None:
        """Waits for what is being written. Cancelling the wait does not stop the writing."""
        while self._writing is not None:
            await asyncio.wait({self._writing})
            self._raise_failure()

    def _raise_failure(self) -> None:
        if self._writing is not None and self._writing.done():
            done, self._writing = self._writing, None
            if done.exception() is not None:
                self._held = None
            done.result()

    async def _write_out(self) -> None:
        try:
            while self._waiting:
                lines, self._waiting = self._waiting, []
                await self._disk.call(self._append, lines)
                self._disk.dirty(self._segments)
                self._watch_age()
        finally:
            self._waiting.clear()

    def _append(self, lines: list[tuple[int, bytes]]) -> None:
        """On the I/O thread: what belongs to one record goes into one file; what the file has room for, at once."""
        together = b"".join(line for _, line in lines)
        if self._segments.end - self._segments.first + len(together) <= self._max_bytes:
            self._segments.append(together, cut=lines[0][0] != self._last_sequence)
            self._last_sequence = lines[-1][0]
            return
        for sequence, line in lines:
            if self._abandoned:
                return
            self._segments.append(line, cut=sequence != self._last_sequence)
            self._last_sequence = sequence

    def _read_end(self) -> tuple[int, int, bool]:
        """On the I/O thread: sequence and part of the last event in the files, and whether its record is whole."""
        self._segments.open()
        line = self._segments.last_line()
        self._last_sequence, part = (place(line) if line else None) or (0, 0)
        self._family.recall(self._segments.last_lines())
        return self._last_sequence, part, self._segments.empty

    def _watch_age(self, pause: float = 0.0) -> None:
        """The open file is looked at again when it will be old, whether or not something comes until then."""
        if self._timer is None and not self._segments.empty:
            left = max(self._max_seconds - self._segments.age, pause)
            self._timer = asyncio.get_running_loop().call_later(left, self._seal_later)

    def _seal_later(self) -> None:
        self._timer = None
        if self._segments.age < self._max_seconds:  # another file than the one that the clock was set for
            self._watch_age()
        elif not self._ended or (
            self._writing is not None and not self._writing.done()
        ):  # the record that it ends with goes on
            self._watch_age(PAUSE)
        else:
            self._sealing = asyncio.create_task(self._seal())

    async def _seal(self) -> None:
        try:
            await self._disk.call(self._segments.seal)
        except StorageError as error:
            self._notice(f"a file of the event stream could not be sealed yet: {error.message}")
            self._watch_age(RETRY)

    def _say(self) -> None:
        while self._segments.repairs:
            self._notice(f"the event stream was mended: {self._segments.repairs.pop(0)}")
        if self._segments.problem != self._problem:
            self._problem = self._segments.problem
            if self._problem:
                self._notice(f"the event stream goes on in the same file, though it is full: {self._problem}")


def _whole(line: bytes) -> bool:
    return place(line) is not None
