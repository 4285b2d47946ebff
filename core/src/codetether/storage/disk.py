"""The one I/O thread of a process: syncs in groups, and calls that would block the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from codetether.errors import StorageError

T = TypeVar("T")


class Syncable(Protocol):
    """What a Disk can make durable."""

    def sync(self) -> None:
        """Blocks until it is durable; raises StorageError."""
        ...


class Disk:
    """The one I/O thread of a process: it syncs files in groups and runs what would block the event loop.

    The thread starts with the first job. `close` makes everything durable and ends it.

    Attributes:
        closed: whether it takes no more jobs.
    """

    INTERVAL = 0.5
    """Seconds after which files that were marked dirty are synced."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._dirty: dict[Syncable, None] = {}
        self._thread: threading.Thread | None = None
        self._asleep = True
        self.closed = False

    async def sync(self, file: Syncable) -> None:
        """Returns when all that was written to the file before is on the disk; raises StorageError.

        All waiters of the same file share one fsync.
        """
        await self._submit(file.sync, file)

    def dirty(self, file: Syncable) -> None:
        """The file is synced within a second. A failure is the file's to remember."""
        if file not in self._dirty and not self.closed:
            self._dirty[file] = None
            if self._asleep:
                self._put(None)

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        """Runs a blocking function on the I/O thread; cancelling the wait does not stop it."""
        made: T = await self._submit(lambda: function(*args), None)
        return made

    async def close(self) -> None:
        """Syncs what is dirty and ends the thread; a second time does nothing."""
        if self._thread is not None and not self.closed:
            closing = self._submit(self._flush, None, last=True)
            self.closed = True
            await closing
        self.closed = True

    def _submit(self, run: Callable[[], Any], file: Syncable | None, *, last: bool = False) -> asyncio.Future[Any]:
        if self.closed:
            raise StorageError("the disk's thread has ended", remedy="Open the store again.")
        loop = asyncio.get_running_loop()
        job = _Job(run, file, loop, loop.create_future(), last)
        self._put(job)
        return job.future

    def _put(self, job: _Job | None) -> None:
        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="codetether-disk", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        due: float | None = None
        while True:
            batch = self._next(due)
            now = time.monotonic()
            due = now + self.INTERVAL if due is None else due
            synced: dict[Syncable, BaseException | None] = {}
            for job in batch:
                self._do(job, synced)
                if job.last:
                    return
            if now >= due:
                due = now + self.INTERVAL if self._dirty else None
                self._flush()

    def _next(self, due: float | None) -> list[_Job]:
        """All jobs that are there, once there is one or the dirty files are due; sleeps where nothing is."""
        if due is None:
            self._asleep = True
            if self._dirty:  # marked between the last look and falling asleep
                self._asleep = False
                return []
        found: list[_Job] = []
        try:
            first = self._jobs.get(timeout=None if due is None else max(0.0, due - time.monotonic()))
            self._asleep = False
            found += [first] if first else []
            while True:
                job = self._jobs.get_nowait()
                found += [job] if job else []
        except Empty:
            return found

    def _do(self, job: _Job, synced: dict[Syncable, BaseException | None]) -> None:
        value: Any = None
        error: BaseException | None = None
        if job.file is not None and job.file in synced:
            error = synced[job.file]
        else:
            if job.file is not None:
                self._dirty.pop(job.file, None)
            try:
                value = job.run()
            except BaseException as raised:
                error = raised
            if job.file is not None:
                synced[job.file] = error
        with suppress(RuntimeError):  # the loop that waited is closed: nobody waits any more
            job.loop.call_soon_threadsafe(_settle, job.future, value, error)

    def _flush(self) -> None:
        for file in list(self._dirty):
            self._dirty.pop(file, None)
            with suppress(Exception):  # the thread goes on; the file remembers it and refuses the next append
                file.sync()


class _Job:
    """One thing to do on the I/O thread, and who waits for it."""

    __slots__ = ("file", "future", "last", "loop", "run")

    def __init__(
        self,
        run: Callable[[], Any],
        file: Syncable | None,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
        last: bool,
    ) -> None:
        self.run = run
        self.file = file
        self.loop = loop
        self.future = future
        self.last = last


def _settle(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
