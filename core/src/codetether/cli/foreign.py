"""What commands share that show or take in sessions of other products."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codetether.cli.terminal import DIM, YELLOW, Screen
from codetether.errors import CodetetherError

if TYPE_CHECKING:
    from codetether.models.foreign import ForeignSession
    from codetether.session.foreign import Foreign, ForeignSessions
    from codetether.storage.store import Store


@asynccontextmanager
async def foreign_sessions(store: Store, screen: Screen) -> AsyncIterator[ForeignSessions]:
    """The formats alone, of all that is installed: half the time of a whole runtime.

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

    def notice(source: str, text: str) -> None:
        screen.say(f"note: {source}: {text}" if source else f"note: {text}", YELLOW)

    async with AsyncExitStack() as stack:
        loaded = LoadedPlugins()
        stack.callback(loaded.close)
        loaded.load(installed(), attrs.evolve(chosen, block=(*chosen.block, *chosen.not_)))
        contexts = ContextFactory(
            core=settings.core,
            credentials=Chain(()),
            directories=settings.directories,
            notify=notice,
            sections=own_settings(settings, loaded, lambda *_: None),
        )
        yield ForeignSessions(plugins=loaded, contexts=contexts, store=store, stack=stack)


async def listed_beside(store: Store, screen: Screen, *, patient: bool) -> list[Foreign]:
    """The sessions of other products for a listing of ours, which is shown whatever happens here."""
    try:
        async with foreign_sessions(store, screen) as foreign:
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
    async with foreign_sessions(store, screen) as foreign:
        return await foreign.one(session_id)


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
