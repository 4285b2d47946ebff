"""Yields another record than its hook asks for."""

from collections.abc import Iterator

import codetether


@codetether.hookimpl
def codetether_tools() -> Iterator[codetether.AgentSpec]:
    """An agent is no toolset."""
    yield codetether.AgentSpec(name="tool")
