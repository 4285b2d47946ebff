"""The event sink `tally`: a line an event, and the last line is the cursor."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from codetether import EventRecord, EventSinkSpec, SessionContext, hookimpl


class Tally:
    """Appends to a file of the session."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []

    async def cursor(self) -> int:
        """The sequence of the last line, which the file holds for good."""
        if not self._path.exists():
            return 0
        *_, last = self._path.read_text().splitlines() or ["0"]
        return int(last.split()[0])

    async def write(self, record: EventRecord) -> None:
        """Takes one event."""
        self._lines.append(f"{record.sequence} {record.turn}.{record.step} {type(record.event).__name__}\n")

    async def flush(self) -> None:
        """Puts what was taken onto the disk."""
        with self._path.open("a") as file:
            file.writelines(self._lines)
            file.flush()
            os.fsync(file.fileno())
        self._lines.clear()


def _create(ctx: SessionContext) -> Tally:
    return Tally(ctx.state_dir / f"{ctx.session.id}.log")


@hookimpl
def codetether_event_sinks() -> Iterable[EventSinkSpec]:
    """Durable: what it misses is sent again."""
    yield EventSinkSpec(name="tally", create=_create, delivery="durable")
