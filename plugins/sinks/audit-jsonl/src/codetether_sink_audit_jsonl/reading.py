"""Reading an audit log: its entries one by one, those that are asked for, those still to come."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from attrs import frozen
from codetether import AuditEntry, UsageError, from_json

from codetether_sink_audit_jsonl.files import files_of, lines, opened

LOOK = 0.25
"""Seconds between two looks at a log that is followed."""

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@frozen(kw_only=True)
class Found:
    """An entry with the line that holds it, its line end left off."""

    entry: AuditEntry
    line: bytes


@frozen(kw_only=True)
class Wanted:
    """Which entries are asked for; None and the empty text mean any. Texts but times may hold `*` and `?`."""

    since: datetime | None = None
    until: datetime | None = None
    session: str = ""
    action: str = ""
    category: str = ""
    outcome: str = ""
    principal: str = ""
    call: str = ""

    def takes(self, entry: AuditEntry) -> bool:
        """Whether the entry is one of them."""
        if (self.since and entry.timestamp < self.since) or (self.until and entry.timestamp >= self.until):
            return False
        pairs = (
            (self.session, entry.session_id),
            (self.action, entry.action),
            (self.category, entry.category),
            (self.outcome, entry.outcome),
            (self.principal, entry.principal),
            (self.call, entry.call_id),
        )
        return all(not pattern or fnmatchcase(text or "", pattern) for pattern, text in pairs)


class Entries:
    """The entries of a log.

    Attributes:
        unreadable: lines that hold no entry, counted.
    """

    def __init__(self, log: Path) -> None:
        self.unreadable = 0
        self._log = log
        self._at = 0  # bytes of the log that were read

    def new(self) -> Iterator[Found]:
        """Those that were not given yet, oldest first. Raises OSError."""
        end = 0
        for file in files_of(self._log):
            start, end = file.first if file.first is not None else end, file.end or end
            if file.end is not None and file.end <= self._at:
                continue
            at = start
            for line in lines(opened(file.path)):
                at += len(line)
                if at <= self._at or not line.endswith(b"\n"):
                    continue
                self._at = at
                found = self._entry(line[:-1])
                if found is not None:
                    yield found

    def followed(self, pause: Callable[[float], None] = time.sleep) -> Iterator[Found]:
        """The same, and then those to come, without end."""
        while True:
            with suppress(FileNotFoundError):  # sealed under its new name between two looks
                yield from self.new()
            pause(LOOK)

    def _entry(self, line: bytes) -> Found | None:
        try:
            return Found(entry=from_json(line, AuditEntry), line=line)
        except Exception:  # whatever stands there: `verify` says what is wrong with it
            self.unreadable += 1
            return None


def moment(text: str) -> datetime:
    """`2026-03-01`, `2026-03-01T12:30`, with or without a zone (then the local one), or `90m`, `2h`, `7d` ago."""
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no time", remedy="e.g. 2026-03-01T12:30, or 2h for two hours ago") from error
