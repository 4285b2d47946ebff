"""The settings of the audit log: `[plugins.audit-jsonl]`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from attrs import field, frozen, validators

MEBIBYTE = 1024 * 1024


@frozen(kw_only=True)
class AuditJsonlSettings:
    """Where the audit log lies and how safe an entry is.

    Attributes:
        path: the file; by default `audit.jsonl` in the plugin's state directory.
        max_entries: entries in one file; None for as many as `max_bytes` allows. Full files are kept, numbered by
            the bytes of the log that they hold.
        max_bytes: bytes in one file, about.
        max_seconds: how long one file is written; None for as long as it takes.
        anchors: the file of anchors, where the log's head is kept; by default in the plugin's state directory. Best
            in a place where what writes the log can add and not change.
        fsync: when an entry is safe from power loss: `second`: within a second; `intents`: those before an effect at
            once, the others within a second; `always`: at once. The end of the program, however hard, loses none.
    """

    path: Path | None = field(default=None, metadata={"env": "CODETETHER_AUDIT_LOG_PATH"})
    max_entries: int | None = field(
        default=None,
        metadata={"env": "CODETETHER_AUDIT_MAX_ENTRIES"},
        validator=validators.optional(validators.ge(1)),
    )
    max_bytes: int = field(default=64 * MEBIBYTE, validator=validators.ge(1024))
    max_seconds: float | None = field(default=None, validator=validators.optional(validators.gt(0)))
    anchors: Path | None = None
    fsync: Literal["second", "intents", "always"] = "second"
