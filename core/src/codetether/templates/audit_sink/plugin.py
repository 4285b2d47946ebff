"""The audit sink `change-me`: a line of JSON an entry, on the disk before its effect."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from codetether import AuditEntry, AuditSinkSpec, hookimpl, to_json

NAME = "change-me"


class Book:
    """Appends to one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def record(self, entry: AuditEntry) -> None:
        """Returns when the line is on the disk; raises OSError when it is not, and then the effect does not start."""
        await asyncio.to_thread(self._append, to_json(entry))

    def _append(self, line: bytes) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(fd)


@hookimpl
def codetether_audit_sinks() -> Iterable[AuditSinkSpec]:
    """Required: nothing is done that is not in the book."""
    yield AuditSinkSpec(name=NAME, create=lambda ctx: Book(ctx.state_dir / "audit.jsonl"), required=True)
