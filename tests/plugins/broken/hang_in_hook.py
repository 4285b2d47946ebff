"""Never ends its hook."""

import time
from collections.abc import Iterator

import codetether


@codetether.hookimpl
def codetether_agents() -> Iterator[codetether.AgentSpec]:
    """Yields one, and hangs."""
    yield codetether.AgentSpec(name="never-seen")
    time.sleep(600)
