"""Hands what event sinks have sealed to the archives: in the background, and once more at the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import evolve

from codetether.models.archive import ArchiveProgress, ArchiveReport, EventArchive, untold
from codetether.plugins.boundary import BROKEN, asked
from codetether.record.book import reason
from codetether.values import frozen

PERIOD = 15.0
"""Seconds after which an archive that has everything looks for more; the end of a session is told to it at once."""

RETRY_FIRST, RETRY_LAST = 1.0, 60.0
"""Seconds until an archive with a problem is asked again: doubling, from the first to the last, a random part of it."""

PASS_LIMIT = 600.0
"""Seconds after which an archive is asked anew; it goes on where it was."""

PATIENCE = 60.0
"""Seconds after which a flush gives up on an archive that has stored nothing meanwhile."""

EXIT_LIMIT = 5.0
"""Seconds for which the end of the process waits for the archives."""

Told = Callable[[ArchiveProgress], None]


@frozen(kw_only=True)
class NamedArchive:
    """An archive with the words for it."""

    name: str
    archive: EventArchive


@frozen(kw_only=True)
class Archives:
    """What there is to archive, and where to."""

    spools: tuple[Path, ...] = ()
    archives: tuple[NamedArchive, ...] = ()


class Archiving:
    """Keeps the archives at work for as long as the process lives.

    What an archive lacks at the end stays in the spool, and is told: the next process stores it, or
    `codetether events flush`.
    """

    def __init__(
        self,
        make: Callable[[], Awaitable[Archives]],
        notice: Callable[[str], None],
        *,
        sleep: Callable[[asyncio.Event, float], Awaitable[None]] | None = None,
    ) -> None:
        """`make` is called when the first session opens; `sleep` waits for an event or so many seconds."""
        self._make = make
        self._notice = notice
        self._sleep = sleep or _either
        self._made: Archives | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = asyncio.Event()
        self._wakes: list[asyncio.Event] = []
        self._last: dict[str, ArchiveReport] = {}

    async def made(self) -> Archives:
        """The spools and the archives, made when they are first asked for."""
        if self._made is None:
            self._made = Archives()  # who asks meanwhile has nothing to wait for
            self._made = await self._make()
            if self._made.archives and not self._made.spools:
                names = ", ".join(each.name for each in self._made.archives)
                self._notice(f"{names} has nothing to archive: name a directory by CODETETHER_EVENT_STREAM_PATH")
        return self._made

    async def start(self) -> None:
        """Begins to archive what waits from earlier runs too; a second time does nothing."""
        if self._made is not None:
            return
        made = await self.made()
        if made.spools:
            for each in made.archives:
                wake = asyncio.Event()
                self._wakes.append(wake)
                self._tasks.append(asyncio.create_task(self._work(each, wake), name=each.name))

    def wake(self) -> None:
        """Something was sealed."""
        for wake in self._wakes:
            wake.set()

    async def close(self, limit: float = EXIT_LIMIT) -> None:
        """Asks each archive a last time, waits so many seconds at most, and says what is left."""
        if not self._tasks:
            return
        self._ending.set()
        self.wake()
        late = (await asyncio.wait(self._tasks, timeout=limit))[1]
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=0.5)
        self._tasks = []
        for each in (await self.made()).archives:
            self._say_left(each.name)

    async def flush(self, told: Told = untold, *, limit: float | None = None) -> list[tuple[str, ArchiveReport]]:
        """Asks each archive until nothing waits; what each has done in all.

        Gives up after `limit` seconds, and on an archive that has stored nothing for a minute.
        """
        made = await self.made()
        stored: dict[str, ArchiveReport] = {
            each.name: ArchiveReport(problem="there was not enough time") for each in made.archives
        }

        async def until_done(each: NamedArchive) -> None:
            delay, loop = RETRY_FIRST, asyncio.get_running_loop()
            patient_until = loop.time() + PATIENCE
            while True:
                report = await self._pass(each, made.spools, told)
                before = stored[each.name]
                stored[each.name] = evolve(
                    report,
                    stored=before.stored + report.stored,
                    stored_bytes=before.stored_bytes + report.stored_bytes,
                )
                if not report.waiting and not report.busy and not report.problem:
                    return
                if report.stored:
                    patient_until = loop.time() + PATIENCE
                if loop.time() > patient_until:
                    return
                await asyncio.sleep(delay)
                delay = min(2 * delay, 10.0)

        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await asyncio.gather(*(until_done(each) for each in made.archives))
        return list(stored.items())

    async def _work(self, each: NamedArchive, wake: asyncio.Event) -> None:
        spools = (await self.made()).spools
        delay = RETRY_FIRST
        said = ""
        while True:
            ending = self._ending.is_set()
            wake.clear()
            report = self._last[each.name] = await self._pass(each, spools, untold)
            if ending:
                return
            if not report.problem:
                if said:
                    self._notice(f"{each.name} works again")
                said, delay = "", RETRY_FIRST
                await self._sleep(wake, PERIOD)
                continue
            if report.problem != said:
                said = report.problem
                self._notice(f"{each.name} waits, and tries again: {said}")
            delay = RETRY_FIRST if report.stored else delay
            await self._sleep(self._ending, delay * random.uniform(0.5, 1.0))
            delay = min(2 * delay, RETRY_LAST)

    async def _pass(self, each: NamedArchive, spools: Sequence[Path], told: Told) -> ArchiveReport:
        total = ArchiveReport()
        for spool in spools:
            try:
                report = await asked(each.archive.archive, spool, told, limit=PASS_LIMIT)
            except BROKEN as error:  # an archive never fails a session
                report = ArchiveReport(problem=reason(error))
            total = ArchiveReport(
                stored=total.stored + report.stored,
                stored_bytes=total.stored_bytes + report.stored_bytes,
                waiting=total.waiting + report.waiting,
                waiting_bytes=total.waiting_bytes + report.waiting_bytes,
                problem=total.problem or report.problem,
                busy=total.busy or report.busy,
            )
        return total

    def _say_left(self, name: str) -> None:
        report = self._last.get(name)
        if report is None:
            self._notice(f"{name} could not look at what is to be archived; nothing is lost: codetether events flush")
        elif report.waiting:
            size = f"{report.waiting_bytes / 1e6:.1f} MB"
            self._notice(
                f"{name} lacks {report.waiting} files of events ({size}), which stay here: the next run stores them, "
                "or codetether events flush"
            )


async def _either(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
