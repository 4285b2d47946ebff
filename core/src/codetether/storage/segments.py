"""An append-only stream of lines, cut into sealed files that are named by the bytes of the stream they hold."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from attrs import frozen

from codetether.errors import StorageError
from codetether.storage.durable import AppendFile, private_directory, reached, refusals, replace, sync_directory
from codetether.storage.durable import read as read_file
from codetether.storage.held import HeldFile, named_size

LOCK_LIMIT = 8.0
"""Seconds to wait for another process that appends to the same stream."""

_BLOCK = 65536


@frozen(kw_only=True)
class Segment:
    """A sealed file: the bytes `first` to `end` (not included) of the stream."""

    path: Path
    first: int
    end: int


@frozen(kw_only=True)
class SegmentLimits:
    """When a segment is full; None for never. `seconds` count from its first line, as far as this process knows."""

    bytes: int | None = None
    lines: int | None = None
    seconds: float | None = None


class Segments:
    """The stream's files in one directory: sealed ones, and at most one that is open.

    A sealed file is `[<stamp>-]<prefix>-<first byte, 20 digits>-<end byte, 20 digits><suffix>`, durable and never
    touched again. The open one is `<prefix>-<first byte, 20 digits>.open`, or `open_name`. Everything blocks and
    raises StorageError: call it on an I/O thread, on one at a time.

    A line that was appended is safe from the end of this process at once, and from power loss after the next `sync`.
    After a failed sync the open file is written anew before anything is added to it: nothing is lost by that, and
    nobody has to open anything again.

    Attributes:
        directory: made, private, when it is needed.
        first: where in the stream the open segment begins.
        repairs: what was cut off, a sentence each.
        problem: why a full segment could not be sealed, empty while that works. Lines are taken all the same.
    """

    def __init__(
        self,
        directory: Path,
        prefix: str,
        *,
        suffix: str = ".jsonl",
        open_name: str | None = None,
        limits: SegmentLimits = SegmentLimits(),
        stamp: Callable[[bytes], str] | None = None,
        whole: Callable[[bytes], bool] | None = None,
        shared: bool = False,
        link: Callable[[bytes, bytes], bytes] | None = None,
    ) -> None:
        """`stamp` makes the beginning of a sealed file's name from its first line.

        `whole` tells whether a line is as it was written: what an earlier process left open is cut at the first that
        is not. Without it only an unfinished last line is cut. `shared`: other processes append to the same stream.
        `link` makes of a line and the stream's last line what is added, while nobody else can add anything.
        """
        self.directory = directory
        self.first = 0
        self.repairs: list[str] = []
        self.problem = ""
        self._prefix = prefix
        self._suffix = suffix
        self._open_name = open_name
        self._limits = limits
        self._stamp = stamp
        self._whole = whole
        self._shared = shared
        self._link = link
        self._added = (b"", 0)  # the last line that was added here, and where in the stream it ends
        self._file: AppendFile | None = None
        self._known = 0  # bytes of the open file that are known to be whole lines
        self._checked = False
        self._lines = 0
        self._began = 0.0

    @property
    def end(self) -> int:
        """The stream's length in bytes."""
        return self.first + self._known

    @property
    def empty(self) -> bool:
        """Whether no line waits in an open segment."""
        return self._known == 0

    @property
    def age(self) -> float:
        """Seconds since the open segment got its first line, as far as this process knows; 0 where it has none."""
        return time.monotonic() - self._began if self._began else 0.0

    def open(self) -> None:
        """Finds where the stream ends, and mends what an earlier process or a failed sync left."""
        if self._file is None and not self._left_open():
            self.first = self._sealed_end()
            return
        with self._turn():
            pass

    def append(self, data: bytes, *, cut: bool = True) -> int:
        """Adds whole lines and returns where in the stream they begin. When it raises, nothing was added.

        A segment that is full, or would be, is sealed before; `cut=False` forbids that between these lines and the
        ones before them.
        """
        while True:
            with self._turn() as file:
                if not (cut and self._is_full(len(data))):
                    return self._add(file, data)
                try:
                    self._seal(file)
                except StorageError as error:  # rather a segment too long than a line lost
                    self.problem = str(error)
                    cut = False

    def append_at_once(self, data: bytes) -> int | None:
        """The same for an event loop; None where there is more to it than the write: then `append` must."""
        file = self._file
        if file is None or file.distrusted or not self._checked or self._is_full(len(data)):
            return None
        lock = HeldFile(file, 0.0)
        if self._shared and not lock.take():
            return None
        try:
            return self._add(file, data) if named_size(file) == self._known else None
        finally:
            if self._shared:
                lock.release()

    def sync(self) -> None:
        """Makes every line so far durable. When it raises, the lines are kept and written anew later."""
        if self._file is not None and self._file.distrusted:
            with self._turn() as file:
                file.sync()
        elif self._file is not None:
            self._file.sync()

    def settled(self) -> bytes:
        """The stream's last line, of whatever process, once all up to it is durable."""
        with self._turn() as file:
            file.sync()
            return self.last_line()

    def seal(self) -> Segment | None:
        """Makes a sealed file of the open segment; None where there is nothing in it."""
        if self._file is None:
            return None
        with self._turn() as file:
            return self._seal(file) if self._known else None

    def close(self) -> None:
        """Syncs and closes; the open segment stays open for the next time."""
        try:
            self.sync()
        finally:
            self._forget()

    def sealed(self) -> list[Segment]:
        """The sealed files, in order."""
        stamp = "" if self._stamp is None else ".*-"
        name = re.compile(rf"{stamp}{re.escape(self._prefix)}-(\d{{20}})-(\d{{20}}){re.escape(self._suffix)}")
        matches = ((name.fullmatch(path.name), path) for path in self._paths())
        found = [Segment(path=path, first=int(m[1]), end=int(m[2])) for m, path in matches if m]
        return sorted(found, key=lambda segment: (segment.first, segment.end))

    def last_line(self) -> bytes:
        """The stream's last line without its line end; empty where there is none."""
        if self._file is not None and self._known:
            return _last_line(self._file.path, self._known)
        sealed = self.sealed()
        return _last_line(sealed[-1].path, sealed[-1].end - sealed[-1].first) if sealed else b""

    def last_lines(self) -> Iterator[bytes]:
        """The stream's lines without their line ends, the last one first; a file is read when it is come to."""
        if self._file is not None and self._known:
            yield from reversed(_read(self._file.path, 0, self._known).split(b"\n")[:-1])
        for segment in reversed(self.sealed()):
            yield from reversed(_read(segment.path, 0, segment.end - segment.first).split(b"\n")[:-1])

    # -- the open segment

    @contextmanager
    def _turn(self) -> Iterator[AppendFile]:
        """The open file, mended, and ours alone while inside."""
        deadline = time.monotonic() + LOCK_LIMIT
        while True:
            file = self._found() if self._file is None else self._file
            with HeldFile(file, deadline) if self._shared else nullcontext():
                size = named_size(file)
                if size is None:
                    self._vanished(file)
                elif file.distrusted:
                    self._write_anew(file)
                else:
                    self._take_in(file, size)
                    yield file
                    return

    def _add(self, file: AppendFile, data: bytes) -> int:
        if self._link is not None:
            last, end = self._added
            data = self._link(data, last if end == self.end else self.last_line())
        start = self.first + file.append(data)
        self._added = (data[:-1].rpartition(b"\n")[2], start + len(data))
        self._known = file.offset
        self._lines += data.count(b"\n")
        self._began = self._began or time.monotonic()
        return start

    def _is_full(self, more: int) -> bool:
        limits = self._limits
        if not self._known:
            return False
        return (
            (limits.bytes is not None and self._known + more > limits.bytes)
            or (limits.lines is not None and self._lines >= limits.lines)
            or (limits.seconds is not None and time.monotonic() - self._began >= limits.seconds)
        )

    def _seal(self, file: AppendFile) -> Segment:
        file.sync()
        target = self.directory / self._sealed_name(file.path)
        with refusals("seal", file.path):
            reached("rename", file.path)
            if target.exists():
                raise FileExistsError(errno.EEXIST, f"{os.strerror(errno.EEXIST)}: {target.name}")
            file.path.rename(target)
        made = Segment(path=target, first=self.first, end=self.end)
        self.first = made.end
        self._forget()
        self.problem = ""
        sync_directory(self.directory)
        return made

    def _sealed_name(self, path: Path) -> str:
        name = f"{self._prefix}-{self.first:020}-{self.end:020}{self._suffix}"
        if self._stamp is None:
            return name
        first_line = _read(path, 0, self._known).partition(b"\n")[0]
        return f"{self._stamp(first_line)}-{name}"

    def _found(self) -> AppendFile:
        """The open segment that an earlier process left, or a new one; of several, all but the last are sealed."""
        private_directory(self.directory)
        *older, (first, path) = self._left_open() or [self._next_open()]
        for older_first, older_path in older:
            self._adopt(older_first, older_path)
            if self.seal() is None:
                self._forget()
                with refusals("remove", older_path):
                    reached("remove", older_path)
                    older_path.unlink()
        return self._adopt(first, path)

    def _left_open(self) -> list[tuple[int, Path]]:
        """Open segments on the disk, and where in the stream they begin."""
        if self._open_name is not None:
            path = self.directory / self._open_name
            return [(self._sealed_end(), path)] if os.path.lexists(path) else []
        name = re.compile(rf"{re.escape(self._prefix)}-(\d{{20}})\.open")
        matches = ((name.fullmatch(path.name), path) for path in self._paths())
        return sorted((int(m[1]), path) for m, path in matches if m)

    def _next_open(self) -> tuple[int, Path]:
        first = self._sealed_end()
        return first, self.directory / (self._open_name or f"{self._prefix}-{first:020}.open")

    def _sealed_end(self) -> int:
        return max((segment.end for segment in self.sealed()), default=0)

    def _paths(self) -> list[Path]:
        with refusals("list", self.directory):
            reached("read", self.directory)
            try:
                return list(self.directory.iterdir())
            except FileNotFoundError:
                return []

    def _adopt(self, first: int, path: Path) -> AppendFile:
        self._forget()
        self._file, self.first = AppendFile(path), first
        return self._file

    def _forget(self) -> None:
        """Closes the open file and what is known of it."""
        file, self._file = self._file, None
        self._known = self._lines = 0
        self._checked = False
        self._began = 0.0
        if file is not None:
            file.close()

    def _vanished(self, file: AppendFile) -> None:
        """Another process has sealed it, which is as it should be; or somebody has removed it, which is not."""
        self._forget()
        if not self._shared:
            raise StorageError(f"{file.path} was removed while it was written", remedy="What it held is written again.")

    def _write_anew(self, file: AppendFile) -> None:
        """After a failed sync nobody knows what of the file is on the disk: all of it is written again, elsewhere."""
        data = read_file(file.path)
        kept = data.rfind(b"\n") + 1 if self._shared else self._known
        replace(file.path, data[:kept])
        self._forget()

    def _take_in(self, file: AppendFile, size: int) -> None:
        """Learns of lines that others wrote, and cuts what was not finished."""
        if self._checked and (not self._shared or size == self._known):
            return
        if not self._checked and self._open_name is not None:
            self.first = self._sealed_end()  # only now is it ours, and nobody seals it meanwhile
        start = self._known if self._known <= size else 0
        good = self._good_end(file.path, start, size)
        if good < size:
            self.repairs.append(f"{file.path}: an unfinished write of {size - good} bytes was cut off")
            file.cut(good)
        file.offset = self._known = good
        self._began = (self._began or time.monotonic()) if good else 0.0
        self._checked = True

    def _good_end(self, path: Path, start: int, size: int) -> int:
        if self._whole is None and self._limits.lines is None:
            tail = _tail(path, size, 1)
            return size - len(tail) + tail.rfind(b"\n") + 1
        data = _read(path, start, size)
        good = 0
        if self._whole is None:
            good = data.rfind(b"\n") + 1
        else:
            for line in data.split(b"\n")[:-1]:
                if not self._whole(line):
                    break
                good += len(line) + 1
        self._lines = data.count(b"\n", 0, good) + (self._lines if start else 0)
        return start + good


def _read(path: Path, start: int, end: int) -> bytes:
    with refusals("read", path):
        reached("read", path)
        with path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)


def _tail(path: Path, size: int, lines: int) -> bytes:
    """The end of a file's first `size` bytes, back to where it holds that many line ends, or all."""
    length = _BLOCK
    while True:
        data = _read(path, max(0, size - length), size)
        if length >= size or data.count(b"\n") >= lines:
            return data
        length *= 4


def _last_line(path: Path, size: int) -> bytes:
    return _tail(path, size, 2)[:-1].rpartition(b"\n")[2]
