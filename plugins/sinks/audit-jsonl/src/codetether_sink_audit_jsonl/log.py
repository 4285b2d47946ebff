"""The audit log: a chain of lines of JSON, one for each entry, in a file that several processes may share."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

from codetether import (
    JSON,
    AuditEntry,
    AuditKey,
    Disk,
    SegmentLimits,
    Segments,
    StorageError,
    derived_key,
    to_json,
)

from codetether_sink_audit_jsonl.anchors import Anchors
from codetether_sink_audit_jsonl.chain import Chain, link_of
from codetether_sink_audit_jsonl.files import anchor_path, chain_name, lines, lines_of, log_path, opened
from codetether_sink_audit_jsonl.settings import AuditJsonlSettings

T = TypeVar("T")

CLOSE_LIMIT = 5.0
"""Seconds that a disk which does not answer may hold up the end of the program."""

_LOCAL = frozenset(("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"))


class AuditLog:
    """An AuditSink. An entry is in the file when it is recorded; see the settings for power loss.

    A line for a disk of this machine is written where it is made, like the session's journal. All else (opening,
    sealing, syncing, waiting for another process, disks behind a network) is done on a thread of the log's own, so
    that what hangs there stops nothing but the audit.
    """

    def __init__(
        self,
        settings: AuditJsonlSettings,
        state_dir: Callable[[], Path],
        notice: Callable[[str], None],
        key: AuditKey | None = None,
    ) -> None:
        """Without a `key` one is kept in the state directory."""
        self._settings = settings
        self._state_dir = state_dir
        self._notice = notice
        self._audit_key = key or AuditKey(None, lambda: state_dir() / "audit.key", "file")
        self._key: bytes | None = None
        self._segments: Segments | None = None
        self._anchors: Anchors | None = None
        self._said: list[str] = []  # what the thread found, for the user
        self._disk = Disk()
        self._near: bool | None = None  # the file is on a disk of this machine; None: not known yet
        self._calls: set[asyncio.Task[Any]] = set()  # what the thread has still to do
        self._problem = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            async with asyncio.timeout(CLOSE_LIMIT):
                await self._disk.call(self._close)
                await self._disk.close()
        except TimeoutError:
            self._notice(f"the audit log was not closed: the disk did not answer within {CLOSE_LIMIT:g} s")
        except StorageError as failed:
            self._notice(f"the last second of the audit log may not be safe from power loss: {failed.message}")

    def record(self, entry: AuditEntry) -> Awaitable[None] | None:
        """Appends the entry. Raises StorageError; then it is not recorded."""
        line = to_json(entry) + b"\n"
        at_once = self._settings.fsync == "always" or (self._settings.fsync == "intents" and entry.outcome == "intent")
        if at_once or not self._added(line):
            return self._record(line, at_once)
        return None

    def _added(self, line: bytes) -> bool:
        """Whether the line could be added without the thread."""
        if self._segments is None or not self._near or self._calls:
            return False
        try:
            added = self._segments.append_at_once(line) is not None
        except StorageError:  # tried once more on the thread
            return False
        if added:
            self._disk.dirty(self._segments)
        return added

    async def anchor(self) -> Mapping[str, JSON] | None:
        """The head of the log, durable beside it; None where there is nothing new. Raises StorageError."""
        return await self._called(self._anchor)

    async def _record(self, line: bytes, at_once: bool) -> None:
        if self._key is None:
            try:
                self._key = await self._audit_key.load(self._disk)
            except StorageError:  # a flickering disk often works again
                self._key = await self._audit_key.load(self._disk)
        segments = await self._called(self._append, line, at_once)
        if not at_once:
            self._disk.dirty(segments)
        self._say(segments)

    async def _called(self, function: Callable[..., T], *args: Any) -> T:
        """On the I/O thread; meanwhile nothing is added without it."""
        call = asyncio.ensure_future(self._disk.call(function, *args))
        self._calls.add(call)
        call.add_done_callback(self._done)
        return await asyncio.shield(call)

    def _done(self, call: asyncio.Task[Any]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # whoever waited for it has been told; perhaps nobody waits any more

    def _append(self, line: bytes, at_once: bool) -> Segments:
        """On the I/O thread. What fails is tried once more, because a full or flickering disk often works again."""
        segments = self._opened()
        try:
            segments.append(line)
        except StorageError:
            segments.append(line)
        self._note_repairs(segments)
        if at_once:
            try:
                segments.sync()
            except StorageError:
                segments.sync()
        if self._near is None:
            self._near = _on_a_disk_of_this_machine(segments.directory)
        return segments

    def _opened(self) -> Segments:
        if self._segments is not None:
            return self._segments
        assert self._key is not None, "loaded before anything is added"
        path = log_path(self._settings, self._state_dir)
        _refuse_what_is_no_file(path)
        segments = Segments(
            path.parent,
            path.stem,
            suffix=path.suffix,
            open_name=path.name,
            limits=SegmentLimits(
                bytes=self._settings.max_bytes, lines=self._settings.max_entries, seconds=self._settings.max_seconds
            ),
            shared=True,
            link=Chain(derived_key(self._key, "chain"), lambda: lines_of(path)).link,
        )
        segments.open()
        self._seal_what_is_old(segments, path)
        last = segments.last_line() if segments.end else b""
        anchors = Anchors(anchor_path(self._settings, path, self._state_dir), self._key)
        self._said += anchors.open(link_of(last), lambda: sum(1 for _ in lines_of(path)) if last else 0)
        self._segments, self._anchors = segments, anchors
        return segments

    def _seal_what_is_old(self, segments: Segments, path: Path) -> None:
        """A file that an earlier run began too long ago is full; within a run the segments see to that."""
        most = self._settings.max_seconds
        if most is None or segments.empty:
            return
        with suppress(OSError, ValueError, KeyError, TypeError):  # what has no time is as young as this run
            first = next(lines(opened(path)), b"{}")
            began = datetime.fromisoformat(json.loads(first)["timestamp"])
            if (datetime.now(UTC) - began).total_seconds() >= most:
                segments.seal()

    def _note_repairs(self, segments: Segments) -> None:
        """What was cut off stands in the log too, so that it is told apart from what somebody else cut."""
        while segments.repairs:
            repair = segments.repairs.pop(0)
            self._said.append(f"the audit log was mended: {repair}")
            with suppress(StorageError):  # the entry itself is there, and the user is told
                segments.append(to_json(_mended(repair)) + b"\n")

    def _anchor(self) -> Mapping[str, JSON] | None:
        segments, anchors = self._segments, self._anchors
        if segments is None or anchors is None:
            return None
        try:
            last = segments.settled()
        except StorageError:
            last = segments.settled()
        link = link_of(last)
        if link is None or link.mac == anchors.head:
            return None
        anchors.add(link)
        path = log_path(self._settings, self._state_dir)
        return {"log": chain_name(path), "records": link.seq, "head": link.mac.decode()}

    def _close(self) -> None:
        if self._segments is None:
            return
        try:
            self._anchor()
        finally:
            if self._anchors is not None:
                self._anchors.close()
            self._segments.close()

    def _say(self, segments: Segments) -> None:
        while self._said:
            self._notice(self._said.pop(0))
        if segments.problem != self._problem:
            self._problem = segments.problem
            if self._problem:
                self._notice(f"the audit log goes on in the same file, though it is full: {self._problem}")


def _mended(repair: str) -> AuditEntry:
    return AuditEntry(
        id=uuid4().hex,
        timestamp=datetime.now(UTC),
        category="audit",
        action="audit:mended",
        outcome="success",
        detail={"what": repair},
    )


def _on_a_disk_of_this_machine(path: Path) -> bool:
    """Whether Linux says so; False where nobody can tell."""
    device = path.stat().st_dev
    named = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError, ValueError, IndexError):
        for mount in Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines():
            fields = mount.split(" ")
            if fields[2] == named:
                return fields[fields.index("-") + 1] in _LOCAL
    return False


def _refuse_what_is_no_file(path: Path) -> None:
    with suppress(OSError):  # what cannot be looked at cannot be opened either, and that says why
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise StorageError(
                f"the audit log {path} is not a regular file",
                remedy="Set CODETETHER_AUDIT_LOG_PATH, or path in [plugins.audit-jsonl], to a file.",
            )
