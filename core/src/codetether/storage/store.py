"""Sessions on disk: a directory and a journal each, found again by id, by time and by directory."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import stat
from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from codetether.errors import InvalidSessionId, SessionLocked, SessionNotFound, StorageError
from codetether.ids import bucket_of, check_session_id, is_session_id, new_session_id
from codetether.models.replay import Replayed
from codetether.models.session import JournalRecord, SessionStarted, SessionSummary
from codetether.storage.durable import (
    Disk,
    FileLock,
    make_directories,
    private_directory,
    reached,
    refusals,
    replace,
    sync_directory,
)
from codetether.storage.durable import read as read_file
from codetether.storage.journal import (
    Desk,
    Journal,
    Redactor,
    cleaned,
    create_journal,
    open_journal,
    tell_listings,
)
from codetether.storage.kept_index import KeptIndex
from codetether.storage.lines import JOURNAL, LOCK, Reader, encode, read_state

if TYPE_CHECKING:
    from codetether.storage.mending import Mending
    from codetether.storage.phrases import Phrases
    from codetether.storage.search import Findings, Other, Scope, Told
    from codetether.storage.tallies import Tally

T = TypeVar("T")
Summaries = list[SessionSummary]
Paths = list[Path]
Records = list[JournalRecord]


class Store:
    """All sessions under a data directory.

    `async with Store(data, disk) as store:`; the disk stays the caller's to close. Reading makes nothing:
    the directories are made with the first session.

    Attributes:
        directory: `<data>/sessions`.
    """

    def __init__(self, data: Path, disk: Disk, redactor: Redactor | None = None) -> None:
        self.data = data
        self.directory = data / "sessions"
        self._disk = disk
        self._desk = Desk(disk, redactor)
        self._index = KeptIndex(data / "index.sqlite", self.directory)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._index.opened:
            await asyncio.to_thread(self._index.close)

    async def create(self, started: SessionStarted) -> Journal:
        """A new session's journal with its first entry, locked; durable like all entries, with the next sync.

        InvalidSessionId where the id is none, is taken, or differs from a taken one by case only.
        """
        check_session_id(started.id)
        return await self._opened(self._disk.call(self._create, started))

    async def adopt(self, records: Sequence[JournalRecord]) -> None:
        """A whole session at once, its records with their own times, durable: all of it, or nothing.

        The first record names it. InvalidSessionId like `create`; StorageError.
        """
        started = records[0].entry
        if not isinstance(started, SessionStarted):
            raise ValueError("the first record begins no session")
        check_session_id(started.id)
        await self._disk.call(self._adopt, started.id, records)

    async def open(self, session_id: str) -> Journal:
        """A session's journal, locked for writing, torn ends mended.

        InvalidSessionId, SessionNotFound, SessionLocked (with the holder's pid, at once), JournalTooNew,
        JournalDamaged, StorageError.
        """
        check_session_id(session_id)
        return await self._opened(asyncio.to_thread(self._open, session_id))  # a long one must not delay a sync

    async def load(self, session_id: str) -> Replayed:
        """A session as its journal tells it now; takes no lock and changes nothing.

        InvalidSessionId, SessionNotFound, JournalDamaged, StorageError.
        """
        check_session_id(session_id)
        return await asyncio.to_thread(self._load, session_id)

    async def records(self, session_id: str, after: int = 0) -> AsyncIterator[JournalRecord]:
        """The records with a sequence above `after`, gaps included, as they stand now; like `load`."""
        check_session_id(session_id)
        path = await asyncio.to_thread(self._existing, session_id) / JOURNAL
        try:
            data = await asyncio.to_thread(read_file, path)
        except FileNotFoundError:
            raise _not_found(session_id) from None
        for item in await asyncio.to_thread(lambda: [*Reader(data, after)]):
            yield item

    async def latest(self, session_id: str, messages: int) -> Records:
        """The last records, back to the `messages`-th message from the end (results count): only they are read."""
        from codetether.storage.latest import latest_records

        check_session_id(session_id)
        path = await asyncio.to_thread(self._existing, session_id) / JOURNAL
        try:
            return await asyncio.to_thread(latest_records, path, messages)
        except FileNotFoundError:
            raise _not_found(session_id) from None

    async def list(self, *, limit: int | None = None, subagents: bool = True) -> Summaries:
        """The sessions by `updated_at`, newest first, those of subagents among them or not.

        One that cannot be read is left out, see `unreadable`.
        """
        return await asyncio.to_thread(self._index.ask, lambda index: index.newest(limit, subagents=subagents))

    async def known(self, ids: Collection[str]) -> set[str]:
        """Which of these ids sessions have."""
        if not ids:
            return set()
        return await asyncio.to_thread(self._index.ask, lambda index: index.known(ids))

    async def some(self, ids: Collection[str]) -> dict[str, SessionSummary]:
        """The sessions with these ids, by id; like `list`."""
        wanted = [*filter(is_session_id, ids)]
        found = await asyncio.to_thread(self._index.ask, lambda index: index.some(wanted))
        return {summary.id: summary for summary in found}

    async def children(self, session_id: str) -> Summaries:
        """The sessions of a session's subagents, the oldest first; like `list`. InvalidSessionId."""
        check_session_id(session_id)
        return await asyncio.to_thread(self._index.ask, lambda index: index.children(session_id))

    async def list_for_directory(
        self, directory: Path, *, limit: int | None = None, subagents: bool = True
    ) -> Summaries:
        """Those of one directory, compared by canonical path; like `list`."""
        real = os.path.realpath(directory)
        return await asyncio.to_thread(self._index.ask, lambda index: index.newest(limit, real, subagents=subagents))

    async def last(self) -> SessionSummary | None:
        """The session updated last, None where there is none; no subagent's."""
        return next(iter(await self.list(limit=1, subagents=False)), None)

    async def last_for_directory(self, directory: Path) -> SessionSummary | None:
        """The session of a directory that was updated last, None where there is none; no subagent's.

        One in which nothing was said yet, as another program may just have opened it, only where there is no other.
        """
        latest = await self.list_for_directory(directory, limit=20, subagents=False)
        return next((summary for summary in latest if summary.message_count), next(iter(latest), None))

    async def tally(self, since: date | None = None) -> Tally:
        """Tokens, costs and tool calls of all sessions, from a day (UTC) on; only what is new is read."""
        day = "" if since is None else since.isoformat()
        return await asyncio.to_thread(self._index.ask, lambda index: index.tally(day))

    async def search(
        self, phrases: Phrases, scope: Scope, told: Told = lambda done, all_: None, *, limit: int = 20, hits: int = 3
    ) -> Findings:
        """The sessions in which texts match, with so many hits of each at most; only what is new is read.

        `told` hears on another thread how many of the sessions that had to be read were. Raises StorageError.
        """
        return await asyncio.to_thread(
            self._index.ask, lambda index: index.search(phrases, scope, told, limit=limit, hits=hits)
        )

    async def others(self) -> dict[str, str]:
        """The sources of other products that a search knows, with the state in which they were read."""
        return await asyncio.to_thread(self._index.ask, lambda index: index.others())

    async def keep_other(self, source: str, state: str | None, others: Sequence[Other]) -> None:
        """Takes in what another product's source holds now, for searches; nothing where there is no state."""
        await asyncio.to_thread(private_directory, self.data)
        await asyncio.to_thread(self._index.ask, lambda index: index.keep_other(source, state, others))

    async def unreadable(self) -> dict[str, str]:
        """The sessions that no listing can show, by id, with the reason."""
        return await asyncio.to_thread(self._index.ask, lambda index: index.unreadable())

    async def mend(self, session_id: str, work: str, *, dry: bool = False) -> Mending:
        """Puts aside what cannot be read of a session's journal, see `mend`; with `dry` it is only told.

        InvalidSessionId, SessionNotFound, SessionLocked, JournalTooNew, JournalDamaged, StorageError.
        """
        check_session_id(session_id)
        return await asyncio.to_thread(self._mend, session_id, work, dry)

    async def delete(self, session_id: str) -> bool:
        """Removes a session durably; False where there is none. SessionLocked where it is held."""
        check_session_id(session_id)
        return await self._disk.call(self._delete, session_id)

    async def _opened(self, making: Coroutine[Any, Any, Journal]) -> Journal:
        """The journal that is being made on another thread; closed again where nobody waits any more."""
        opening = asyncio.ensure_future(making)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            with suppress(Exception):
                await (await opening).close()
            raise

    def _create(self, started: SessionStarted) -> Journal:
        directory, lock, made = self._new_place(started.id)
        try:
            return self._begin(directory, started, lock, made)
        except BaseException:
            lock.release()
            raise

    def _adopt(self, session_id: str, records: Sequence[JournalRecord]) -> None:
        directory, lock, made = self._new_place(session_id)
        try:
            lines = [encode(item) for item in cleaned(records, self._desk.redactor)]
            replace(directory / JOURNAL, b"".join(lines))
            for parent in (*made, directory.parent):
                sync_directory(parent)
        except BaseException:
            _leave_nothing(directory, lock)
            raise
        finally:
            lock.release()
            tell_listings(directory)

    def _new_place(self, session_id: str) -> tuple[Path, FileLock, Paths]:
        """The directory of a session that is not there yet, its lock, and the directories that got a new name."""
        bucket = self.directory / bucket_of(session_id)
        directory = bucket / session_id
        _refuse_twin(bucket, session_id)
        self._refuse_link(directory)
        made = make_directories(directory)
        lock = self._locked(directory, session_id)
        try:
            with suppress(FileNotFoundError):
                read_state(directory / JOURNAL, session_id)
                raise InvalidSessionId(f"session {session_id} exists already", remedy="Open it, or take another id.")
            _refuse_twin(bucket, session_id)  # one made meanwhile
        except BaseException:
            lock.release()
            raise
        return directory, lock, made

    def _begin(self, directory: Path, started: SessionStarted, lock: FileLock, made: Paths) -> Journal:
        """The new journal; where that fails, nothing is left of it."""
        try:
            return create_journal(directory, started, lock, self._desk, made)
        except BaseException:
            _leave_nothing(directory, lock)
            raise

    def _open(self, session_id: str) -> Journal:
        directory = self._existing(session_id)
        lock = self._locked(directory, session_id)
        try:
            return open_journal(directory, session_id, lock, self._desk)
        except FileNotFoundError:
            lock.release()
            raise _not_found(session_id) from None
        except BaseException:
            lock.release()
            raise

    def _mend(self, session_id: str, work: str, dry: bool) -> Mending:
        from codetether.storage.mending import mend

        directory = self._existing(session_id)
        lock = self._locked(directory, session_id)
        try:
            return mend(directory, session_id, work, dry=dry)
        except FileNotFoundError:
            raise _not_found(session_id) from None
        finally:
            lock.release()
            tell_listings(directory)

    def _load(self, session_id: str) -> Replayed:
        try:
            return read_state(self._existing(session_id) / JOURNAL, session_id)[0]
        except FileNotFoundError:
            raise _not_found(session_id) from None

    def _existing(self, session_id: str) -> Path:
        """The directory of a session that exists under exactly this id."""
        bucket = self.directory / bucket_of(session_id)
        directory = bucket / session_id
        self._refuse_link(directory)
        names = _names(bucket)
        if session_id not in names:
            _refuse_twin(bucket, session_id)
            raise _not_found(session_id)
        return directory

    def _refuse_link(self, directory: Path) -> None:
        """A link in the place of our own directories could lead a writer anywhere."""
        for path in (directory.parent, directory):
            with refusals("use", path), suppress(FileNotFoundError):
                if not stat.S_ISDIR(path.lstat().st_mode):
                    raise StorageError(
                        f"cannot use {path}: it is no directory, or a symbolic link to one",
                        remedy="Put the session's own directory in its place.",
                    )

    def _locked(self, directory: Path, session_id: str) -> FileLock:
        lock = FileLock(directory / LOCK)
        if not lock.acquire():
            pid = lock.holder()
            by = f"process {pid}" if pid is not None else "another process"
            raise SessionLocked(
                f"session {session_id} is in use by {by}",
                pid=pid,
                remedy="Wait until it ends, or start another session.",
            )
        return lock

    def _delete(self, session_id: str) -> bool:
        for left in (self.directory / bucket_of(session_id)).glob(".deleted-*"):
            shutil.rmtree(left, ignore_errors=True)
        try:
            directory = self._existing(session_id)
        except SessionNotFound:
            return False
        lock = self._locked(directory, session_id)
        try:
            gone = directory.with_name(f".deleted-{session_id}-{secrets.token_hex(4)}")
            with refusals("delete", directory):
                reached("rename", directory)
                directory.rename(gone)
        finally:
            lock.release()
        sync_directory(gone.parent)
        with refusals("delete", gone):
            reached("remove", gone)
            shutil.rmtree(gone)
        self._desk.distrusted.pop(session_id, None)
        return True


def _leave_nothing(directory: Path, lock: FileLock) -> None:
    """A session that could not be made is not there."""
    with suppress(OSError):
        (directory / JOURNAL).unlink(missing_ok=True)
        lock.path.unlink()
        directory.rmdir()


def _names(bucket: Path) -> list[str]:
    with refusals("read", bucket):
        try:
            return [path.name for path in bucket.iterdir()]
        except FileNotFoundError:
            return []


def _refuse_twin(bucket: Path, session_id: str) -> None:
    for name in _names(bucket):
        if name != session_id and name.lower() == session_id.lower():
            raise InvalidSessionId(
                f"session id {session_id} differs from the existing {name} by case only",
                remedy=f"Use {name}, or another id.",
            )


def _not_found(session_id: str) -> SessionNotFound:
    return SessionNotFound(f"no session {session_id}", remedy="`codetether sessions list` shows what there is.")


__all__ = ["Journal", "Redactor", "Store", "bucket_of", "check_session_id", "new_session_id"]
