"""Where Claude Code keeps its sessions, and which files are sessions."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from codetether import Fields, ForeignSession, ForeignSummary, SourceDamaged, SourceFile, Unreadable, json_value

from codetether_format_claude.reader import read_records

_TYPES = frozenset(("user", "assistant", "summary", "system", "queue-operation", "file-history-snapshot", "attachment"))
_OWN_NAME = re.compile(r"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|agent-.+)\.jsonl")
_SUFFIX = (".jsonl",)
_SUBAGENTS = "subagents"


class Projects:
    """Claude Code's session files: a tree of records in JSON lines, subagents beside it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment

    def recognises(self, source: Path) -> bool:
        """Whether it is a session's file, or a directory that holds one."""
        if source.is_dir():
            return any(_is_session(path) for path in SourceFile.below(source, _SUFFIX, 2000))
        return source.name.endswith(_SUFFIX) and _is_session(source)

    async def read(self, source: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        """The session of a file and those of its subagents, or all below a directory."""
        if not source.is_dir():
            for found in await asyncio.to_thread(_read, source):
                yield found
            for path in _subagents_of(source):
                async for found in self._read_part(path):
                    yield found
            return
        for path in await asyncio.to_thread(SourceFile.below, source, _SUFFIX):
            if _is_session(path):
                async for found in self._read_part(path):
                    yield found
            elif _OWN_NAME.fullmatch(path.name):
                why = "it holds no session of Claude Code" if SourceFile(path).regular else "it is empty, or no file"
                yield Unreadable(source=str(path), why=why)

    async def _read_part(self, path: Path) -> AsyncIterator[ForeignSession | Unreadable]:
        """One of many files: what is wrong with it is told, and leaves the others alone."""
        try:
            for found in await asyncio.to_thread(_read, path):
                yield found
        except SourceDamaged as error:
            yield Unreadable(source=error.source, why=error.why)

    def find(self) -> Sequence[Path]:
        """The sessions below `$CLAUDE_CONFIG_DIR`, else `~/.claude`, in `projects`; subagents come with theirs."""
        home = Path(self._environment.get("CLAUDE_CONFIG_DIR") or "~/.claude").expanduser()
        found = SourceFile.below(home / "projects", _SUFFIX)
        return [path for path in found if _SUBAGENTS not in path.parts or not _owner(path).is_file()]

    async def listed(self, source: Path) -> Sequence[ForeignSummary]:
        """What a listing shows: a session has to be read for that."""
        return [found.summary(str(source)) async for found in self.read(source) if isinstance(found, ForeignSession)]

    def write(self, session: ForeignSession, target: BinaryIO) -> Sequence[str]:
        """Writes a session file of JSON lines, as Claude Code writes them itself."""
        from codetether_format_claude.writer import write

        return write(session, target)


def _subagents_of(path: Path) -> Iterator[Path]:
    """The files of a session's subagents: `<session>/subagents/agent-*.jsonl` beside `<session>.jsonl`."""
    yield from SourceFile.below(path.with_suffix("") / _SUBAGENTS, _SUFFIX)


def _owner(path: Path) -> Path:
    """The file of the session that a subagent belongs to."""
    above = next(parent for parent in path.parents if parent.name == _SUBAGENTS)
    return above.parent.with_suffix(".jsonl")


def _read(path: Path) -> list[ForeignSession | Unreadable]:
    file = SourceFile(path)
    records = [Fields(value) for _, value in file.lines()]
    parent = path.parent.parent.name if path.parent.name == _SUBAGENTS else ""
    sessions = read_records(records, path.stem, parent)
    if not sessions:
        first = next(iter(file.problems), Unreadable(source=str(path), why="it holds no session of Claude Code"))
        raise SourceDamaged(first.source, first.why)
    return [*sessions, *file.problems]


def _is_session(path: Path) -> bool:
    lines = SourceFile(path).head().split(b"\n")
    return any(_is_record(line, whole=number < len(lines)) for number, line in enumerate(lines[:50], 1))


def _is_record(line: bytes, *, whole: bool) -> bool:
    """Whether a line is one of Claude Code's; of one that is longer than what is looked at, its beginning tells."""
    try:
        record = Fields(json_value(line))
    except ValueError:
        words = rb'"(parentUuid|sessionId|leafUuid)"\s*:'
        return not whole and re.search(words, line) is not None and b'"type"' in line
    if not record or "payload" in record:
        return False
    message = record.object("message")
    if message and ("content" in message or "usage" in message):
        return record.text("type") in ("user", "assistant") or "sessionId" in record or "uuid" in record
    ours = "sessionId" in record or "leafUuid" in record or "uuid" in record or "messageId" in record
    return record.text("type") in _TYPES and ours
