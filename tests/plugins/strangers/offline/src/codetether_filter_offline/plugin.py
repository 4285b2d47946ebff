"""The tool filter `offline`."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import ToolDefinition, ToolFilterSpec, hookimpl


class Offline:
    """Judges a tool by the effects that it declares."""

    def keep(self, definition: ToolDefinition) -> bool:
        """Whether the tool does without a network."""
        return "network" not in definition.effects


@hookimpl
def codetether_tool_filters() -> Iterable[ToolFilterSpec]:
    """One filter."""
    yield ToolFilterSpec(name="offline", create=lambda ctx: Offline())
