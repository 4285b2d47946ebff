"""A plugin whose module imports what it should import where it uses it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from codetether import AgentSpec, hookimpl

VERSION = sqlite3.sqlite_version


@hookimpl
def codetether_agents() -> Iterable[AgentSpec]:
    """One agent."""
    yield AgentSpec(name="heavy", description="Weighs much.")
