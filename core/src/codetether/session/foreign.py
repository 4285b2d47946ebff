"""Sessions of other products on this machine: found, listed beside ours, read, taken in."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import orjson
from attrs import field

from codetether.errors import CodetetherError, InvalidSessionId, SessionNotFound, SourceDamaged, StorageError
from codetether.formats.protocols import SessionFinder, SessionFormat
from codetether.models.foreign import ForeignSession, ForeignSummary, Unreadable
from codetether.models.session import JournalRecord, SessionStarted
from codetether.plugins.boundary import BROKEN, reason_of
from codetether.plugins.life import created
from codetether.plugins.loaded import LoadedPlugins
from codetether.session.contexts import ContextFactory
from codetether.specs import SessionFormatSpec
from codetether.storage.durable import private_directory, replace
from codetether.storage.store import Store
from codetether.values import define, frozen
from codetether.wire import from_dict, to_dict

if TYPE_CHECKING:
    from codetether.record.trail import AuditTrail

_CACHE = "foreign-sessions.json"
_VERSION = 1
PATIENCE = 3.0
"""Seconds that a listing spends on sources that it has not seen yet."""


@frozen(kw_only=True)
class Foreign:
    """A session of another product that is not taken in yet, with the name of its format."""

    format: str
    summary: ForeignSummary

    @property
    def id(self) -> str:
        """Its id here."""
        return self.summary.session.id

    @property
    def title(self) -> str:
        """As listings show it: the format's name before it."""
        return f"[{self.format}] {self.summary.session.title or '(no title)'}"


@define(kw_only=True)
class ForeignSessions:
    """What the formats of plugins make of other products' files.

    Attributes:
        patience: seconds for sources that no listing has seen; None for as long as it takes.
        unseen: how many sources the last listing left for another time.
        audit: is told what is taken in.
    """

    plugins: LoadedPlugins
    contexts: ContextFactory
    store: Store
    stack: AsyncExitStack
    patience: float | None = PATIENCE
    unseen: int = 0
    audit: AuditTrail | None = None
    _formats: dict[str, SessionFormat] | None = field(default=None)

    async def formats(self) -> dict[str, SessionFormat]:
        """The formats by name, in the order of their names; one that fails is left out and reported."""
        if self._formats is None:
            self._formats = {}
            provided = self.plugins.collect(SessionFormatSpec)
            for each in sorted(provided, key=lambda p: (p.record.name, p.plugin)):
                if each.record.name in self._formats:
                    self.contexts.notify("plugins", f"{each.plugin}: there is a format {each.record.name!r} already")
                    continue
                try:
                    made = await created(self.stack, each.record, self.contexts.process(each.plugin))
                except BROKEN as error:  # the others are read all the same
                    self.plugins.report(each.plugin, f"create of {each.record.name}", error)
                    self.contexts.notify("plugins", f"{each.plugin}: {reason_of(error)}")
                else:
                    self._formats[each.record.name] = made
        return self._formats

    async def listing(self) -> list[Foreign]:
        """The sessions that other products keep here and that are not taken in, newest first.

        What was seen before and did not change comes from a cache; a source that cannot be read is left out.
        """
        cache = _Cache(self.contexts.directories.cache)
        end = time.monotonic() + self.patience if self.patience is not None else None
        found: dict[str, Foreign] = {}
        self.unseen = 0
        for name, made in (await self.formats()).items():
            for source, state in self._sources(name, made):
                summaries = cache.get(name, source, state)
                if summaries is None:
                    if end is not None and time.monotonic() > end:
                        self.unseen += 1
                        continue
                    summaries = await self._listed(made, source)
                    cache.put(name, source, state, summaries)
                for summary in summaries:
                    found.setdefault(summary.session.id, Foreign(format=name, summary=summary))
        cache.save()
        ours = await self.store.known(found)
        others = [each for id_, each in found.items() if id_ not in ours]
        return sorted(others, key=lambda each: (each.summary.session.updated_at, each.id), reverse=True)

    async def newest(self, directory: Path) -> Foreign | None:
        """The newest one of a directory that no other session began."""
        here = os.path.realpath(directory)
        for each in await self.listing():
            about = each.summary.session
            if about.parent_id is None and about.directory and os.path.realpath(about.directory) == here:
                return each
        return None

    async def one(self, session_id: str) -> ForeignSession:
        """The session that would have this id here. Raises SessionNotFound, SourceDamaged."""
        for each in await self._whole_listing() if "_" in session_id else ():
            if each.id == session_id:
                return await self.whole(each)
        raise SessionNotFound(f"no session {session_id}", remedy="`codetether sessions list` shows what there is.")

    async def _whole_listing(self) -> Sequence[Foreign]:
        patience, self.patience = self.patience, None
        try:
            return await self.listing()
        finally:
            self.patience = patience

    async def whole(self, foreign: Foreign) -> ForeignSession:
        """A listed session, read. Raises SourceDamaged."""
        why = "the session is not there any more"
        async for found in self.read(Path(foreign.summary.source), foreign.format):
            if isinstance(found, Unreadable):
                why = found.why
            elif found.started.id == foreign.id:
                return found
        raise SourceDamaged(foreign.summary.source, why)

    async def read(self, source: Path, name: str) -> AsyncIterator[ForeignSession | Unreadable]:
        """What a format makes of a source; a failure is the last that comes."""
        try:
            async with aclosing(self._format(await self.formats(), name).read(source)) as found:  # type: ignore[type-var]
                async for each in found:
                    yield each
        except SourceDamaged as error:
            yield Unreadable(source=error.source, why=error.why)
        except CodetetherError as error:
            yield Unreadable(source=str(source), why=error.message)
        except BROKEN as error:  # a plugin's own mistake must not hide what the others can read
            yield Unreadable(source=str(source), why=f"the plugin for {name} failed: {reason_of(error)}")

    async def recognised(self, source: Path) -> list[str]:
        """The formats that take the source for their own: one of a file, perhaps several of a directory."""
        names = []
        for name, made in (await self.formats()).items():
            with suppress(*BROKEN):
                if made.recognises(source):
                    names.append(name)
        return names if source.is_dir() else names[:1]

    async def places(self, name: str) -> list[Path]:
        """The sources of a format in its product's own place."""
        made = self._format(await self.formats(), name)
        return [source for source, _ in self._sources(name, made)]

    async def take_in(self, found: ForeignSession, *, directory: Path, again: bool = False) -> str | None:
        """Keeps a session among ours, whole or not at all, and gives its id; None where it is here already.

        `directory` is where it works that tells none. `again` makes another copy, `<id>_2`, of one that is here.
        Raises StorageError.
        """
        if self.audit is None:
            return await self._adopted(found, directory, again)
        async with self.audit.around("session", "session:import", session_id=found.started.id) as told:
            id_ = await self._adopted(found, directory, again)
            told["id"] = id_
        return id_

    async def _adopted(self, found: ForeignSession, directory: Path, again: bool) -> str | None:
        records = _placed(found.records, str(directory))
        id_, number = found.started.id, 1
        while True:
            try:
                await self.store.adopt(_named(records, id_))
                return id_
            except InvalidSessionId:
                if not again:
                    return None
                number += 1
                id_ = f"{found.started.id[:95]}_{number}"

    def _format(self, formats: dict[str, SessionFormat], name: str) -> SessionFormat:
        if name not in formats:
            there = ", ".join(formats) or "none"
            raise SourceDamaged(name, f"no plugin reads this format; there are: {there}", remedy="codetether plugins")
        return formats[name]

    def _sources(self, name: str, made: Any) -> list[tuple[Path, list[int]]]:
        """What is in the product's own place, each with its state; what changed last comes first."""
        if not isinstance(made, SessionFinder):
            return []
        try:
            found = [(source, state_of(source)) for source in made.find()]
            return sorted(found, key=lambda each: max(each[1][::2], default=0), reverse=True)
        except BROKEN as error:
            self.contexts.notify("", f"the sessions of {name} cannot be found: {reason_of(error)}")
            return []

    async def _listed(self, made: Any, source: Path) -> Sequence[ForeignSummary]:
        try:
            return tuple(await made.listed(source))
        except BROKEN:  # importing it says why; a listing shows what it can
            return ()


