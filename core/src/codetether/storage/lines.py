"""The lines of a journal: how a record is written, and read back however damaged."""

from __future__ import annotations

import gc
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import orjson

from codetether.errors import JournalDamaged, JournalTooNew, StorageError
from codetether.models.record import Unknown
from codetether.models.replay import Replayed, replay
from codetether.models.session import JOURNAL_FORMAT, Gap, JournalEntry, JournalRecord
from codetether.storage.durable import read
from codetether.values import maker
from codetether.wire import reader, to_json, written

JOURNAL = "journal.jsonl"
LOCK = "lock"
RESERVED = frozenset(("seq", "at", "crc"))
_END = re.compile(rb',"crc":"[0-9a-f]{8}"\}')


def encode(item: JournalRecord, body: Mapping[str, Any] | None = None) -> bytes:
    """One line of a journal with its line end. `body`: the entry as plain JSON data, where that is there already.

    `{"seq":n,"at":"…Z",<the entry's own fields, type first>,"crc":"8 hex digits"}`: the checksum is the CRC-32
    of all bytes before `,"crc":`. The three keys are the line's, and no entry may hold them.
    """
    entry = item.entry
    extra = entry.raw if isinstance(entry, Unknown) else entry.extra
    if extra and not RESERVED.isdisjoint(extra):
        raise ValueError(f"an entry may not hold {', '.join(sorted(RESERVED & extra.keys()))}: {entry}")
    at = item.recorded_at.isoformat(timespec="microseconds")[:26].encode()
    line = b'{"seq":%d,"at":"%sZ",' % (item.sequence, at) + (to_json(entry) if body is None else written(body))[1:-1]
    return line + b',"crc":"%08x"}\n' % zlib.crc32(line)


def whole(line: bytes) -> bool:
    """Whether a line without its line end is exactly what was written."""
    return line[-18:] == b',"crc":"%08x"}' % zlib.crc32(line[:-18])


