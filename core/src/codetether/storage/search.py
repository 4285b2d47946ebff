"""Full-text search over everything that journals hold, by an FTS5 index in the file of the index of sessions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from codetether.errors import StorageError
from codetether.storage.lines import JOURNAL, whole
from codetether.storage.phrases import Phrases
from codetether.storage.texts import Text, texts_of, told_of
from codetether.values import frozen

_BATCH = 4 * 1024**2
"""Bytes of journals that are counted in before others get the file: some tenths of a second."""
_PATIENCE_MS = 60_000
"""Another process that counts in the same sessions does our work: it is worth waiting for."""

_DEAD = 10_000
"""Texts that are gone before it is worth counting everything anew."""
_PLACE = "ifnull(s.canonical, o.canonical)"

Told = Callable[[int, int], None]
"""Told (sessions counted in, sessions that had to be) while journals are read."""


@frozen(kw_only=True)
class Scope:
    """What is searched; empty means everything.

    Attributes:
        directory: the canonical path at which a session works. below: the one at or below which it does.
        since, until: a time in ISO 8601 (UTC), or its beginning, as of the text itself; `until` is no longer meant.
        model: sessions that this one answered in: `provider/model`, or the model alone; `*` stands for anything.
        tool: only calls and results of this one; `*` as well. own: not in sessions of other products.
    """

    directory: str | None = None
    below: str | None = None
    since: str = ""
    until: str = ""
    model: str | None = None
    tool: str | None = None
    own: bool = False

    def conditions(self) -> tuple[str, list[str]]:
        """The scope as SQL, and what it is given."""
        made: list[tuple[str, list[str]]] = []
        if self.directory is not None:
            made.append((f"{_PLACE} = ?", [self.directory]))
        if self.below is not None:
            root = self.below.rstrip("/")
            made.append((f"({_PLACE} = ? OR {_PLACE} >= ? AND {_PLACE} < ?)", [self.below, f"{root}/", f"{root}0"]))
        if self.since:
            made.append(("t.at >= ?", [self.since]))
        if self.until:
            made.append(("t.at < ?", [self.until]))
        if self.model is not None:
            model = "kind = 'assistant' AND (name GLOB ? OR name GLOB '*/' || ?)"
            made.append((f"t.session IN (SELECT session FROM texts WHERE {model})", [self.model] * 2))
        if self.tool is not None:
            made.append(("t.kind IN ('call', 'result') AND t.name GLOB ?", [self.tool]))
        return " AND ".join(condition for condition, _ in made) or "1", [one for _, given in made for one in given]


@frozen(kw_only=True)
class Hit:
    """A text in which all words stand.

    Attributes:
        sequence: of its record in the journal; of a session of another product that was not taken in, 0.
        kind: `user`, `assistant`, `thinking`, `call`, `result`, `title` or `error`. name: of the model or the tool.
        snippet: the text around the first match on one line; `matches`: from where to where words of the query stand.
    """

    sequence: int
    at: str
    kind: str
    name: str
    snippet: str
    matches: tuple[tuple[int, int], ...]


@frozen(kw_only=True)
class Finding:
    """A session with its newest hits. `summary`: of one that another product keeps, as that was kept with its texts."""

    session_id: str
    hits: tuple[Hit, ...]
    summary: str | None = None


@frozen(kw_only=True)
class Findings:
    """Sessions, those first whose texts were written last. `more`: whether there are others."""

    sessions: tuple[Finding, ...]
    more: bool = False


@frozen(kw_only=True)
class Other:
    """A session of another product. `summary`: what is given back with a finding. `texts`: with their times."""

    id: str
    canonical: str
    summary: str
    texts: tuple[tuple[str, tuple[Text, ...]], ...]


_TABLES = """
    CREATE TABLE IF NOT EXISTS searched (id PRIMARY KEY, inode, read_to) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS texts (id INTEGER PRIMARY KEY AUTOINCREMENT, session, sequence, at, kind, name, start,
        length, place, body);
    CREATE INDEX IF NOT EXISTS texts_by_session ON texts (session);
    CREATE INDEX IF NOT EXISTS texts_by_model ON texts (name, session) WHERE kind = 'assistant';
    CREATE TABLE IF NOT EXISTS sources (name PRIMARY KEY, state) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS others (id PRIMARY KEY, source, canonical, summary) WITHOUT ROWID;
    CREATE VIRTUAL TABLE IF NOT EXISTS words
        USING fts5 (text, content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2');
    CREATE VIRTUAL TABLE IF NOT EXISTS other_words
        USING fts5 (text, content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2');
"""
"""`words` holds no text: a row of `texts` says in which bytes of the journal it stands. What is gone is only taken out
of `texts`; its words stay behind until they are the greater part, then everything is counted anew."""

_BEHIND = """SELECT s.id, s.bucket, s.inode, s.read_to FROM sessions s LEFT JOIN searched c ON c.id = s.id
    WHERE s.problem IS NULL AND (c.id IS NULL OR c.inode <> s.inode OR c.read_to <> s.read_to)
    ORDER BY s.updated_at"""
_GONE = "SELECT id FROM searched WHERE id NOT IN (SELECT id FROM sessions WHERE problem IS NULL)"
_HITS = """SELECT t.session, s.bucket, t.sequence, t.at, t.kind, t.name, t.start, t.length, t.place, t.body, o.summary
    FROM {words} w CROSS JOIN texts t ON t.id = w.rowid
    LEFT JOIN sessions s ON s.id = t.session AND s.problem IS NULL
    LEFT JOIN others o ON o.id = t.session
    WHERE {words} MATCH ? AND {there} AND {scope} ORDER BY {order} DESC"""
_OURS = {"words": "words", "there": "s.id IS NOT NULL", "order": "w.rowid"}
_OTHERS = {"words": "other_words", "there": "s.id IS NULL AND o.id IS NOT NULL", "order": "t.at"}
"""Ours lie in the order in which they were written, nearly, so that the newest need no look at the rest."""
_ADD = """INSERT INTO texts (session, sequence, at, kind, name, start, length, place, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


def forget(connection: sqlite3.Connection) -> None:
    """Drops everything that was counted in."""
    for table in ("searched", "texts", "sources", "others", "words", "other_words"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")


def _make_tables(connection: sqlite3.Connection) -> None:
    """The tables, where they are not there. Raises StorageError where this SQLite cannot search texts."""
    try:
        connection.executescript(_TABLES)
    except sqlite3.OperationalError as error:
        if "no such module" not in str(error):
            raise
        raise StorageError(
            f"the SQLite of this Python ({sqlite3.sqlite_version}) cannot search texts: it was built without FTS5",
            remedy="Use another Python, e.g. from python.org, your distribution, or uv.",
        ) from error


def refresh(connection: sqlite3.Connection, sessions: Path, told: Told) -> None:
    """Counts in what the index knows of and the search does not; only that is read."""
    _make_tables(connection)
    if gone := connection.execute(_GONE).fetchall():
        _take_out(connection, gone)
    behind = connection.execute(_BEHIND).fetchall()
    waiting = iter(behind)
    session = next(waiting, None)
    if session is not None:
        connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
    done = 0
    while session is not None:
        told(done, len(behind))
        read = 0
        with _writing(connection):
            while session is not None and read < _BATCH:
                read += _count_in(connection, sessions, *session)
                done, session = done + 1, next(waiting, None)


def _take_out(connection: sqlite3.Connection, gone: list[Any]) -> None:
    """Takes out the texts of sessions that are gone; where few are left, everything, to be counted anew."""
    with _writing(connection):
        connection.executemany("DELETE FROM texts WHERE session = ? AND body IS NULL", gone)
        connection.executemany("DELETE FROM searched WHERE id = ?", gone)
    counts = "SELECT count(*), (SELECT seq FROM sqlite_sequence WHERE name = 'texts') FROM texts"
    left, added = connection.execute(counts).fetchone()
    if (added or 0) > 2 * left + _DEAD:
        with _writing(connection):
            forget(connection)
        _make_tables(connection)


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that takes the file at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _count_in(connection: sqlite3.Connection, sessions: Path, session: str, bucket: str, inode: int, end: int) -> int:
    """Counts in what a session's journal holds up to `end`; the bytes that were read."""
    run = connection.execute
    known = run("SELECT inode, read_to FROM searched WHERE id = ?", (session,)).fetchone()
    if known is None or known[0] != inode or known[1] > end:
        run("DELETE FROM texts WHERE session = ? AND body IS NULL", (session,))
        known = (inode, 0)
    begin = start = int(known[1])
    with suppress(OSError):  # gone meanwhile
        data = _bytes(f"{sessions}/{bucket}/{session}/{JOURNAL}", start, end - start)
        for line in data.split(b"\n"):
            if told_of(line) and whole(line):
                entry = orjson.loads(line)
                place = (start, len(line))
                _add(connection, session, entry["seq"], entry["at"], texts_of(entry), place)
            start += len(line) + 1
        run("INSERT OR REPLACE INTO searched VALUES (?, ?, ?)", (session, inode, end))
    return end - begin


def _add(
    connection: sqlite3.Connection,
    session: str,
    sequence: int,
    at: str,
    texts: Iterable[Text],
    place: tuple[int, int] | None,
) -> None:
    """One entry's texts; `place` is where they stand in the journal, None where they must be kept here."""
    run = connection.execute
    for number, text in enumerate(texts):
        body = None if place else text.text
        made = run(_ADD, (session, sequence, at, text.kind, text.name, *(place or (0, 0)), number, body))
        words = "words" if place else "other_words"
        run(f"INSERT INTO {words} (rowid, text) VALUES (?, ?)", (made.lastrowid, text.words))


def states(connection: sqlite3.Connection) -> dict[str, str]:
    """The sources of other products that are counted in, with the state in which they were."""
    _make_tables(connection)
    return dict(connection.execute("SELECT name, state FROM sources"))


def keep_other(connection: sqlite3.Connection, source: str, state: str | None, others: Iterable[Other]) -> None:
    """Counts in what another product's source holds now, in place of what it held; nothing is left with no state."""
    _make_tables(connection)
    run = connection.execute
    run(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
    with _writing(connection):
        old = "SELECT id FROM others WHERE source = ?"
        run(f"DELETE FROM texts WHERE body IS NOT NULL AND session IN ({old})", (source,))
        run("DELETE FROM others WHERE source = ?", (source,))
        run("DELETE FROM sources WHERE name = ?", (source,))
        if state is not None:
            run("INSERT INTO sources VALUES (?, ?)", (source, state))
        for other in others:
            run("DELETE FROM texts WHERE body IS NOT NULL AND session = ?", (other.id,))
            run("INSERT OR REPLACE INTO others VALUES (?, ?, ?, ?)", (other.id, source, other.canonical, other.summary))
            for at, texts in other.texts:
                _add(connection, other.id, 0, at, texts, None)


def find(
    connection: sqlite3.Connection, sessions: Path, phrases: Phrases, scope: Scope, *, limit: int, hits: int
) -> Findings:
    """The sessions in which texts match, with so many hits of each at most."""
    condition, given = scope.conditions()
    found: list[Finding] = []
    for each in (_OURS, _OTHERS):
        if each is _OURS or not scope.own:
            rows = connection.execute(_HITS.format(scope=condition, **each), (phrases.match(), *given))
            found += _grouped(rows, sessions, phrases, limit + 1, hits)
    found.sort(key=lambda one: one.hits[0].at, reverse=True)
    return Findings(sessions=tuple(found[:limit]), more=len(found) > limit)


def _grouped(rows: Iterable[Any], sessions: Path, phrases: Phrases, limit: int, hits: int) -> list[Finding]:
    """The first sessions that the rows name, each with its first hits."""
    found: dict[str, list[Hit]] = {}
    summaries: dict[str, str | None] = {}
    for session, bucket, sequence, at, kind, name, start, length, place, body, summary in rows:
        if session not in found and len(found) == limit:
            break
        shown = found.setdefault(session, [])
        if len(shown) == hits:
            continue
        if body is None:
            body, summary = _text_at(f"{sessions}/{bucket}/{session}/{JOURNAL}", start, length, place), None
        summaries[session] = summary
        snippet, matches = phrases.snippet(body)
        shown.append(Hit(sequence=sequence, at=at, kind=kind, name=name, snippet=snippet, matches=matches))
    return [Finding(session_id=id_, hits=tuple(shown), summary=summaries[id_]) for id_, shown in found.items()]


def _text_at(journal: str, start: int, length: int, place: int) -> str:
    """A text that was counted in; empty where the journal is another one by now."""
    with suppress(OSError, ValueError, IndexError):
        return texts_of(orjson.loads(_bytes(journal, start, length)))[place].text
    return ""


def _bytes(path: str, start: int, length: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.pread(descriptor, length, start)
    finally:
        os.close(descriptor)
