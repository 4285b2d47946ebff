"""Has a hook that no version knows, and one that every version does."""

from collections.abc import Iterator

import codetether


@codetether.hookimpl
def codetether_tool() -> None:
    """Not yet."""


@codetether.hookimpl
def codetether_agents() -> Iterator[codetether.AgentSpec]:
    """This one counts all the same."""
    yield codetether.AgentSpec(name="known")
