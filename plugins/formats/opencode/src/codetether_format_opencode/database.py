"""Sessions in SQLite, of 1.2 and of 2.0: read without changing a byte of the database or beside it."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from codetether import Fields, SourceDamaged, SourceFile, Unreadable, json_value

from codetether_format_opencode.held import Held

MAGIC = b"SQLite format 3\0"
_LIMIT = 120.0
"""Seconds that one reading may take: a database that is made to be slow does not stop us."""
_SESSION = frozenset(
    """id project_id parent_id fork_session_id slug directory title version share_url permission revert agent model cost
    tokens_input tokens_output tokens_reasoning tokens_cache_read tokens_cache_write
    time_created time_updated""".split()  # noqa: SIM905
)
BROKEN = (sqlite3.Error, UnicodeError)
"""What damage shows itself as: the module decodes SQLite's own messages, and they may quote what is damaged."""
_TABLES = {"session_v2": "session_message", "session": "message"}
"""The table of sessions and that of their messages; of a session in both, the newer counts."""


class Database:
    """One `opencode.db`, opened by `opened`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.problem: Unreadable | None = None
        self._connection = connection
        self._tables = {
            name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            for name in ("project", "session", "message", "part", "todo", "session_v2", "session_message")
            if connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone()
        }

    @property
    def there(self) -> bool:
        """Whether it holds sessions' tables."""
        return any(self._complete(table) for table in _TABLES)

    def _complete(self, table: str) -> bool:
        return "id" in self._tables.get(table, ()) and "session_id" in self._tables.get(_TABLES[table], ())

    def sessions(self, *, counted: bool = False) -> list[tuple[str, Fields]]:
        """The table and the row of each session, newest layout first, then oldest first.

        `counted`: with the number of its messages, as `messages`. What is damaged ends the list, and is kept as
        `problem`; sqlite3.Error where nothing can be read.
        """
        seen: set[str] = set()
        found: list[tuple[str, Fields]] = []
        for table, messages in _TABLES.items():
            if not self._complete(table):
                continue
            columns = [name for name in self._tables[table] if name in _SESSION]
            if counted:
                kinds = "AND m.type IN ('user', 'assistant')" if "type" in self._tables[messages] else ""
                columns.append(f"(SELECT count(*) FROM {messages} m WHERE m.session_id = s.id {kinds}) AS messages")
            order = "time_created, id" if "time_created" in columns else "id"
            try:
                for row in self._rows(f"SELECT {', '.join(columns)} FROM {table} s ORDER BY {order}"):
                    if row.text("id") and row.text("id") not in seen:
                        seen.add(row.text("id"))
                        found.append((table, row))
            except BROKEN as error:
                if not found:
                    raise
                self.problem = Unreadable(source=str(self.path), why=f"the database is damaged: {error}")
        return found

    def held(self, table: str, row: Fields) -> tuple[Held, list[Unreadable]]:
        """One session with what of it cannot be read."""
        id_ = row.text("id")
        made = Held(id=id_, info=information(row))
        problems: list[Unreadable] = []
        try:
            made.directory = self._worktree(row)
            if table == "session_v2":
                self._newer(made, problems)
            else:
                self._older(made, problems)
            if "session_id" in self._tables.get("todo", ()):
                query = "SELECT count(*) AS n FROM todo WHERE session_id = ?"
                made.todos = next(self._rows(query, (id_,))).count("n")
        except BROKEN as error:
            made.lost.append("messages that cannot be read, because the database is damaged")
            problems.append(Unreadable(source=f"{self.path}#{id_}", why=f"the database is damaged: {error}"))
        return made, problems

    def _older(self, made: Held, problems: list[Unreadable]) -> None:
        parts: dict[str, list[Fields]] = {}
        if "message_id" in self._tables.get("part", ()):
            mine = (
                "session_id = ?"
                if "session_id" in self._tables["part"]
                else "message_id IN (SELECT id FROM message WHERE session_id = ?)"
            )
            for row in self._rows(f"SELECT id, message_id, data FROM part WHERE {mine} ORDER BY id", (made.id,)):
                part = self._data(row, "parts of messages", made, problems)
                if part is not None:
                    parts.setdefault(row.text("message_id"), []).append(part)
        order = "time_created, id" if "time_created" in self._tables["message"] else "id"
        for row in self._rows(f"SELECT id, data FROM message WHERE session_id = ? ORDER BY {order}", (made.id,)):
            message = self._data(row, "messages", made, problems)
            if message is not None:
                made.messages.append((message, parts.get(row.text("id"), [])))

    def _newer(self, made: Held, problems: list[Unreadable]) -> None:
        order = "seq, id" if "seq" in self._tables["session_message"] else "id"
        for row in self._rows(
            f"SELECT id, type, time_created, data FROM session_message WHERE session_id = ? ORDER BY {order}",
            (made.id,),
        ):
            message = self._data(row, "messages", made, problems)
            if message is not None:
                known = {"type": row.get("type"), "time_created": row.get("time_created")}
                made.rows.append(Fields({**message.raw, **known}))

    def _data(self, row: Fields, what: str, made: Held, problems: list[Unreadable]) -> Fields | None:
        try:
            value = json_value(row.text("data"))
            if isinstance(value, dict):
                return Fields({**value, "id": row.text("id")})
            why = "it holds no object"
        except ValueError as error:
            why = str(error)
        made.lost.append(f"{what} that cannot be read")
        problems.append(Unreadable(source=f"{self.path}#{made.id}/{row.text('id')}", why=why))
        return None

    def _worktree(self, row: Fields) -> str:
        if not {"id", "worktree"} <= set(self._tables.get("project", ())):
            return ""
        query = "SELECT worktree FROM project WHERE id = ?"
        found = next(self._rows(query, (row.text("project_id"),)), None)
        return found.text("worktree") if found else ""

    def _rows(self, query: str, given: Sequence[Any] = ()) -> Iterator[Fields]:
        cursor = self._connection.execute(query, tuple(given))
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield Fields(dict(zip(names, row, strict=True)))


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """The database, open for reading. Raises SourceDamaged for a file that is none, or none that can be read.

    It is opened as one that nobody changes, so that SQLite makes no file beside it; where something was written that
    is not in it yet, it is a copy of both that is opened.
    """
    if SourceFile(path).head(16) != MAGIC:
        raise SourceDamaged(path, "it is no SQLite database" if SourceFile(path).regular else "it is empty, or no file")
    log = path.with_name(f"{path.name}-wal")
    try:
        if not SourceFile(log).regular:
            with closing(_connected(path, immutable=True)) as connection:
                yield Database(path, connection)
            return
        with TemporaryDirectory(prefix="codetether-") as place:
            copy = _copied(path, log, Path(place))
            with closing(_connected(copy, immutable=False)) as connection:
                yield Database(path, connection)
    except BROKEN as error:
        raise SourceDamaged(path, f"the database cannot be read: {error}") from error
    except OSError as error:
        raise SourceDamaged(path, error.strerror or str(error)) from error


