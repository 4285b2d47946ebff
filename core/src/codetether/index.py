"""The index of sessions: a SQLite cache for listings, which may be deleted or broken at any time."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import attrs
import orjson

from codetether.errors import StorageError
from codetether.lines import JOURNAL, whole
from codetether.models.session import SessionSummary

VERSION = 1
_COLUMNS = "title, created_at, updated_at, message_count, agent, directory, model, parent_id"
_HEAD = re.compile(rb'\{"seq":\d+,"at":"([^"]+)","type":"(\w+)"')
_COUNTED = frozenset((b"message_added", b"tool_completed"))
_TOUCHING = frozenset((b"message_added", b"tool_completed", b"metadata_changed", b"turn_ended"))


class IndexBroken(Exception):
    """The cache cannot be used: throw it away."""


class IndexBusy(IndexBroken):
    """Another process is writing the cache: do without it for now."""


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise IndexBusy(str(error)) from error
        raise IndexBroken(str(error)) from error
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise IndexBroken(str(error)) from error


def forget(path: Path) -> None:
    """Removes an index's files."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink()


@attrs.define(kw_only=True)
class _Entry:
    """What the index holds of one session; `read_to` bytes of its journal are counted in."""

    id: str
    size: int = 0
    changed: int = 0
    inode: int = 0
    read_to: int = 0
    problem: str | None = None
    title: str | None = None
    created_at: str = ""
    updated_at: str = ""
    message_count: int = 0
    agent: str = "build"
    directory: str = ""
    model: str | None = None
    parent_id: str | None = None
    canonical: str = ""

    def read(self, data: bytes) -> None:
        """Counts in the next bytes of the journal, up to the last whole line; lines that are damaged are left out."""
        end = data.rfind(b"\n") + 1
        for line in data[:end].split(b"\n"):
            if whole(line):
                self._count_in(line)
        self.read_to += end
        if not self.created_at and end:
            self.problem = "its first line is damaged, or it is no journal"

    def _count_in(self, line: bytes) -> None:
        head = _HEAD.match(line)
        if head is None:
            return
        at, kind = head[1].decode(), head[2]
        if not self.created_at:
            if kind == b"session_started":
                self._begin(at, orjson.loads(line))
            return
        self.message_count += kind in _COUNTED
        if kind in _TOUCHING:
            self.updated_at = at
        if kind == b"metadata_changed":
            body = orjson.loads(line)
            self.agent = body.get("agent") or self.agent
            self.model = body.get("model", self.model)
            self.directory = body.get("directory", self.directory)
            self.canonical = os.path.realpath(self.directory)
        elif kind == b"title_changed":
            body = orjson.loads(line)
            self.title = body["title"]
            if not body.get("automatic"):
                self.updated_at = at

    def _begin(self, at: str, body: dict[str, str]) -> None:
        self.problem = None if body["id"] == self.id else f"it is the journal of session {body['id']}"
        self.created_at = self.updated_at = at
        self.agent = body.get("agent", "build")
        self.directory = body["directory"]
        self.canonical = os.path.realpath(self.directory)
        self.model = body.get("model")
        self.parent_id = body.get("parent_id")


_FIELDS = tuple(a.name for a in attrs.fields(_Entry))


