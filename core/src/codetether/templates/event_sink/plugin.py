"""The event sink `change-me`: a file a session, a line an event; the last line is the cursor."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from codetether import EventRecord, EventSinkSpec, SessionContext, hookimpl

NAME = "change-me"


class Diary:
    """Holds its lines back until it is asked to make them durable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []

    async def cursor(self) -> int:
        """The sequence of the last line: what follows it is sent again."""
        if not self._path.exists():
            return 0
        *_, last = self._path.read_text().splitlines() or ["0"]
        return int(last.split()[0])

    def write(self, record: EventRecord) -> None:
        """Takes one event; a sink that has to wait for something makes this an async method."""
        self._lines.append(f"{record.sequence} {record.turn}.{record.step} {type(record.event).__name__}\n")

    async def flush(self) -> None:
        """Puts what was taken onto the disk."""
        with self._path.open("a") as file:
            file.writelines(self._lines)
            file.flush()
            os.fsync(file.fileno())
        self._lines.clear()


def _create(ctx: SessionContext) -> Diary:
    return Diary(ctx.state_dir / f"{ctx.session.id}.log")


@hookimpl
def codetether_event_sinks() -> Iterable[EventSinkSpec]:
    """Durable: what it misses is sent again."""
    yield EventSinkSpec(name=NAME, create=_create, delivery="durable")
