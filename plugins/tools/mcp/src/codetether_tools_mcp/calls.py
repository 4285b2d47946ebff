"""The tools of servers as they run: a server is started when one of its tools is first called."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from codetether import (
    Resources,
    SessionContext,
    ToolCall,
    ToolContext,
    ToolDefinition,
    ToolResult,
    error_result,
    text_result,
)

from codetether_tools_mcp.definitions import ToolEntry
from codetether_tools_mcp.line import Line, paged
from codetether_tools_mcp.results import resource, tool_result

if TYPE_CHECKING:
    from mcp.client import Client


class _OfServer:
    """What all tools of a server have in common."""

    def __init__(self, line: Line, definition: ToolDefinition) -> None:
        self.definition = definition
        self._line = line
        self._server = line.server

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """The host of a server that is reached; what one does that is started nobody can tell."""
        host = self._server.host
        preview = f"MCP server {self._server.name}: {self._server.what}\n{_shown(call.arguments)}"
        return Resources(hosts=(host,) if host else (), preview=preview)


class ServerTool(_OfServer):
    """One tool of a server."""

    def __init__(self, line: Line, definition: ToolDefinition, entry: ToolEntry) -> None:
        super().__init__(line, definition)
        self._entry = entry

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """What the server answers. Nothing is asked of one whose definition is not what was approved."""

        async def shown(progress: float, total: float | None, message: str | None) -> None:
            done = f"{progress:g}/{total:g}" if total else f"{progress:g}"
            ctx.progress(f"{done} {message or ''}".rstrip() + "\n")

        name = self._server.name
        await self._line.client()
        from mcp.shared.exceptions import MCPError  # by now it is imported already

        entry = self._line.listing.tool(self._entry.name)
        if entry is None:
            return error_result(f"MCP server {name} has no tool {self._entry.name} any more")
        if entry.digest != self._entry.digest:
            return error_result(
                f"the definition of {self._entry.name} of MCP server {name} changed since it was approved, so it was "
                f"not called; the user can look at it and approve it: codetether mcp approve {name}"
            )
        try:
            answer = await self._line.asked(
                lambda client: client.call_tool(self._entry.name, dict(call.arguments), progress_callback=shown)
            )
        except MCPError as error:
            return error_result(f"MCP server {name} says: {error.message}")
        return tool_result(answer)


class ResourceReader(_OfServer):
    """Lists and reads the resources of a server."""

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The contents of the resource, or the list of all."""
        await self._line.client()
        from mcp.shared.exceptions import MCPError  # by now it is imported already

        try:
            if uri := str(call.arguments.get("uri", "")):
                found = await self._line.asked(lambda client: client.read_resource(uri))
                return ToolResult(content=tuple(resource(each) for each in found.contents))
            rows = await self._line.asked(_resources)
            with suppress(MCPError):  # many servers know nothing of templates
                rows += await self._line.asked(_templates)
        except MCPError as error:
            return error_result(f"MCP server {self._server.name} says: {error.message}")
        return text_result("\n".join(rows) or "(no resources)")


async def _resources(client: Client) -> list[str]:
    return [_row(str(r.uri), r) async for r in paged(client.list_resources, "resources", True)]


async def _templates(client: Client) -> list[str]:
    return [_row(t.uri_template, t) async for t in paged(client.list_resource_templates, "resource_templates", True)]


def _row(address: str, found: Any) -> str:
    return f"{address}  {found.name}: {found.description or ''}".rstrip(": ")


def _shown(arguments: Mapping[str, Any]) -> str:
    """Arguments as a person reads them, a line each."""
    lines = [f"{k}: {v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)}" for k, v in arguments.items()]
    return "\n".join(lines)
