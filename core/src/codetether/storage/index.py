"""The index of sessions: a SQLite cache for listings, which may be deleted or broken at any time."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import orjson

from codetether.models.session import SessionSummary
from codetether.storage import tallies
from codetether.storage.lines import JOURNAL, whole
from codetether.storage.presence import Seen, boot_id, buckets_in, seen_in, sessions_in
from codetether.storage.tallies import Tally
from codetether.values import define

if TYPE_CHECKING:
    from codetether.storage.phrases import Phrases
    from codetether.storage.search import Findings, Other, Scope, Told

VERSION = 3
_WITHOUT_SUBAGENTS = " AND NOT EXISTS (SELECT 1 FROM sessions AS above WHERE above.id = sessions.parent_id)"
"""But one whose parent is gone stands for itself."""
_AMONG = "id IN (SELECT value FROM json_each(?))"
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


@define(kw_only=True)
class _Entry:
    """What the index holds of one session; `read_to` bytes of its journal are counted in."""

    id: str
    bucket: str
    live: bool = False
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
            if not self.created_at:
                break  # nothing counts before the first entry
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

    A writer knows nothing of it, but touches the directory above the session once it opened and once it closed
    the session. So a look at the index costs the time of the 256 directories; in those that changed,
    and for the sessions that a writer still held, each journal's size is compared with what was counted in, and
    read on from there. After a start of the machine every journal's size is compared once.
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
            from codetether.storage import search as full_text

            run("BEGIN IMMEDIATE")
            run("DROP TABLE IF EXISTS sessions")
            run("DROP TABLE IF EXISTS buckets")
            columns = ", ".join(f"{name} PRIMARY KEY" if name == "id" else name for name in _FIELDS)
            run(f"CREATE TABLE sessions ({columns}) WITHOUT ROWID")
            run("CREATE INDEX by_time ON sessions (updated_at, id)")
            run("CREATE INDEX by_directory ON sessions (canonical, updated_at, id)")
            run("CREATE INDEX by_bucket ON sessions (bucket)")
            run("CREATE INDEX by_parent ON sessions (parent_id) WHERE parent_id IS NOT NULL")
            run("CREATE INDEX by_need ON sessions (id) WHERE live OR problem IS NOT NULL")
            run("CREATE TABLE buckets (name PRIMARY KEY, changed, boot) WITHOUT ROWID")
            tallies.make_tables(self._connection)
            full_text.forget(self._connection)
            run(f"PRAGMA user_version={VERSION}")
            run("COMMIT")

    def close(self) -> None:
        """Closes the file."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def refresh(self) -> None:
        """Counts in what changed on the disk since the last look."""
        with _usable():
            boot = boot_id()
            run = self._connection.execute
            known = {name: (changed, at) for name, changed, at in run("SELECT name, changed, boot FROM buckets")}
            present = {name: (changed, boot) for name, changed in buckets_in(self._sessions)}
            stale = [name for name, state in present.items() if known.get(name) != state]
            gone = known.keys() - present.keys()
            entries: dict[str, _Entry | None] = {}
            for name in [*stale, *gone]:
                entries |= self._look(sessions_in(self._sessions / name), "bucket = ?", name)
            needed = "(live OR problem IS NOT NULL)"
            for name, session_id in run(f"SELECT bucket, id FROM sessions WHERE {needed}").fetchall():
                if session_id not in entries:
                    seen = seen_in(self._sessions / name, [session_id])
                    entries |= self._look(seen, "id = ?", session_id)
            if entries or stale or gone:
                self._write(entries, {name: present[name] for name in stale}, gone)

    def _look(self, found: dict[str, Seen], where: str, given: str) -> dict[str, _Entry | None]:
        """The entries that differ from what lies on the disk; None for a session that is gone."""
        rows = self._connection.execute(f"SELECT id, live, size, changed, inode FROM sessions WHERE {where}", (given,))
        known = {session_id: (bool(live), tuple(state)) for session_id, live, *state in rows}
        entries: dict[str, _Entry | None] = dict.fromkeys(known.keys() - found.keys())
        for session_id, seen in found.items():
            if known.get(session_id) != (seen.live, seen.state):
                entries[session_id] = self._counted(session_id, seen)
        return entries

    def _write(
        self, entries: dict[str, _Entry | None], buckets: dict[str, tuple[int, str]], gone: Collection[str]
    ) -> None:
        removed = [(session_id,) for session_id, entry in entries.items() if entry is None]
        kept = [attrs.astuple(entry) for entry in entries.values() if entry is not None]
        states = [(name, *state) for name, state in buckets.items()]
        run = self._connection
        run.execute("BEGIN IMMEDIATE")
        try:
            run.executemany("DELETE FROM sessions WHERE id = ?", removed)
            run.executemany(f"INSERT OR REPLACE INTO sessions VALUES ({', '.join('?' * len(_FIELDS))})", kept)
            run.executemany("DELETE FROM buckets WHERE name = ?", [(name,) for name in gone])
            run.executemany("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?)", states)
            run.execute("COMMIT")
        except BaseException:
            run.execute("ROLLBACK")
            raise

    def _counted(self, session_id: str, seen: Seen) -> _Entry | None:
        row = self._connection.execute("SELECT * FROM sessions WHERE id = ?", (session_id,)).fetchone()
        new = _Entry(id=session_id, bucket=seen.bucket)
        entry = _Entry(**dict(zip(_FIELDS, row, strict=True))) if row else new
        if (entry.size, entry.changed, entry.inode) != seen.state:
            if entry.inode != seen.state[2] or seen.state[0] <= entry.size or entry.problem:
                entry = new
            entry.size, entry.changed, entry.inode = seen.state
            path = f"{self._sessions}/{seen.bucket}/{session_id}/{JOURNAL}"
            try:
                entry.read(_read_from(path, entry.read_to, entry.size))
            except OSError as error:
                entry.problem = error.strerror or str(error)
            except (ValueError, KeyError, TypeError) as error:
                entry.problem = f"it does not fit: {error}"
        entry.live = seen.live
        return entry if entry.created_at or entry.problem else None

    def newest(
        self, limit: int | None, canonical: str | None = None, *, subagents: bool = True
    ) -> list[SessionSummary]:
        """The sessions by `updated_at`, newest first, of a canonical directory or of all, with `subagents` or not."""
        if canonical is not None:  # a name that is no UTF-8 stands in the journals with U+FFFD
            canonical = canonical.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        where = "WHERE problem IS NULL" + ("" if canonical is None else " AND canonical = ?")
        where += "" if subagents else _WITHOUT_SUBAGENTS
        given = [] if canonical is None else [canonical]
        which = f"{where} ORDER BY updated_at DESC, id DESC LIMIT ?"
        return self._summaries(which, *given, -1 if limit is None else limit)

    def children(self, session_id: str) -> list[SessionSummary]:
        """The sessions of its subagents, the oldest first."""
        return self._summaries("WHERE problem IS NULL AND parent_id = ? ORDER BY id", session_id)

    def some(self, ids: Collection[str]) -> list[SessionSummary]:
        """Those of these ids that can be read."""
        return self._summaries(f"WHERE problem IS NULL AND {_AMONG}", orjson.dumps(list(ids)).decode())

    def _summaries(self, which: str, *given: str | int) -> list[SessionSummary]:
        with _usable():
            rows = self._connection.execute(f"SELECT id, {_COLUMNS} FROM sessions {which}", given)
            return [_summary(row) for row in rows]

    def known(self, ids: Collection[str]) -> set[str]:
        """Which of these ids sessions have, readable or not."""
        with _usable():
            ask = f"SELECT id FROM sessions WHERE {_AMONG}"
            return {found for (found,) in self._connection.execute(ask, (orjson.dumps(list(ids)).decode(),))}

    def tally(self, since: str = "") -> Tally:
        """What the sessions spent from a day on, `YYYY-MM-DD`; what was not counted yet is read now."""
        with _usable():
            tallies.refresh(self._connection, self._sessions)
            return tallies.tally(self._connection, since)

    def search(self, phrases: Phrases, scope: Scope, told: Told, *, limit: int, hits: int) -> Findings:
        """The sessions in which texts match; what was not counted in yet is read now."""
        from codetether.storage import search as full_text

        with _usable():
            full_text.refresh(self._connection, self._sessions, told)
            return full_text.find(self._connection, self._sessions, phrases, scope, limit=limit, hits=hits)

    def others(self) -> dict[str, str]:
        """The sources of other products that a search knows, with the state in which they were read."""
        from codetether.storage import search as full_text

        with _usable():
            return full_text.states(self._connection)

    def keep_other(self, source: str, state: str | None, others: Collection[Other]) -> None:
        """What another product's source holds now, for searches; nothing where there is no state."""
        from codetether.storage import search as full_text

        with _usable():
            full_text.keep_other(self._connection, source, state, others)

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


def _read_from(path: str, offset: int, end: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        file.seek(offset)
        return file.read(end - offset)