class _Cache:
    """What listings saw of sources, with their state then. It may be lost or broken at any time."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _CACHE
        self._old: dict[str, Any] = {}
        self._new: dict[str, Any] = {}
        with suppress(OSError, ValueError, TypeError, KeyError):
            read = orjson.loads(self._path.read_bytes())
            self._old = read["sources"] if read["version"] == _VERSION else {}

    def get(self, name: str, source: Path, state: list[int]) -> Sequence[ForeignSummary] | None:
        key = f"{name} {source}"
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            held = self._old[key]
            if held[0] == state:
                found = [from_dict(each, ForeignSummary) for each in held[1]]
                self._new[key] = held
                return found
        return None

    def put(self, name: str, source: Path, state: list[int], summaries: Sequence[ForeignSummary]) -> None:
        self._new[f"{name} {source}"] = [state, [to_dict(each) for each in summaries]]

    def save(self) -> None:
        if self._new != self._old:
            with suppress(OSError, StorageError, TypeError):  # the next listing looks again
                body = orjson.dumps({"version": _VERSION, "sources": self._new})
                replace(private_directory(self._path.parent) / _CACHE, body, durable=False)


def state_of(source: Path) -> list[int]:
    """By what a change is noticed: time and size, of a database's log too."""
    made: list[int] = []
    for path in (str(source), f"{source}-wal"):
        with suppress(OSError):
            found = os.stat(path)  # noqa: PTH116 - of thousands of files at each listing
            made += [found.st_mtime_ns, found.st_size]
    return made


def _placed(records: Sequence[JournalRecord], directory: str) -> list[JournalRecord]:
    first, *rest = records
    if isinstance(first.entry, SessionStarted) and not first.entry.directory:
        first = attrs.evolve(first, entry=attrs.evolve(first.entry, directory=directory))
    return [first, *rest]


def _named(records: Sequence[JournalRecord], id_: str) -> list[JournalRecord]:
    first, *rest = records
    assert isinstance(first.entry, SessionStarted)
    return [attrs.evolve(first, entry=attrs.evolve(first.entry, id=id_)), *rest]
