"""Where a plugin's session objects would live, without a session: for commands that start what sessions start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from codetether.plugin_contexts import SessionContext
from codetether.session.opening import _unrecorded as unrecorded

if TYPE_CHECKING:
    from codetether.runtime import Runtime


@asynccontextmanager
async def workplace(runtime: Runtime, plugin: str) -> AsyncIterator[SessionContext]:
    """A plugin's context as a session in the runtime's directory would give it, its executor with it.

    Nothing is recorded, and nothing of a model or a running prompt can be asked of it.
    """
    mode = runtime.settings.core.session.mode
    async with unrecorded(runtime, runtime.directory, mode) as makers:
        yield makers.contexts.session(plugin, makers.shared)
