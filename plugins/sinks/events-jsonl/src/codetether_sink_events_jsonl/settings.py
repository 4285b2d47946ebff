"""The settings of the event stream: `[plugins.events-jsonl]`."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen, validators

MEBIBYTE = 1024 * 1024


@frozen(kw_only=True)
class EventsJsonlSettings:
    """Where the event stream lies and when a file of it is sealed.

    Attributes:
        path: the directory that gets a directory for each session; None: no events are written.
        max_bytes: bytes in one file.
        max_seconds: seconds from the first line of a file to its sealing.
    """

    path: Path | None = field(default=None, metadata={"env": "CODETETHER_EVENT_STREAM_PATH"})
    max_bytes: int = field(default=8 * MEBIBYTE, validator=validators.ge(1024))
    max_seconds: float = field(default=300.0, validator=validators.gt(0))
