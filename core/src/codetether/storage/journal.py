"""A session's journal open for writing: entries are appended, torn ends mended, secrets left out."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from attrs import evolve, field, frozen

from codetether.errors import StorageError
from codetether.models.replay import Replay, Replayed, start
from codetether.models.session import (
    JOURNAL_FORMAT,
    JournalEntry,
    JournalRecord,
    MessageAdded,
    SessionStarted,
    TitleChanged,
    automatic_title,
)
from codetether.storage.disk import Disk
from codetether.storage.durable import AppendFile, FileLock, make_directories, read, replace, sync_directory, sync_file
from codetether.storage.lines import JOURNAL, Reader, encode, read_state, too_new
from codetether.wire import from_dict, to_dict

SIDE_FILES = "files"


class Redactor(Protocol):
    """What takes known secrets out of text."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to take out."""
        ...

    def text(self, value: str) -> str:
        """The text without secrets."""
        ...


@frozen
class Desk:
    """What the journals of one store share.

    Attributes:
        distrusted: sessions whose last sync failed, with the number that their next record should get.
    """

    disk: Disk
    redactor: Redactor | None
    distrusted: dict[str, int] = field(factory=dict)


class _Pages:
    """What a sync of a session makes durable: side files, then the journal that names them, then its own name."""

    def __init__(self, file: AppendFile, directories: Sequence[Path]) -> None:
        self.file = file
        self.directories = list(directories)
        self.side_files: list[Path] = []

    def sync(self) -> None:
        while self.side_files:
            try:
                sync_file(self.side_files.pop(0))
            except StorageError as error:
                self.file.distrusted = error.message  # what names the side file must not count as saved
                raise
        self.file.sync()
        while self.directories:
            sync_directory(self.directories[0])
            self.directories.pop(0)


class Journal:
    """A session's journal, open for writing under its lock.

    Attributes:
        repairs: what was cut or found damaged at opening, a sentence each.
        directory: the session's directory.
    """

    def __init__(
        self,
        file: AppendFile,
        lock: FileLock,
        desk: Desk,
        *,
        state: Replayed,
        next_sequence: int,
        repairs: tuple[str, ...] = (),
        directories: Sequence[Path] = (),
    ) -> None:
        self.directory = file.path.parent
        self._replay = Replay(state)
        self.repairs = repairs
        self._file = file
        self.pages = _Pages(file, directories)
        self._lock = lock
        self._desk = desk
        self._next = next_sequence
        self._closed = False
        self._told = False
        tell_listings(self.directory)

    @property
    def id(self) -> str:
        """The session's id."""
        return self.directory.name

    @property
    def state(self) -> Replayed:
        """What all entries so far add up to."""
        return self._replay.state

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self._file.path

    def append(self, entry: JournalEntry) -> JournalRecord:
        """Writes an entry, known secrets taken out, and adds it to `state`.

        On return the end of this process cannot lose it; it is on the disk within a second, or after `sync`.
        StorageError leaves the file and the state as they were, and the next append may succeed. So it is also
        where a sync failed meanwhile: it is told once, by `sync` or here; then what the file holds is read
        back, and written anew beside it, since a second fsync of the same file would prove nothing.
        """
        if self._closed:
            raise StorageError(f"cannot write {self.path}: the session is closed", remedy="Open it again.")
        if self._file.distrusted:
            self._mend()
        entry, body = redacted(entry, self._desk.redactor)
        item = JournalRecord(sequence=self._next, recorded_at=datetime.now(UTC), entry=entry)
        self._file.append(encode(item, body))
        self._replay.add(item)
        self._next += 1
        self._desk.disk.dirty(self.pages)
        return item

    async def sync(self) -> None:
        """Returns when all entries and side files so far are on the disk; raises StorageError."""
        if self._file.distrusted:
            self._mend()
        try:
            await self._desk.disk.sync(self.pages)
        except StorageError:
            self._told = bool(self._file.distrusted)
            raise

    def _mend(self) -> None:
        """Goes on in a new file with what the distrusted one holds, once its failure was told. Blocks."""
        old = self._file
        if not self._told:
            self._told = True
            raise old.unusable()
        found = Reader(read(self.path)[: old.offset])
        for _ in found:
            pass
        if found.next_sequence != self._next or len(found.problems()) > len(self.repairs):
            raise StorageError(
                f"{self.path} lost records when a sync failed ({old.distrusted})",
                remedy="Mend the disk, then open the session again: it goes on with what is left.",
            )
        replace(self.path, found.lines.data)
        self._file = self.pages.file = AppendFile(self.path)
        self._told = False
        old.close()

    def side_file(self, name: str, data: bytes) -> Path:
        """Puts bytes beside the journal, e.g. a whole output, and returns where; on the disk with the next sync.

        A name that is no plain file name is changed into one. An older file of that name is replaced whole.
        """
        path = self.directory / SIDE_FILES / _plain(name)
        self.pages.directories += make_directories(path.parent)
        replace(path, data, durable=False)
        self.pages.side_files.append(path)
        self._desk.disk.dirty(self.pages)
        return path

    def records(self, after: int = 0) -> Iterator[JournalRecord]:
        """The records with a sequence above `after`, read from the file. Blocks."""
        return iter(Reader(read(self._file.path)[: self._file.offset], after))

    async def close(self) -> None:
        """Syncs, closes the file and gives the lock back; a second time does nothing. Raises StorageError."""
        if not self._closed:
            self._closed = True
            if self._desk.disk.closed:
                self._shut()
            else:
                await self._desk.disk.call(self._shut)

    def _shut(self) -> None:
        try:
            self.pages.sync()
        except StorageError:
            with suppress(StorageError):  # the first failure is the one to tell
                self._file.close()
            raise
        else:
            self._file.close()
        finally:
            if self._file.distrusted:
                self._desk.distrusted[self.id] = self._next
            self._lock.release()
            tell_listings(self.directory)


