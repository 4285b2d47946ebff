"""The anchors: where the log stood, again and again, in a small chained file of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from codetether import Segments, derived_key

from codetether_sink_audit_jsonl.chain import GENESIS, Chain, Link, link_of
from codetether_sink_audit_jsonl.files import lines, opened


class Anchors:
    """The file of anchors of one log, shared by all processes that write the log. Blocks; raises StorageError.

    The first stands there before the log's first line, so that a log without anchors was tampered with. None is ever
    overwritten: an older copy of the log put back and written on is found by what it once held.

    Attributes:
        head: the MAC that was anchored last by this process.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self.head = b""
        self._segments = Segments(
            path.parent,
            path.stem,
            suffix=path.suffix,
            open_name=path.name,
            shared=True,
            link=Chain(derived_key(key, "anchor"), lambda: lines(opened(path))).link,
        )

    def open(self, last: Link | None, count: Callable[[], int]) -> list[str]:
        """Compares the log's last line with the last anchor; what is wrong with it, a sentence each.

        `last` is None where the log has no linked line; `count` tells how many there are.
        """
        self._segments.open()
        anchored = self._segments.last_line() if self._segments.end else b""
        if not anchored:
            self._add(last.seq if last else count(), last.mac if last else GENESIS)
            return []
        records = anchored_records(anchored)
        if (last.seq if last else 0) < records:
            have = f"ends with record {last.seq}" if last else "has no record"
            return [f"the audit log {have}, but its anchor says {records}: look at codetether audit verify"]
        return []

    def add(self, last: Link) -> None:
        """Makes it durable that the log has this line."""
        self._add(last.seq, last.mac)
        self.head = last.mac

    def _add(self, records: int, head: bytes) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        anchor = {"at": at, "records": records, "head": head.decode()}
        self._segments.append(json.dumps(anchor, separators=(",", ":")).encode() + b"\n")
        self._segments.sync()

    def close(self) -> None:
        """Closes the file."""
        self._segments.close()


def anchored_records(line: bytes) -> int:
    """How many records an anchor speaks of; 0 for what is none."""
    try:
        records = json.loads(line)["records"] if link_of(line) else 0
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return records if isinstance(records, int) else 0
