"""What commands share that show or take in sessions of other products."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from codetether.cli.terminal import DIM, YELLOW, Screen
from codetether.errors import CodetetherError, StorageError

if TYPE_CHECKING:
    from codetether.models.foreign import ForeignSession
    from codetether.plugins.discovery import Candidate
    from codetether.plugins.loaded import LoadedPlugins
    from codetether.runtime import Runtime
    from codetether.session.foreign import Foreign, ForeignSessions
    from codetether.storage.store import Store


@asynccontextmanager
async def foreign_sessions(store: Store, screen: Screen, *, whole: bool) -> AsyncIterator[ForeignSessions]:
    """The formats alone, of all that is installed: a part of the time of a whole runtime.

    Which plugins have formats is remembered for as long as the same are installed; `whole` looks at all of them.
    Raises SettingsError; what is wrong with a plugin is said where all of them are asked.
    """
    import attrs

    from codetether.credentials import Chain
    from codetether.plugins.discovery import installed
    from codetether.plugins.loaded import LoadedPlugins
    from codetether.session.contexts import ContextFactory
    from codetether.session.foreign import ForeignSessions
    from codetether.settings.settings import load_settings
    from codetether.wiring import own_settings

    settings = load_settings(Path.cwd())
    chosen = settings.core.plugins

    async with AsyncExitStack() as stack:
        loaded = LoadedPlugins()
        stack.callback(loaded.close)
        memory = _Memory(settings.directories.cache, installed(), repr(chosen))
        loaded.load(memory.wanted(whole=whole), attrs.evolve(chosen, block=(*chosen.block, *chosen.not_)))
        memory.keep(loaded)
        contexts = ContextFactory(
            core=settings.core,
            credentials=Chain(()),
            directories=settings.directories,
            notify=screen.notice,
            sections=own_settings(settings, loaded, lambda *_: None),
        )
        yield ForeignSessions(plugins=loaded, contexts=contexts, store=store, stack=stack)


class _Memory:
    """Which of the installed plugins have formats: to import the others would cost a listing most of its time."""

    def __init__(self, cache: Path, found: list[Candidate], chosen: str) -> None:
        self._path = cache / "formats.json"
        self._found = found
        self._here = [chosen, *([c.name, c.distribution, c.version, c.module] for c in found)]
        self._known = False

    def wanted(self, *, whole: bool) -> list[Candidate]:
        """Those to load: all where the installed ones changed, or something was wrong the last time."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            held = orjson.loads(self._path.read_bytes())
            if held["installed"] == self._here and not whole:
                self._known = True
                return [candidate for candidate in self._found if candidate.name in held["formats"]]
        return self._found

    def keep(self, loaded: LoadedPlugins) -> None:
        """Remembers what was learnt of them."""
        from codetether.specs import SessionFormatSpec
        from codetether.storage.durable import private_directory, replace

        names = [provided.plugin for provided in loaded.collect(SessionFormatSpec)]
        if not self._known and not loaded.problems():
            with suppress(OSError, StorageError):
                body = orjson.dumps({"installed": self._here, "formats": names})
                replace(private_directory(self._path.parent) / self._path.name, body, durable=False)


async def listed_beside(store: Store, screen: Screen, *, patient: bool) -> list[Foreign]:
    """The sessions of other products for a listing of ours, which is shown whatever happens here."""
    try:
        async with foreign_sessions(store, screen, whole=patient) as foreign:
            if patient:
                foreign.patience = None
            found = await foreign.listing()
            if foreign.unseen:
                more = f"{foreign.unseen} files of other products were not looked at yet"
                screen.say(f"note: {more}: codetether sessions list --all", DIM)
            return found
    except CodetetherError as error:
        screen.say(f"note: sessions of other products are not shown: {error.message}", YELLOW)
        return []


async def read_foreign(store: Store, screen: Screen, session_id: str) -> ForeignSession:
    """A session of another product by the id that listings show. Raises SessionNotFound, SourceDamaged."""
    async with foreign_sessions(store, screen, whole=False) as foreign:
        return await foreign.one(session_id)


async def session_to_go_on_with(
    runtime: Runtime, session_id: str | None, directory: Path, notice: Callable[[str, str], None], *, resume: bool
) -> str | None:
    """The id of the session to open: the one named, or (`resume`) the newest of the directory; None for a new one.

    Ours come before those of other agents; one of theirs is taken in first, and that is said.
    """
    if session_id:
        return await taken_in(runtime, session_id, directory, notice)
    if not resume:
        return None
    last = await runtime.sessions.last_for_directory(directory)
    if last is not None:
        return last.id
    foreign = await runtime.foreign.newest(directory)
    if foreign is not None:
        notice("", f"going on with {foreign.title}")
        return await taken_in(runtime, foreign.id, directory, notice)
    notice("", f"no session in {directory} yet: starting one")
    return None


async def taken_in(runtime: Runtime, session_id: str, directory: Path, notice: Callable[[str, str], None]) -> str:
    """The same id, of a session that is among ours now; one of another agent's is imported, and that is said."""
    from codetether.ids import bucket_of

    named = "_" in session_id and any(session_id.startswith(f"{name}_") for name in await runtime.foreign.formats())
    if named and not (runtime.sessions.directory / bucket_of(session_id) / session_id).is_dir():
        found = await runtime.foreign.one(session_id)
        await runtime.foreign.take_in(found, directory=directory)
        notice("", f"imported {session_id}" + "".join(f"; not taken over: {what}" for what in found.lost))
    return session_id


def report(found: ForeignSession) -> dict[str, Any]:
    """A session as `sessions import --json` shows it; the names are a promise."""
    session, usage = found.session, found.usage
    return {
        "source_id": found.source_id,
        "title": session.title,
        "directory": session.metadata.directory or None,
        "model": session.metadata.model,
        "messages": found.messages,
        "tool_calls": found.tool_calls,
        "tool_results": found.tool_results,
        "usage": {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "cost": None if usage.cost is None else str(usage.cost),
        },
        "lost": list(found.lost),
    }
