"""The tools of all servers that a session may use; a server is started when one of its tools is first called."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from codetether import CodetetherError, DeferredTool, Effect, SessionContext, Tool, ToolDefinition

from codetether_tools_mcp.settings import McpSettings
from codetether_tools_mcp.sources import found_servers

if TYPE_CHECKING:
    from codetether_tools_mcp.definitions import Listing, ToolEntry
    from codetether_tools_mcp.line import Line
    from codetether_tools_mcp.servers import Server

FIRST = 8.0
"""Seconds that a session waits, when it opens, for servers that were never asked what they offer."""
STARTED: tuple[Effect, ...] = ("execute", "network", "write", "read")
"""What a program on this machine may do, whatever it says of itself: its hints loosen nothing."""
READER = "read_resource"
"""The tool that reads a server's resources, unless it has one of that name itself."""
READER_SCHEMA = {
    "type": "object",
    "properties": {"uri": {"type": "string", "description": "The resource; without it, all are listed."}},
    "additionalProperties": False,
}


class McpTools:
    """The tools of the servers; all that was started ends when this is left."""

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx
        self._lines: dict[str, Line] = {}
        self._late: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> McpTools:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, *(line.close() for line in self._lines.values()), return_exceptions=True)

    async def tools(self) -> Sequence[Tool]:
        """Those that were approved; of a server that was never asked, those that it tells within some seconds."""
        ctx = self._ctx
        found = found_servers(ctx.settings or McpSettings(), ctx.directory)
        for problem in found.problems:
            ctx.notice(problem)
        if not found.servers:
            return ()
        from codetether_tools_mcp.pins import Pins

        pins = Pins(ctx.state_dir)
        usable = [server for server in found.servers.values() if pins.usable(server)]
        waiting = [s.name for s in found.servers.values() if s.settings.enabled and s not in usable]
        if waiting:
            ctx.notice(f"MCP servers wait for your approval: {', '.join(waiting)} (codetether mcp approve NAME)")
        await self._ask([server for server in usable if pins.get(server).listing is None])
        return [tool for server in usable for tool in self._of(server, pins.get(server).listing)]

    async def _ask(self, servers: Sequence[Server]) -> None:
        if not servers:
            return
        tasks = {asyncio.create_task(self._opened(server)): server for server in servers}
        _, late = await asyncio.wait(tasks, timeout=FIRST)
        self._late = list(late)
        for task in late:
            self._ctx.notice(f"MCP server {tasks[task].name} is still starting: its tools come next time")

    async def _opened(self, server: Server) -> None:
        try:
            await self._line(server).client()
        except CodetetherError as error:  # the session works without it
            self._ctx.notice(f"{error.message} {error.remedy}".rstrip())

    def _line(self, server: Server) -> Line:
        from codetether_tools_mcp.line import Line

        if server.name not in self._lines:
            self._lines[server.name] = Line(server, self._ctx)
        return self._lines[server.name]

    def _of(self, server: Server, listing: Listing | None) -> Iterator[Tool]:
        """The tools of one server that its settings do not hide."""
        if listing is None:
            return
        for entry in listing.tools:
            if server.settings.offers(entry.name):
                definition = _definition(server, entry.name, entry.told, entry.parameters)
                yield DeferredTool(definition, partial(self._tool, server, definition, entry))
        if listing.resources and listing.tool(READER) is None:
            about = f"Lists the resources of the MCP server {server.name}, or reads one."
            definition = _definition(server, READER, about, READER_SCHEMA)
            yield DeferredTool(definition, partial(self._reader, server, definition))

    def _tool(self, server: Server, definition: ToolDefinition, entry: ToolEntry) -> Tool:
        from codetether_tools_mcp.calls import ServerTool

        return ServerTool(self._line(server), definition, entry)

    def _reader(self, server: Server, definition: ToolDefinition) -> Tool:
        from codetether_tools_mcp.calls import ResourceReader

        return ResourceReader(self._line(server), definition)


def _definition(server: Server, name: str, description: str, schema: Mapping[str, Any]) -> ToolDefinition:
    from codetether_tools_mcp.definitions import offered_name

    return ToolDefinition(
        name=offered_name(server.name, name),
        description=description,
        schema=schema,
        effects=STARTED if server.kind == "stdio" else ("network",),
        timeout=server.settings.timeout,
    )