class Index:
    """The sessions under a directory, in a SQLite file or, without a path, in memory. One thread at a time.

    Every look compares each journal's size, time and inode with what was counted in, and reads on from there
    where they differ, so that a writer never waits for the index, nor even knows it.
    """

    def __init__(self, path: Path | None, sessions: Path) -> None:
        self._sessions = sessions
        with _usable():
            if path is not None:
                _touch_private(path)
            self._connection = sqlite3.connect(
                path or ":memory:", timeout=1, isolation_level=None, check_same_thread=False
            )
        try:
            with _usable():
                self._prepare()
        except IndexBroken:
            self.close()
            raise

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=NORMAL")
        if run("PRAGMA user_version").fetchone() != (VERSION,):
            run("BEGIN IMMEDIATE")
            run("DROP TABLE IF EXISTS sessions")
            columns = ", ".join(f"{name} PRIMARY KEY" if name == "id" else name for name in _FIELDS)
            run(f"CREATE TABLE sessions ({columns}) WITHOUT ROWID")
            run("CREATE INDEX by_time ON sessions (updated_at)")
            run("CREATE INDEX by_directory ON sessions (canonical, updated_at)")
            run(f"PRAGMA user_version={VERSION}")
            run("COMMIT")

    def close(self) -> None:
        """Closes the file."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def refresh(self) -> None:
        """Counts in what changed on the disk since the last look."""
        with _usable():
            rows = self._connection.execute("SELECT id, size, changed, inode FROM sessions")
            known = {session_id: state for session_id, *state in rows}
            found = dict(_journals(self._sessions))
            gone = known.keys() - found.keys()
            changed = [session_id for session_id, (_, *state) in found.items() if known.get(session_id) != state]
            if gone or changed:
                self._write(gone, (self._counted(session_id, *found[session_id]) for session_id in changed))

    def _write(self, gone: set[str], entries: Iterator[_Entry | None]) -> None:
        marks = ", ".join("?" * len(_FIELDS))
        run = self._connection
        run.execute("BEGIN IMMEDIATE")
        try:
            run.executemany("DELETE FROM sessions WHERE id = ?", [(session_id,) for session_id in gone])
            run.executemany(
                f"INSERT OR REPLACE INTO sessions VALUES ({marks})",
                (attrs.astuple(entry) for entry in entries if entry is not None),
            )
        finally:
            run.execute("COMMIT")

    def _counted(self, session_id: str, path: str, size: int, changed: int, inode: int) -> _Entry | None:
        row = self._connection.execute("SELECT * FROM sessions WHERE id = ?", (session_id,)).fetchone()
        entry = _Entry(**dict(zip(_FIELDS, row, strict=True))) if row else _Entry(id=session_id)
        if entry.inode != inode or size <= entry.size or entry.problem:
            entry = _Entry(id=session_id)
        entry.size, entry.changed, entry.inode = size, changed, inode
        try:
            entry.read(_read_from(path, entry.read_to, size))
        except OSError as error:
            entry.problem = error.strerror or str(error)
        except (ValueError, KeyError, TypeError) as error:
            entry.problem = f"it does not fit: {error}"
        return entry if entry.created_at or entry.problem else None

    def newest(self, limit: int | None, canonical: str | None = None) -> list[SessionSummary]:
        """The sessions by `updated_at`, newest first, of one canonical directory or of all."""
        where = "WHERE problem IS NULL" + ("" if canonical is None else " AND canonical = ?")
        ask = f"SELECT id, {_COLUMNS} FROM sessions {where} ORDER BY updated_at DESC, id DESC LIMIT ?"
        given = (-1 if limit is None else limit,) if canonical is None else (canonical, -1 if limit is None else limit)
        with _usable():
            return [_summary(row) for row in self._connection.execute(ask, given)]

    def unreadable(self) -> dict[str, str]:
        """The sessions whose journal cannot be read, by id, with the reason."""
        with _usable():
            return dict(self._connection.execute("SELECT id, problem FROM sessions WHERE problem IS NOT NULL"))


def _summary(row: tuple[str, str | None, str, str, int, str, str, str | None, str | None]) -> SessionSummary:
    session_id, title, created, updated, count, agent, directory, model, parent = row
    return SessionSummary(
        id=session_id,
        title=title,
        created_at=datetime.fromisoformat(created),
        updated_at=datetime.fromisoformat(updated),
        message_count=count,
        agent=agent,
        directory=directory,
        model=model,
        parent_id=parent,
    )


def _touch_private(path: Path) -> None:
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _journals(sessions: Path) -> Iterator[tuple[str, tuple[str, int, int, int]]]:
    """Every session's id with its journal's path, size, time of change (ns) and inode."""
    for bucket in _directories(sessions):
        for session in _directories(bucket.path):
            path = f"{session.path}/{JOURNAL}"
            with suppress(OSError):
                found = os.lstat(path)
                yield session.name, (path, found.st_size, found.st_mtime_ns, found.st_ino)


def _directories(path: Path | str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from (e for e in entries if e.name[0] != "." and e.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", remedy="Check its permissions.") from error


def _read_from(path: str, offset: int, end: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        file.seek(offset)
        return file.read(end - offset)
