"""Where OpenCode keeps its sessions, and in which of its layouts a source is."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from codetether import (
    Fields,
    ForeignSession,
    ForeignSummary,
    SessionSummary,
    SourceDamaged,
    SourceFile,
    Unreadable,
    foreign_id,
    moment,
)

from codetether_format_opencode.database import MAGIC, information, opened
from codetether_format_opencode.held import Held
from codetether_format_opencode.reader import NAME, session_of
from codetether_format_opencode.trees import Tree, tree_of, trees_below

_EXPORT = re.compile(rb'\s*\{\s*"info"\s*:\s*\{')
Found = ForeignSession | Unreadable


class Layouts:
    """OpenCode's sessions: two trees of JSON, two generations of SQLite, and the file that it exports.

    A session in a database or a tree has a source of its own: `<database>#<id>`, or its own file in the tree.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment

    def recognises(self, source: Path) -> bool:
        """Whether it is a database, an export, a session's file in a tree, or a directory with one of these."""
        if source.is_dir():
            return any(_databases(p) or _exports(p) or Tree(p).there for p in _places(source))
        path, _ = _parted(source)
        return _is_database(path) or _in_tree(path) or _is_export(path)

    async def read(self, source: Path) -> AsyncIterator[Found]:
        """The sessions; of one that stands in several layouts, the newest counts."""
        readings = await asyncio.to_thread(self._readings, source)
        while reading := await asyncio.to_thread(next, readings, None):
            for found in await asyncio.to_thread(reading):
                yield found

    def find(self) -> Sequence[Path]:
        """Below `$XDG_DATA_HOME/opencode`, else `~/.local/share/opencode`, and `$OPENCODE_DB`."""
        data = Path(self._environment.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "opencode"
        named = self._environment.get("OPENCODE_DB")
        places = [data / named] if named and named != ":memory:" else []
        places += sorted(data.glob("opencode*.db"))
        known = [path for path in dict.fromkeys(places) if SourceFile(path).regular]
        return [*known, *(info for tree in trees_below(data) for info in tree.infos())]

    async def listed(self, source: Path) -> Sequence[ForeignSummary]:
        """What a listing shows: of the rows of a database, or of a session's own file."""
        return await asyncio.to_thread(self._listed, source)

    def write(self, session: ForeignSession, target: BinaryIO) -> Sequence[str]:
        """Writes the file that `opencode import` takes."""
        from codetether_format_opencode.writer import write

        return write(session, target)

    def _readings(self, source: Path) -> Iterator[Callable[[], list[Found]]]:
        """What to do for each session, so that one after the other is held in memory."""
        path, only = _parted(source)
        if path.is_dir():
            return self._of_directory(path)
        if _in_tree(path):
            return iter([lambda: _from_tree(path)])
        if SourceFile(path).head(16) == MAGIC or path.suffix == ".db":
            return _of_database(path, only, set())
        return iter([lambda: _from_export(path)])

    def _of_directory(self, directory: Path) -> Iterator[Callable[[], list[Found]]]:
        seen: set[str] = set()
        places = _places(directory)
        databases = [path for place in places for path in _databases(place)]
        trees = sorted((tree for place in places if (tree := Tree(place)).there), key=lambda tree: tree.oldest)
        exports = [path for place in places for path in _exports(place)]
        for path in databases:
            yield from _guarded(lambda path=path: _of_database(path, "", seen))  # type: ignore[misc]
        for info in (info for tree in trees for info in tree.infos()):
            if info.stem not in seen:
                seen.add(info.stem)
                yield lambda info=info: _part(lambda: _from_tree(info))  # type: ignore[misc]
        for path in exports:
            read = _part(lambda path=path: _from_export(path))  # type: ignore[misc]
            fresh = [found for found in read if not (isinstance(found, ForeignSession) and found.source_id in seen)]
            yield lambda fresh=fresh: fresh  # type: ignore[misc]
        if not (databases or trees or exports):
            raise SourceDamaged(directory, "it holds no sessions of OpenCode")

    def _listed(self, source: Path) -> list[ForeignSummary]:
        path, only = _parted(source)
        if _is_database(path):
            with opened(path) as database:
                return [
                    _summary(row.text("id"), information(row), row.count("messages"), f"{path}#{row.text('id')}")
                    for _, row in database.sessions(counted=True)
                    if not only or row.text("id") == only
                ]
        if _in_tree(path) and (tree := tree_of(path)) is not None:
            info = Fields(SourceFile(path).json())
            return [_summary(path.stem, info, len(tree.message_files(path.stem)), str(path))]
        return [
            found.summary(str(source))
            for reading in self._readings(source)
            for found in reading()
            if isinstance(found, ForeignSession)
        ]


def _guarded(readings: Callable[[], Iterator[Callable[[], list[Found]]]]) -> Iterator[Callable[[], list[Found]]]:
    """The readings of one of many sources: what is wrong with it is told, and leaves the others alone."""
    try:
        yield from readings()
    except SourceDamaged as error:
        problem: list[Found] = [Unreadable(source=error.source, why=error.why)]
        yield lambda: problem


def _part(reading: Callable[[], list[Found]]) -> list[Found]:
    try:
        return reading()
    except SourceDamaged as error:
        return [Unreadable(source=error.source, why=error.why)]


def _of_database(path: Path, only: str, seen: set[str]) -> Iterator[Callable[[], list[Found]]]:
    with opened(path) as database:
        if not database.there:
            raise SourceDamaged(path, "it is a database, but not OpenCode's")
        rows = database.sessions()
        if only and not any(row.text("id") == only for _, row in rows):
            raise SourceDamaged(path, f"it holds no session {only}")
        for table, row in rows:
            if (only and row.text("id") != only) or row.text("id") in seen:
                continue
            seen.add(row.text("id"))
            yield lambda table=table, row=row: _whole(*database.held(table, row))  # type: ignore[misc]
        if database.problem is not None:
            problem: list[Found] = [database.problem]
            yield lambda: problem


def _from_tree(info: Path) -> list[Found]:
    tree = tree_of(info)
    assert tree is not None, "it was seen to stand in one"
    return _whole(*tree.held(info))


def _from_export(path: Path) -> list[Found]:
    whole = Fields(SourceFile(path).json())
    info = whole.object("info")
    if not info or "messages" not in whole:
        raise SourceDamaged(path, "it is no session of OpenCode: it has no `info` or no `messages`")
    held = Held(id=info.text("id") or path.stem, info=info)
    for message in whole.list("messages"):
        entry = Fields(message)
        if "info" in entry:
            parts = [Fields(part) for part in entry.list("parts") if isinstance(part, dict)]
            held.lost += ["parts of messages that are no objects"] * (len(entry.list("parts")) - len(parts))
            held.messages.append((entry.object("info"), parts))
        elif entry.text("type"):
            held.rows.append(entry)
        else:
            held.lost.append("messages that are no objects")
    return _whole(held, [])


def _whole(held: Held, problems: list[Unreadable]) -> list[Found]:
    shown: list[Found] = [session_of(held), *problems[:5]]
    if len(problems) > 5:
        shown.append(Unreadable(source=held.id, why=f"{len(problems) - 5} more of its pieces cannot be read"))
    return shown


def _parted(source: Path) -> tuple[Path, str]:
    """A database and the one session that is meant of it, where `<database>#<id>` says so."""
    name, mark, only = source.name.rpartition("#")
    if mark and not source.exists():
        return source.with_name(name), only
    return source, ""


def _places(directory: Path) -> list[Path]:
    """A directory and those in it, down to `.local/share/opencode/storage` of a home, but for what is in a tree."""
    found, level = [directory], [directory]
    for _ in range(4):
        below: list[Path] = []
        for place in level:
            if (place / "session").is_dir():
                continue
            with suppress(OSError):
                below += sorted(path for path in place.iterdir() if path.is_dir() and not path.is_symlink())
        level = below[:2000]
        found += level
    return found


def _databases(directory: Path) -> list[Path]:
    """OpenCode's databases: by their name, which they need not have where their tables tell."""
    with suppress(OSError):
        named = sorted(directory.glob("opencode*.db"))
        return [*named, *(p for p in sorted(directory.glob("*.db")) if p not in named and _is_database(p))]
    return []


def _exports(directory: Path) -> list[Path]:
    """The exports that lie in a directory."""
    with suppress(OSError):
        return [path for path in sorted(directory.glob("*.json")) if _is_export(path)]
    return []


def _is_database(path: Path) -> bool:
    try:
        with opened(path) as database:
            return database.there
    except SourceDamaged:
        return False


def _in_tree(path: Path) -> bool:
    tree = tree_of(path)
    return tree is not None and path.is_file() and (tree.oldest or (tree.storage / "message").is_dir())


def _is_export(path: Path) -> bool:
    return _EXPORT.match(SourceFile(path).head(4096)) is not None


def _summary(id_: str, info: Fields, count: int, source: str) -> ForeignSummary:
    time, model = info.object("time"), info.object("model")
    begun = time.time("created") or moment(1)
    assert begun is not None
    return ForeignSummary(
        source_id=id_,
        source=source,
        session=SessionSummary(
            id=foreign_id(NAME, id_),
            title=info.text("title") or None,
            created_at=begun,
            updated_at=time.time("updated") or begun,
            message_count=count,
            agent=info.text("agent") or "build",
            directory=info.text("directory"),
            model=f"{model.text('providerID')}/{model.text('id', 'modelID')}" if model.text("providerID") else None,
            parent_id=foreign_id(NAME, info.text("parentID")) if info.text("parentID") else None,
        ),
    )
