"""The agent `reviewer`."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import AgentSpec, hookimpl


@hookimpl
def codetether_agents() -> Iterable[AgentSpec]:
    """It may only look."""
    yield AgentSpec(
        name="reviewer",
        description="Reviews what is there, changes nothing.",
        prompt="You review code. Name each fault as path:line with a way to mend it; praise nothing.",
        tools=("read", "list", "glob", "grep"),
        mode="plan",
        max_steps=10,
    )
