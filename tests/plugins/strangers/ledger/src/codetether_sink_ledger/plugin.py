"""The audit sink `ledger`: a CSV file that a spreadsheet opens."""

from __future__ import annotations

import asyncio
import csv
import os
from collections.abc import Iterable
from pathlib import Path

from codetether import AuditEntry, AuditSinkSpec, hookimpl


class Ledger:
    """One row an entry, on the disk before the effect that it announces."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def record(self, entry: AuditEntry) -> None:
        """Returns when the row is on the disk."""
        await asyncio.to_thread(self._append, entry)

    def _append(self, entry: AuditEntry) -> None:
        with self._path.open("a", newline="") as file:
            row = (entry.timestamp.isoformat(), entry.principal, entry.action, entry.outcome, entry.decision or "")
            csv.writer(file).writerow(row)
            file.flush()
            os.fsync(file.fileno())


@hookimpl
def codetether_audit_sinks() -> Iterable[AuditSinkSpec]:
    """Required: nothing is done that is not in the ledger."""
    yield AuditSinkSpec(name="ledger", create=lambda ctx: Ledger(ctx.state_dir / "ledger.csv"), required=True)
