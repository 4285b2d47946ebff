"""What a session in a directory would have, without a session: for listings, trials, and commands of plugins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codetether.models.replay import start
from codetether.models.session import SessionStarted
from codetether.models.tools import Completed, Confinement, Mode, ToolDefinition
from codetether.plugin_contexts import SessionContext
from codetether.session.confinement import confinement_of
from codetether.session.contexts import Shared
from codetether.session.makers import Makers
from codetether.session.offering import Offering, answerable

if TYPE_CHECKING:
    from codetether.runtime import Runtime


class _Unrecorded:
    """A journal of no session: it holds a state and takes nothing."""

    def __init__(self, directory: Path) -> None:
        started = SessionStarted(id="none", directory=str(directory))
        self.state = start(started, datetime.now(UTC))


@asynccontextmanager
async def unrecorded(runtime: Runtime, directory: Path, mode: Mode = "default") -> AsyncIterator[Makers]:
    """Makers of a session that is not recorded, with its executor."""
    journal: Any = _Unrecorded(directory)
    agent, person = runtime.agent("build"), runtime.person
    shared = Shared(journal=journal, directory=directory, agent=agent, person=person, agents=runtime.agents)
    async with AsyncExitStack() as stack:
        makers = Makers(runtime=runtime, stack=stack, shared=shared, contexts=runtime.contexts)
        shared.executor = await makers.executor(mode)
        yield makers


@asynccontextmanager
async def workplace(runtime: Runtime, plugin: str) -> AsyncIterator[SessionContext]:
    """A plugin's context as a session in the runtime's directory would give it, its executor with it.

    Nothing is recorded, and nothing of a model or a running prompt can be asked of it.
    """
    mode = runtime.settings.core.session.mode
    async with unrecorded(runtime, runtime.directory, mode) as makers:
        yield makers.contexts.session(plugin, makers.shared)


async def offering_in(runtime: Runtime, directory: Path) -> Offering:
    """The tools that a session in the directory would have; none is made."""
    async with unrecorded(runtime, directory) as makers:
        return Offering.of(await makers.tools(None), runtime.settings.core.tools)


async def offered_tools(runtime: Runtime, directory: Path) -> list[ToolDefinition]:
    """What the model of such a session would be given, at once or when it searches, in the order of their names."""
    offering = await offering_in(runtime, directory)
    tools = {**offering.tools, **offering.waiting}
    return answerable([tools[name].definition for name in sorted(tools)], runtime.person)


async def trial_executor(
    runtime: Runtime, argv: Sequence[str], mode: Mode = "default"
) -> tuple[Completed, Confinement | None]:
    """Runs a command where the tools of a session would run it, and what confines it; no session is made."""
    async with unrecorded(runtime, runtime.directory, mode) as makers:
        executor = makers.contexts.session("core", makers.shared).executor
        return await executor.run(argv), confinement_of(executor)
