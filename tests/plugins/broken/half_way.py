"""Raises in its hook half way."""

from collections.abc import Iterator

import codetether


@codetether.hookimpl
def codetether_agents() -> Iterator[codetether.AgentSpec]:
    """Yields one, and raises."""
    yield codetether.AgentSpec(name="half")
    raise KeyError("the second half")
