"""What sessions spent: tokens, costs and tool calls by day, counted from the journals into the index's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import orjson
from attrs import field

from codetether.models.completion import Usage
from codetether.storage.lines import JOURNAL, whole
from codetether.values import define, frozen

_KINDS = (b'"type":"message_added"', b'"type":"tool_completed"', b'"type":"announced"', b'"key":"forked"')
_HEAD = 110
"""Bytes of a line within which its kind stands."""

Answers = tuple[str, str, str]
"""Day, provider, model."""
Calls = tuple[str, str]
"""Day, tool."""


@frozen(kw_only=True)
class Spending:
    """What one session had of one model on one day.

    Attributes:
        day: `YYYY-MM-DD`, in UTC.
        responses: how many, and `unpriced` of them without a known price; a prompt's failed requests do not count.
        usage: their tokens, and the cost of those that have a price.
    """

    session_id: str
    day: str
    provider: str
    model: str
    responses: int
    unpriced: int
    usage: Usage


@frozen(kw_only=True)
class ToolTally:
    """How one session used one tool on one day. `failures` count those that were denied too; `duration_ms` adds up."""

    session_id: str
    day: str
    tool: str
    calls: int
    failures: int
    denied: int
    duration_ms: float


@frozen(kw_only=True)
class TalliedSession:
    """A session as tallies name it. `directory` is the canonical path."""

    id: str
    title: str | None
    directory: str
    parent_id: str | None


@frozen(kw_only=True)
class Tally:
    """Everything that was counted, as of now."""

    sessions: Mapping[str, TalliedSession]
    spending: tuple[Spending, ...]
    tools: tuple[ToolTally, ...]


@define(kw_only=True)
class _Count:
    """What is counted of one session, up to `read_to` bytes of its journal."""

    inode: int = 0
    read_to: int = 0
    answers: dict[Answers, tuple[int, int, Usage]] = field(factory=dict)
    calls: dict[Calls, tuple[int, int, int, float]] = field(factory=dict)
    copied: int = 0
    """What a fork took of another session, up to this record, was spent there; it is written and read at once."""

    def read(self, data: bytes) -> None:
        """Counts in the journal's next whole lines; damaged ones are left out."""
        for line in data.split(b"\n"):
            if any(kind in line[:_HEAD] for kind in _KINDS) and whole(line):
                # What is not as we write it tells nothing.
                with suppress(KeyError, TypeError, AttributeError, ArithmeticError):
                    self._count_in(orjson.loads(line))

    def _count_in(self, entry: dict[str, Any]) -> None:
        day = entry["at"][:10]
        if entry["seq"] <= self.copied:
            return
        match entry:
            case {"type": "remembered", "plugin": "core", "key": "forked", "value": {"records": int(records)}}:
                self.copied = records
            case {"type": "message_added", "usage": usage, "message": message}:
                self._answer((day, message.get("provider") or "", message.get("model") or ""), usage)
            case {"type": "announced", "event": {"type": "usage_report", "usage": usage, "model": model}}:
                provider, _, name = model.partition("/")
                self._answer((day, provider, name), usage)
            case {"type": "announced", "event": {"type": "tool_call_complete"} as told}:  # a call that another made
                self._call((day, told["name"]), told["success"], told)
            case {"type": "tool_completed", "result": result}:
                self._call((day, result["name"]), result["success"], entry)

    def _call(self, key: tuple[str, str], success: bool, told: dict[str, Any]) -> None:
        calls, failures, denied, spent = self.calls.get(key, (0, 0, 0, 0.0))
        self.calls[key] = (
            calls + 1,
            failures + (not success),
            denied + bool(told.get("denied")),
            spent + told.get("duration_ms", 0.0),
        )

    def _answer(self, key: Answers, told: dict[str, Any]) -> None:
        responses, unpriced, usage = self.answers.get(key, (0, 0, Usage()))
        new = _usage([told.get(name, 0) for name in _TOKENS], told.get("cost"))
        self.answers[key] = (responses + 1, unpriced + (new.cost is None), usage + new)


_TOKENS = tuple(a.name for a in attrs.fields(Usage) if a.name.endswith("_tokens"))
_SPENT = ("responses", "unpriced", *_TOKENS, "cost")


def _usage(tokens: list[int], cost: str | None) -> Usage:
    named: dict[str, Any] = dict(zip(_TOKENS, tokens, strict=True))
    return Usage(**named, cost=None if cost is None else Decimal(cost))


def make_tables(connection: sqlite3.Connection) -> None:
    """The empty tables, in place of any that are there."""
    for table, columns, key in (
        ("counted", "id, inode, read_to", "id"),
        ("spent", f"id, day, provider, model, {', '.join(_SPENT)}", "id, day, provider, model"),
        ("used", "id, day, tool, calls, failures, denied, duration_ms", "id, day, tool"),
    ):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
        connection.execute(f"CREATE TABLE {table} ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID")