def _copied(path: Path, log: Path, place: Path) -> Path:
    """A copy of a database and its log that belong together, as far as a few tries can tell."""
    copy = place / "copy.db"
    for _ in range(5):
        before = (_state(path), _state(log))
        shutil.copyfile(path, copy)
        if SourceFile(log).regular:
            shutil.copyfile(log, place / "copy.db-wal")
        if (_state(path), _state(log)) == before:
            break
    return copy


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _connected(path: Path, *, immutable: bool) -> sqlite3.Connection:
    how = "mode=ro&immutable=1" if immutable else "mode=rw"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, check_same_thread=False)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    end = time.monotonic() + _LIMIT
    connection.set_progress_handler(lambda: time.monotonic() > end, 100_000)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    return connection


def information(row: Fields) -> Fields:
    """The row as the files hold it."""
    info: dict[str, Any] = {
        name: row.get(name) for name in ("id", "slug", "directory", "title", "version", "agent", "cost")
    }
    info["parentID"], info["forkedFrom"] = row.get("parent_id"), row.get("fork_session_id")
    info["projectID"] = row.get("project_id")
    info["time"] = {"created": row.get("time_created"), "updated": row.get("time_updated")}
    info["share"] = {"url": row.get("share_url")} if row.text("share_url") else None
    for name in ("permission", "revert", "model"):
        info[name] = _parsed(row.text(name))
    if "tokens_input" in row:
        cache = {"read": row.get("tokens_cache_read"), "write": row.get("tokens_cache_write")}
        names = ("input", "output", "reasoning")
        info["tokens"] = {**{name: row.get(f"tokens_{name}") for name in names}, "cache": cache}
    return Fields({name: value for name, value in info.items() if value is not None})


def _parsed(text: str) -> Any:
    try:
        return json_value(text) if text else None
    except ValueError:
        return text
