"""One audit sink for each promise of audit sinks."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Any

from codetether import AuditEntry, AuditSinkSpec, PluginContext, to_json

from tests.kit.broken import breaking


def replaced(path: Path, data: bytes) -> None:
    """The whole file at once."""
    whole = path.with_name(f"{path.name}.{os.getpid()}")
    whole.write_bytes(data)
    whole.replace(path)


class Log:
    """A sink that keeps every promise."""

    def __init__(self, ctx: PluginContext) -> None:
        self.path = ctx.state_dir / "log.jsonl"
        self.setup()

    def setup(self) -> None:
        """Nothing."""

    async def record(self, entry: AuditEntry) -> None:
        with self.path.open("ab", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(to_json(entry) + b"\n")


class NewestFirst(Log):
    async def record(self, entry: AuditEntry) -> None:
        with Path(f"{self.path}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self.path.read_bytes() if self.path.exists() else b""
            replaced(self.path, to_json(entry) + b"\n" + before)


class Plain(Log):
    async def record(self, entry: AuditEntry) -> None:
        with self.path.open("a", buffering=1, errors="replace") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(f"{entry.action} {entry.outcome}\n{entry.detail.get('text', '')[:100]}\n")


class Buffered(Log):
    def setup(self) -> None:
        self.file = self.path.open("ab", buffering=1 << 20)

    async def record(self, entry: AuditEntry) -> None:
        self.file.write(to_json(entry) + b"\n")
        if self.waiting():
            self.file.flush()

    def waiting(self) -> bool:
        return False

    async def __aenter__(self) -> Buffered:
        return self

    async def __aexit__(self, *why: Any) -> None:
        self.file.close()


class SoonFlushed(Buffered):
    """Flushes its first entries, so that a full disk is noticed, and none that come after them."""

    count = 0

    def waiting(self) -> bool:
        self.count += 1
        return self.count <= 3


class Silent(Log):
    async def record(self, entry: AuditEntry) -> None:
        with contextlib.suppress(OSError):
            await super().record(entry)


class Rewriter(Log):
    def setup(self) -> None:
        self.lines: list[bytes] = []

    async def record(self, entry: AuditEntry) -> None:
        self.lines.append(to_json(entry) + b"\n")
        replaced(self.path, b"".join(self.lines))


class Discouraged(Log):
    discouraged = False

    async def record(self, entry: AuditEntry) -> None:
        if self.discouraged:
            raise OSError("it failed before")
        try:
            await super().record(entry)
        except OSError:
            self.discouraged = True
            raise


class Selfish(Log):
    async def record(self, entry: AuditEntry) -> None:
        if entry.category != "audit":
            await super().record(entry)


class Adrift(Log):
    async def anchor(self) -> dict[str, Any]:
        return {"records": self.path.read_bytes().count(b"\n")}


def sink(cls: type[Any]) -> Any:
    """A plugin with such a sink."""
    return breaking("audit_sinks", AuditSinkSpec(name="log", create=cls))


BROKEN: dict[str, Any] = {
    "every entry is kept in order": sink(NewestFirst),
    "odd values are kept": sink(Plain),
    "what is recorded survives a kill": sink(SoonFlushed),
    "a failure is raised": sink(Silent),
    "it works again": sink(Discouraged),
    "it keeps anchors of others": sink(Selfish),
    "its anchors move with it": sink(Adrift),
    "processes share it": sink(Rewriter),
}
