"""The event streams on the disk: their files, and their lines from a byte or from a time on."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import frozen

from codetether.storage.durable import reached, read, refusals

_SEALED = re.compile(r"(?:(\d{8}T\d{6}Z)-)?([a-z][a-z-]*)-(\d{20})-(\d{20})\.jsonl")
_SECOND = timedelta(seconds=1)
_OPEN = re.compile(r"([a-z][a-z-]*)-(\d{20})\.open")


@frozen(kw_only=True)
class StreamFile:
    """A file of a session's stream: the bytes `first` to `end` (not included).

    Attributes:
        stamp: when its first line was recorded, `YYYYmmddTHHMMSSZ`; empty for one that is still written.
        sealed: it will never be touched again.
    """

    session: str
    path: Path
    first: int
    end: int
    stamp: str = ""
    sealed: bool = True

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.first

    @property
    def name(self) -> str:
        """`<session>/<file>`."""
        return f"{self.session}/{self.path.name}"

    def remove(self) -> None:
        """Removes it for good. Raises StorageError."""
        with refusals("remove", self.path):
            reached("remove", self.path)
            self.path.unlink(missing_ok=True)


def stream_sessions(spool: Path) -> list[str]:
    """The sessions with a directory in a spool, by name; none where there is no spool. Raises StorageError."""
    with refusals("list", spool):
        reached("read", spool)
        try:
            with os.scandir(spool) as entries:
                found = [e.name for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
    return sorted(found)


def stream_files(spool: Path, session: str) -> list[StreamFile]:
    """The files of a session's stream, in order, the open one last; links are none. Raises StorageError."""
    directory = spool / session
    sealed, still_open = [], []
    with refusals("list", directory):
        reached("read", directory)
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if not entry.is_file(follow_symlinks=False):
                        continue
                    path = directory / entry.name
                    if match := _SEALED.fullmatch(entry.name):
                        first, end = int(match[3]), int(match[4])
                        sealed.append(
                            StreamFile(session=session, path=path, first=first, end=end, stamp=match[1] or "")
                        )
                    elif match := _OPEN.fullmatch(entry.name):
                        first, size = int(match[2]), entry.stat().st_size
                        still_open.append(
                            StreamFile(session=session, path=path, first=first, end=first + size, sealed=False)
                        )
        except FileNotFoundError:
            return []
    sealed.sort(key=lambda file: (file.first, file.end))
    end = sealed[-1].end if sealed else 0
    return [*sealed, *(file for file in sorted(still_open, key=lambda file: file.first) if file.first >= end)]


def read_sealed(file: StreamFile) -> bytes:
    """A sealed file's bytes, no link followed. Raises FileNotFoundError where it is gone, else StorageError."""
    return read(file.path)


def stream_lines(spool: Path, session: str, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Each whole line that begins at byte `start` of the stream or later: its place, and the line without its end.

    A line that is still written is left out. A file that is sealed or removed meanwhile is found again by its place.
    Raises StorageError.
    """
    at = start
    while True:
        file = next((f for f in stream_files(spool, session) if f.end > at), None)
        if file is None:
            return
        at = max(at, file.first)
        before = at
        try:
            for place, line in _lines(file, at):
                at = place + len(line) + 1
                yield place, line
        except FileNotFoundError:  # sealed a moment ago: it has another name now
            continue
        if at == before:
            if not file.sealed:
                return
            at = file.end


def _lines(file: StreamFile, start: int) -> Iterator[tuple[int, bytes]]:
    with file.path.open("rb") as opened:
        place = start
        if start > file.first:  # in the midst of a line: the next one is the first
            opened.seek(start - file.first - 1)
            skipped = opened.readline()
            place = start - 1 + len(skipped)
            if not skipped.endswith(b"\n"):
                return
        for line in opened:
            if not line.endswith(b"\n"):
                return
            yield place, line[:-1]
            place += len(line)


def byte_at(spool: Path, session: str, time: datetime) -> int:
    """Where in the stream the first line is that was recorded at a time or later; its end where there is none.

    The names of the files say which one it is in; only that one is read.
    """
    wanted = time.astimezone(UTC)
    files = stream_files(spool, session)
    start = 0
    for file in files:
        if file.stamp and datetime.strptime(file.stamp, "%Y%m%dT%H%M%S%z") + _SECOND <= wanted:
            start = file.first
    end = start
    for place, line in stream_lines(spool, session, start):
        if recorded_at(line) >= wanted:
            return place
        end = place + len(line) + 1
    return end


def recorded_at(line: bytes) -> datetime:
    """When a line's event was recorded; the beginning of time for a line that does not say."""
    try:
        return datetime.fromisoformat(json.loads(line)["recorded_at"]).astimezone(UTC)
    except (ValueError, TypeError, KeyError):
        return datetime.min.replace(tzinfo=UTC)


def stream_stamp(line: bytes) -> str:
    """When a line's event was recorded, as the names of files have it: `YYYYmmddTHHMMSSZ`."""
    return recorded_at(line).strftime("%Y%m%dT%H%M%SZ")
