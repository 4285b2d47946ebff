"""The agents that are always there: build, plan, explore."""

from __future__ import annotations

from collections.abc import Iterable

from codetether.hookspecs import hookimpl
from codetether.specs import AgentSpec


@hookimpl
def codetether_agents() -> Iterable[AgentSpec]:
    """`build` does everything, `plan` only looks and writes a plan, `explore` answers where things are."""
    yield AgentSpec(name="build", description="Does the work: reads, changes, runs.")
    yield AgentSpec(
        name="plan",
        description="Looks and plans, changes nothing.",
        prompt="Change nothing. Look at what is there, then answer with a plan: steps, files, risks, open questions.",
        mode="plan",
    )
    yield AgentSpec(
        name="explore",
        description="Finds out how something works, changes nothing.",
        prompt="Change nothing. Find what was asked for, and answer with the places (path:line) and what they do.",
        mode="plan",
        max_steps=20,
    )