class Lines:
    """Walks the lines of a journal's bytes: `(line number, parsed line)`, or the reason why it cannot be read.

    Attributes:
        end: after the walk, the length in bytes of what is kept: the rest is a torn tail.
        unended: after the walk, whether the last line that is kept lacks its line end.
        damaged_ends: numbers of lines whose line end was no line end, though nothing is lost.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.end = 0
        self.unended = False
        self.damaged_ends: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, bytes | str]]:
        lines = self.data.split(b"\n")
        tail = lines.pop()
        number = 0
        for number, line in enumerate(lines, 1):
            if whole(line):
                yield number, line
            else:
                yield from self._salvage(number, line)
            self.end += len(line) + 1
        yield from self._tail(number + 1, tail)

    def _salvage(self, number: int, line: bytes) -> Iterator[tuple[int, bytes | str]]:
        """A line that is two, because the line end between them is damaged, or one that is lost."""
        pieces, start = whole_pieces(line)
        if pieces:
            self.damaged_ends.append(number)
        for piece in pieces:
            yield number, piece
        if start < len(line):
            yield number, "its checksum does not fit"

    def _tail(self, number: int, tail: bytes) -> Iterator[tuple[int, bytes | str]]:
        pieces, _ = whole_pieces(tail)
        for place, piece in enumerate(pieces):
            yield number, piece
            self.end += len(piece) + (place > 0)
            self.unended = True


def whole_pieces(line: bytes) -> tuple[list[bytes], int]:
    """The whole records from the start of a damaged line, each one byte apart, and where they end."""
    pieces: list[bytes] = []
    start = seen = crc = 0
    for found in _END.finditer(line):
        if found.start() < start:
            continue
        crc, seen = zlib.crc32(line[seen : found.start()], crc), found.start()
        if found[0] == b',"crc":"%08x"}' % crc:
            pieces.append(line[start : found.end()])
            start = seen = found.end() + 1
            crc = 0
    return pieces, start


class Reader:
    """Reads a journal's bytes into records; what cannot be read becomes a visible `Gap`.

    Attributes:
        lines: the walk over the lines, with what it found about the tail.
        gaps: the gaps met so far.
        next_sequence: the number that the next record gets, after the walk.
    """

    def __init__(self, data: bytes, after: int = 0) -> None:
        self.lines = Lines(data)
        self.after = after
        self.gaps: list[Gap] = []
        self.next_sequence = 1
        self._read_entry = reader(JournalEntry)

    def __iter__(self) -> Iterator[JournalRecord]:
        at = datetime.fromtimestamp(0, UTC)
        pending: Gap | None = None
        for number, line in self.lines:
            read = line if isinstance(line, str) else record_in(line, self.next_sequence, self._read_entry)
            if isinstance(read, str):
                pending = _widened(pending, number, read)
                continue
            expected = self.next_sequence
            if pending is None and read.sequence != expected:
                pending = Gap(first_line=number, last_line=number, why=f"records from {expected} on are missing")
            if pending is not None:
                yield from self._gap(pending, at)
                pending = None
            self.next_sequence, at = read.sequence + 1, read.recorded_at
            if read.sequence > self.after:
                yield read
        if pending is not None:
            lost = pending.last_line - pending.first_line + 1
            yield from self._gap(pending, at)
            self.next_sequence += lost

    @property
    def format(self) -> int:
        """The format that the first line names; 0 where it cannot be read."""
        return format_of(self.lines.data)

    def problems(self) -> tuple[str, ...]:
        """What the walk found damaged, a sentence each."""
        ends = [f"the end of line {number} is damaged; nothing is lost" for number in self.lines.damaged_ends]
        lost = [
            f"line {g.first_line} cannot be read ({g.why}); its record is left out"
            if g.first_line == g.last_line
            else f"lines {g.first_line} to {g.last_line} cannot be read ({g.why}); their records are left out"
            for g in self.gaps
        ]
        return (*ends, *lost)

    def _gap(self, gap: Gap, at: datetime) -> Iterator[JournalRecord]:
        self.gaps.append(gap)
        if self.next_sequence > self.after:
            yield JournalRecord(sequence=self.next_sequence, recorded_at=at, entry=gap)


def record_in(line: bytes, expected: int, read_entry: Callable[[Any], JournalEntry]) -> JournalRecord | str:
    """The record of a whole line, or why it is none. `expected`: the least number that it may have."""
    try:
        body = orjson.loads(line)
        sequence, at = body.pop("seq"), body.pop("at")
        del body["crc"]
        if sequence < expected:
            return f"record {sequence} stands out of order"
        made: JournalRecord = maker(JournalRecord)(sequence, datetime.fromisoformat(at), read_entry(body))
        return made
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        return f"it does not fit: {error}"


def _widened(gap: Gap | None, number: int, why: str) -> Gap:
    if gap is None:
        return Gap(first_line=number, last_line=number, why=why)
    return attrs.evolve(gap, last_line=number)


def read_state(path: Path, session_id: str) -> tuple[Replayed, Reader]:
    """The session that a journal's file adds up to. Blocks.

    FileNotFoundError where there is no file or nothing was ever acknowledged in it; JournalDamaged where its
    first line cannot be read or belongs to another session; StorageError where the disk refuses.
    """
    data = read(path)
    found = Reader(data)
    with _collector_at_rest():
        state = replay(found)
    if state is None:
        if b"\n" not in data:
            raise FileNotFoundError(str(path))
        raise _headless(path, data)
    if state.session.id != session_id:
        raise of_another(path, state.session.id, session_id)
    return state, found


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Nothing that is read can be garbage yet: looking for it among so many new objects costs a quarter of the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def format_of(data: bytes) -> int:
    """The format that a journal's first line names; 0 where it cannot be read."""
    try:
        return int(orjson.loads(data.partition(b"\n")[0]).get("format", JOURNAL_FORMAT))
    except (ValueError, TypeError, AttributeError):
        return 0


def _headless(path: Path, data: bytes) -> StorageError:
    if format_of(data) > JOURNAL_FORMAT:
        return too_new(path, format_of(data))
    return JournalDamaged(
        f"{path} cannot be read: its first line is damaged, or it is no journal",
        remedy="Put the file back from a backup, or delete the session; its lines can still be read as JSON.",
    )


def of_another(path: Path, found: str, session_id: str) -> JournalDamaged:
    """The error for a journal that belongs to another session than its directory says."""
    return JournalDamaged(
        f"{path} is the journal of session {found}, not of {session_id}",
        remedy="Give the directory its session's own id again.",
    )


def too_new(path: Path, found: int) -> JournalTooNew:
    """The error for a journal of a later format."""
    return JournalTooNew(
        f"{path} was written by a later version (format {found}; this one writes {JOURNAL_FORMAT})",
        remedy="Upgrade codetether to go on with the session; until then it may be read.",
    )
