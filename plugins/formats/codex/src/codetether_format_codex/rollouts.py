"""Where Codex keeps its rollouts, and which files are rollouts."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from codetether import Fields, ForeignSession, ForeignSummary, SourceDamaged, SourceFile, Unreadable, json_value

from codetether_format_codex.reader import Rollout

SUFFIXES = (".jsonl", ".json", ".jsonl.zst")
_OWN_NAME = re.compile(r"rollout-.*\.(jsonl|json|jsonl\.zst)")
_ENVELOPES = frozenset(("session_meta", "response_item", "event_msg", "turn_context", "compacted"))
_BARE = frozenset(
    ("message", "reasoning", "function_call", "function_call_output", "local_shell_call", "custom_tool_call")
)


class Rollouts:
    """Codex's session files: of JSON lines in all their generations, and the first one's single JSON objects."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._names: dict[Path, tuple[int, dict[str, str]]] = {}

    def recognises(self, source: Path) -> bool:
        """Whether it is a rollout, or a directory that holds one."""
        if source.is_dir():
            return any(_is_rollout(path) for path in SourceFile.below(source, SUFFIXES, 2000))
        return _is_rollout(source)

    async def read(self, source: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        """The sessions of a rollout, or of all below a directory."""
        if not source.is_dir():
            for found in await asyncio.to_thread(self._read, source):
                yield found
            return
        for path in await asyncio.to_thread(SourceFile.below, source, SUFFIXES):
            if not _is_rollout(path):
                if _OWN_NAME.fullmatch(path.name):
                    yield Unreadable(source=str(path), why=_why_not(path))
                continue
            try:
                for found in await asyncio.to_thread(self._read, path):
                    yield found
            except SourceDamaged as error:
                yield Unreadable(source=error.source, why=error.why)

    def find(self) -> Sequence[Path]:
        """The rollouts below `$CODEX_HOME`, else `~/.codex`: `sessions` and `archived_sessions`."""
        home = Path(self._environment.get("CODEX_HOME") or "~/.codex").expanduser()
        places = (home / "sessions", home / "archived_sessions")
        return [p for place in places for p in SourceFile.below(place, SUFFIXES) if _OWN_NAME.fullmatch(p.name)]

    async def listed(self, source: Path) -> Sequence[ForeignSummary]:
        """What a listing shows: a rollout has to be read for that."""
        return [found.summary(str(source)) async for found in self.read(source) if isinstance(found, ForeignSession)]

    def write(self, session: ForeignSession, target: BinaryIO) -> Sequence[str]:
        """Writes a rollout of JSON lines, as Codex writes them itself."""
        from codetether_format_codex.writer import write

        return write(session, target)

    def _read(self, path: Path) -> list[ForeignSession | Unreadable]:
        if path.name.endswith(".zst"):
            raise SourceDamaged(path, _why_not(path), remedy=f"unpack it first: zstd -d {path.name}")
        file, rollout = SourceFile(path), Rollout(path, self._thread_names(path))
        for number, value in _values(file):
            rollout.take(number, value)
        session = rollout.finish()
        if session is None:
            first = next(iter(file.problems), Unreadable(source=str(path), why="it is no rollout of Codex"))
            raise SourceDamaged(first.source, first.why)
        return [session, *file.problems]

    def _thread_names(self, path: Path) -> dict[str, str]:
        """The names that threads were given, by id: of the index beside the directory `sessions`."""
        for parent in list(path.parents)[1:6]:
            index = parent / "session_index.jsonl"
            try:
                changed = index.stat().st_mtime_ns
            except OSError:
                continue
            if self._names.get(index, (0, {}))[0] != changed:
                self._names[index] = (changed, dict(_named(index)))
            return self._names[index][1]
        return {}


def _named(index: Path) -> Iterator[tuple[str, str]]:
    try:
        for _, value in SourceFile(index).lines():
            entry = Fields(value)
            if entry.text("id") and entry.text("thread_name"):
                yield entry.text("id"), entry.text("thread_name")
    except SourceDamaged:
        return


def _values(file: SourceFile) -> Iterator[tuple[int, Any]]:
    """The records of a rollout with their lines; of the oldest, a single object, its head and then its items."""
    if file.path.name.endswith(".json"):
        whole = Fields(file.json())
        yield 1, whole.get("session")
        yield from ((1, item) for item in whole.list("items"))
    else:
        yield from file.lines()


def _is_rollout(path: Path) -> bool:
    if path.name.endswith(".zst"):
        return bool(_OWN_NAME.fullmatch(path.name)) and SourceFile(path).regular
    start = SourceFile(path).head()
    if path.name.endswith(".json"):
        return re.match(rb'\s*\{\s*"session"\s*:\s*\{', start) is not None and b'"items"' in start + b'"items"'
    lines = start.split(b"\n")
    return any(_is_record(line, whole=number < len(lines)) for number, line in enumerate(lines[:50], 1))


def _is_record(line: bytes, *, whole: bool) -> bool:
    """Whether a line is one of Codex's; of one that is longer than what is looked at, its beginning tells."""
    try:
        record = Fields(json_value(line))
    except ValueError:
        words = rb'"type"\s*:\s*"(session_meta|response_item|turn_context)"'
        return not whole and b'"payload"' in line and re.search(words, line) is not None
    if isinstance(record.get("payload"), dict):
        return record.text("type") in _ENVELOPES
    if record.text("type") in _BARE:
        return "uuid" not in record and ("role" in record or "call_id" in record or "summary" in record)
    first = {"id", "timestamp"} <= set(record.raw or ()) if isinstance(record.raw, dict) else False
    return first and set(record.raw) <= {"id", "timestamp", "instructions", "git", "cwd", "model"}


def _why_not(path: Path) -> str:
    if path.name.endswith(".zst"):
        return "it is compressed, which is not read here"
    return "it is no rollout of Codex" if SourceFile(path).regular else "it is empty, or no regular file"