def tell_listings(session: Path) -> None:
    """Touches the directory above: the index looks at the sessions in it whose journal grew or is held."""
    with suppress(OSError):  # listings are then late, no more
        os.utime(session.parent)


def redacted(entry: JournalEntry, redactor: Redactor | None) -> tuple[JournalEntry, dict[str, Any]]:
    """The entry with known secrets taken out of every text in it, the same object where there is none; and as JSON."""
    body = to_dict(entry)
    if redactor is None or redactor.empty:
        return entry, body
    texts: list[str] = []

    def gather(text: str) -> str:
        texts.append(text)
        return text

    _clean(body, gather)
    together = "\0".join(texts)  # one look at all: a secret in one of them is found there too
    if redactor.text(together) == together or (clean := _clean(body, redactor.text)) == body:
        return entry, body
    made: JournalEntry = from_dict(clean, JournalEntry)  # type: ignore[arg-type]
    return made, clean


def cleaned(records: Sequence[JournalRecord], redactor: Redactor | None) -> Iterator[JournalRecord]:
    """Records without known secrets; a title that was made of a text with one is made anew, of what is left of it."""
    entries = [redacted(record.entry, redactor)[0] for record in records]
    asked = [n for n, e in enumerate(entries) if isinstance(e, MessageAdded) and e.message.role == "user"]
    changed = any(entries[at] is not records[at].entry for at in asked)
    title = automatic_title(tuple(entry.message for entry in entries if isinstance(entry, MessageAdded)))
    for record, entry in zip(records, entries, strict=True):
        if changed and isinstance(entry, TitleChanged) and entry.automatic:
            entry = evolve(entry, title=title)
        yield evolve(record, entry=entry)


def _clean(value: Any, text: Callable[[str], str]) -> Any:
    match value:
        case str():
            return text(value)
        case dict():
            return {key: inner if key == "type" else _clean(inner, text) for key, inner in value.items()}
        case list() | tuple():
            return [_clean(inner, text) for inner in value]
        case _:
            return value


def _plain(name: str) -> str:
    """A plain file name: the same where it is one, else its safe characters with a digest of the whole."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[:100]
    return plain if plain == name else f"{plain}-{sha256(name.encode(errors='replace')).hexdigest()[:8]}"


def create_journal(
    directory: Path, started: SessionStarted, lock: FileLock, desk: Desk, directories: list[Path]
) -> Journal:
    """A new journal with its first entry, durable with its first sync. Blocks; the lock is held.

    `directories` are those that got a new name on the way.
    """
    file = AppendFile(directory / JOURNAL, durable=False)
    try:
        if file.offset:
            file.cut(0)
        item = JournalRecord(sequence=1, recorded_at=datetime.now(UTC), entry=started)
        file.append(encode(item))
    except BaseException:
        file.close()
        raise
    state = start(started, item.recorded_at)
    made = Journal(file, lock, desk, state=state, next_sequence=2, directories=[*directories, directory])
    desk.disk.dirty(made.pages)
    return made


def open_journal(directory: Path, session_id: str, lock: FileLock, desk: Desk) -> Journal:
    """A journal to go on with: what is torn is cut, what was distrusted is written anew. Blocks; the lock is held.

    FileNotFoundError where there is none; JournalDamaged, JournalTooNew, StorageError.
    """
    path = directory / JOURNAL
    state, reader = read_state(path, session_id)
    if reader.format > JOURNAL_FORMAT:
        raise too_new(path, reader.format)
    repairs = [f"{path}: {problem}" for problem in reader.problems()]
    lines = reader.lines
    torn = lines.data[lines.end :]
    if torn:
        side = directory / f"cut-{lines.end}-{zlib.crc32(torn):08x}"
        replace(side, torn)
        repairs.append(f"{path}: its last {len(torn)} bytes were torn, no whole record; cut, and kept in {side.name}")
    expected = desk.distrusted.get(session_id, 0)
    if expected:
        replace(path, lines.data[: lines.end])
        if reader.next_sequence < expected:
            repairs.append(f"{path}: records {reader.next_sequence} to {expected - 1} were lost when a sync failed")
        del desk.distrusted[session_id]
    file = AppendFile(path)
    try:
        if torn and not expected:
            file.cut(lines.end)
        if lines.unended:
            file.append(b"\n")
    except BaseException:
        file.close()
        raise
    return Journal(file, lock, desk, state=state, next_sequence=reader.next_sequence, repairs=tuple(repairs))
