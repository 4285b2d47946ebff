"""One event sink for each promise of event sinks."""

from __future__ import annotations

import os
from typing import Any

from codetether import EventRecord, EventSinkSpec, SessionContext, TextComplete

from tests.kit.broken import breaking


class Lines:
    """A durable sink that keeps every promise: a line an event, `<sequence> <text>`."""

    def __init__(self, ctx: SessionContext) -> None:
        self.path = ctx.state_dir / "events.log"
        self.waiting: list[tuple[int, str]] = []

    def held(self) -> int:
        """The last sequence in the file."""
        if not self.path.exists():
            return 0
        return max((int(line.split(" ")[0]) for line in self.path.read_text().split("\n") if line), default=0)

    async def cursor(self) -> int:
        return self.held()

    async def write(self, record: EventRecord) -> None:
        text = record.event.text if isinstance(record.event, TextComplete) else ""
        self.waiting.append((record.sequence, ascii(text[:200])))

    async def flush(self) -> None:
        self.put([(number, text) for number, text in self.waiting if number > self.held()])
        self.waiting.clear()

    def put(self, lines: list[tuple[int, str]]) -> None:
        """Appends the lines."""
        with self.path.open("a") as file:
            file.write("".join(f"{number} {text}\n" for number, text in lines))
            file.flush()
            os.fsync(file.fileno())


class FromOne(Lines):
    async def cursor(self) -> int:
        return max(1, self.held())


class Humble(Lines):
    """Asks for the last event again, though it has it."""

    async def cursor(self) -> int:
        held = self.held()
        return held - 1 if held == 10 and not self.early() else held

    def early(self) -> bool:
        """Whether it was killed: more than one line end would be missing."""
        return self.path.with_name("killed").exists()

    async def write(self, record: EventRecord) -> None:
        await super().write(record)
        if record.sequence > 10:
            self.path.with_name("killed").touch()


class Boastful(Lines):
    """Its cursor is a file of its own, written when an event is taken."""

    async def cursor(self) -> int:
        mark = self.path.with_name("cursor")
        return int(mark.read_text() or 0) if mark.exists() else 0

    async def write(self, record: EventRecord) -> None:
        with self.path.with_name("cursor").open("w") as file:
            file.write(str(record.sequence))
        await super().write(record)


class Doubling(Lines):
    """Writes at once, tells a cursor of before, and takes what it has once more."""

    async def cursor(self) -> int:
        return self.held() // 10 * 10 if self.held() < 20 else 20 if self.flushed() else 10

    def flushed(self) -> bool:
        """Whether the last line was flushed."""
        mark = self.path.with_name("flushed")
        return mark.exists() and int(mark.read_text()) >= self.held()

    async def write(self, record: EventRecord) -> None:
        await super().write(record)
        self.put(self.waiting)
        self.waiting.clear()

    async def flush(self) -> None:
        with self.path.with_name("flushed").open("w") as file:
            file.write(str(self.held()))


class Prim(Lines):
    async def write(self, record: EventRecord) -> None:
        if isinstance(record.event, TextComplete):
            record.event.text.encode()
        await super().write(record)


class Hopeful(Lines):
    """Takes a write that failed for one that came through: what it says it holds, it keeps in the file's name."""

    async def flush(self) -> None:
        try:
            await super().flush()
        except OSError:
            self.path.with_name(f"held-{self.waiting[-1][0]}").touch()

    async def cursor(self) -> int:
        claimed = [int(each.name.partition("-")[2]) for each in self.path.parent.glob("held-*")]
        return max([self.held(), *claimed])


def sink(cls: type[Any]) -> Any:
    """A plugin with such a sink."""
    return breaking("event_sinks", EventSinkSpec(name="lines", create=cls, delivery="durable"))


BROKEN: dict[str, Any] = {
    "its cursor starts at 0": sink(FromOne),
    "its cursor tells what was flushed": sink(Humble),
    "its cursor is honest after a kill": sink(Boastful),
    "no event is kept twice": sink(Doubling),
    "odd events are taken": sink(Prim),
    "what cannot be kept is not claimed": sink(Hopeful),
}
