"""One plugin for each promise of plugins as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from codetether import AgentSpec, FunctionTools, SessionContext, ToolsetSpec, hookimpl

from tests.kit.broken import breaking


class HalfWay:
    """Raises after its first record."""

    __codetether_name__ = "half-way"

    @hookimpl
    def codetether_agents(self) -> Iterable[AgentSpec]:
        """One agent, and then none."""
        yield AgentSpec(name="first", description="Comes.")
        raise RuntimeError("and then it broke")


def litter(ctx: SessionContext) -> FunctionTools:
    """Leaves a file behind."""
    Path(ctx.directory, ".litter").touch()
    return FunctionTools()


BROKEN: dict[str, Any] = {
    "it loads whole": HalfWay(),
    "its import is light": "tests.kit.broken.heavy",
    "it writes nothing when it is loaded": breaking("tools", ToolsetSpec(name="litter", create=litter)),
}