def refresh(connection: sqlite3.Connection, sessions: Path) -> None:
    """Counts in what the index knows of and the tallies do not; only that is read."""
    run = connection.execute
    run("BEGIN")  # one view of all tables: another process may be counting too
    try:
        behind = [(*row, _count(connection, *row)) for row in run(_BEHIND).fetchall()]
        gone = [session for (session,) in run(_GONE)]
    finally:
        run("COMMIT")
    made: dict[str, _Count] = {}
    for session, bucket, inode, read_to, count in behind:
        with suppress(OSError):  # gone meanwhile
            count.read(_bytes(Path(f"{sessions}/{bucket}/{session}/{JOURNAL}"), count.read_to, read_to))
            made[session] = attrs.evolve(count, inode=inode, read_to=read_to)
    if made or gone:
        _write(connection, made, gone)


_BEHIND = """SELECT s.id, s.bucket, s.inode, s.read_to FROM sessions s LEFT JOIN counted c ON c.id = s.id
    WHERE s.problem IS NULL AND (c.id IS NULL OR c.inode <> s.inode OR c.read_to <> s.read_to)"""
_GONE = "SELECT id FROM counted WHERE id NOT IN (SELECT id FROM sessions WHERE problem IS NULL)"


def _count(connection: sqlite3.Connection, session: str, bucket: str, inode: int, read_to: int) -> _Count:
    """What is counted of a session's journal; nothing where it is another file now, or a shorter one."""
    run = connection.execute
    known = run("SELECT inode, read_to FROM counted WHERE id = ?", (session,)).fetchone()
    if known is None or known[0] != inode or known[1] > read_to:
        return _Count()
    spent = run(f"SELECT day, provider, model, {', '.join(_SPENT)} FROM spent WHERE id = ?", (session,))
    used = run("SELECT day, tool, calls, failures, denied, duration_ms FROM used WHERE id = ?", (session,))
    return _Count(
        inode=inode,
        read_to=known[1],
        answers={(day, provider, model): (n, un, _usage(t, cost)) for day, provider, model, n, un, *t, cost in spent},
        calls={(day, tool): tuple(numbers) for day, tool, *numbers in used},
    )


def _write(connection: sqlite3.Connection, made: Mapping[str, _Count], gone: Iterable[str]) -> None:
    spent, used = [], []
    for session, count in made.items():
        for answers, (responses, unpriced, usage) in count.answers.items():
            cost = None if usage.cost is None else str(usage.cost)
            spent.append((session, *answers, responses, unpriced, *(getattr(usage, n) for n in _TOKENS), cost))
        used += [(session, *calls, *numbers) for calls, numbers in count.calls.items()]
    stale = [(session,) for session in (*made, *gone)]
    run = connection.executemany
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table in ("counted", "spent", "used"):
            run(f"DELETE FROM {table} WHERE id = ?", stale)
        run("INSERT INTO counted VALUES (?, ?, ?)", [(s, count.inode, count.read_to) for s, count in made.items()])
        run(f"INSERT INTO spent VALUES (?, ?, ?, ?, {', '.join('?' * len(_SPENT))})", spent)
        run("INSERT INTO used VALUES (?, ?, ?, ?, ?, ?, ?)", used)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def tally(connection: sqlite3.Connection, since: str = "") -> Tally:
    """What was counted from a day on, `YYYY-MM-DD`."""
    run = connection.execute
    spent = run(f"SELECT id, day, provider, model, {', '.join(_SPENT)} FROM spent WHERE day >= ?", (since,))
    used = run("SELECT id, day, tool, calls, failures, denied, duration_ms FROM used WHERE day >= ?", (since,))
    named = run("SELECT id, title, canonical, parent_id FROM sessions WHERE problem IS NULL")
    return Tally(
        spending=tuple(
            Spending(
                session_id=session,
                day=day,
                provider=provider,
                model=model,
                responses=responses,
                unpriced=unpriced,
                usage=_usage(tokens, cost),
            )
            for session, day, provider, model, responses, unpriced, *tokens, cost in spent
        ),
        tools=tuple(
            ToolTally(
                session_id=session,
                day=day,
                tool=tool,
                calls=calls,
                failures=failures,
                denied=denied,
                duration_ms=duration,
            )
            for session, day, tool, calls, failures, denied, duration in used
        ),
        sessions={
            session: TalliedSession(id=session, title=title, directory=canonical, parent_id=parent)
            for session, title, canonical, parent in named
        },
    )


def _bytes(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)
