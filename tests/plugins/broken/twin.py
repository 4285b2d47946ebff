"""Has the name of another plugin."""

from collections.abc import Iterator

import codetether


@codetether.hookimpl
def codetether_agents() -> Iterator[codetether.AgentSpec]:
    """Nobody sees it."""
    yield codetether.AgentSpec(name="twin")
