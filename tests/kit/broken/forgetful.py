"""A plugin one of whose hooks is not marked, so that nobody asks it."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import AgentSpec, FunctionTools, ToolsetSpec, hookimpl


@hookimpl
def codetether_agents() -> Iterable[AgentSpec]:
    """One agent."""
    yield AgentSpec(name="forgetful", description="Has tools, it believes.")


def codetether_tools() -> Iterable[ToolsetSpec]:
    """Never asked."""
    yield ToolsetSpec(name="forgotten", create=lambda ctx: FunctionTools())
