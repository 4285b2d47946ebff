"""A tool whose code is loaded by its first call: a session that never calls it does not wait for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codetether.models.tools import Resources, ToolCall, ToolDefinition, ToolResult
    from codetether.plugin_contexts import SessionContext, ToolContext
    from codetether.protocols import Tool


class DeferredTool:
    """What the model is told is there at once; `load` imports and makes the tool when it is first called."""

    def __init__(self, definition: ToolDefinition, load: Callable[[], Tool]) -> None:
        self.definition = definition
        self._load = load

    @cached_property
    def tool(self) -> Tool:
        """The tool itself."""
        return self._load()

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """What the tool says that the call touches."""
        return self.tool.resources(call, ctx)

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The call, by the tool."""
        return await self.tool.run(call, ctx)
