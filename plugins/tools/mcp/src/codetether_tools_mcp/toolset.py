"""The tools of all servers that a session may use; a server is started when one of its tools is first called."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from types import TracebackType
from typing import Any

from codetether import (
    CodetetherError,
    Effect,
    Resources,
    SessionContext,
    Tool,
    ToolCall,
    ToolContext,
    ToolDefinition,
    ToolResult,
    error_result,
    text_result,
)

from codetether_tools_mcp.definitions import Listing, ToolEntry, offered_name
from codetether_tools_mcp.line import Line
from codetether_tools_mcp.pins import Pins
from codetether_tools_mcp.results import resource, tool_result
from codetether_tools_mcp.servers import Server
from codetether_tools_mcp.settings import McpSettings
from codetether_tools_mcp.sources import found_servers

FIRST = 8.0
"""Seconds that a session waits, when it opens, for servers that were never asked what they offer."""
STARTED: tuple[Effect, ...] = ("execute", "network", "write", "read")
"""What a program on this machine may do, whatever it says of itself: its hints loosen nothing."""


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
        pins = Pins(ctx.state_dir)
        usable = [server for server in found.servers.values() if pins.usable(server)]
        waiting = [s.name for s in found.servers.values() if s.settings.enabled and s not in usable]
        if waiting:
            ctx.notice(f"MCP servers wait for your approval: {', '.join(waiting)} (codetether mcp approve NAME)")
        self._lines = {server.name: session_line(server, ctx) for server in usable}
        await self._ask([line for line in self._lines.values() if pins.get(line.server).listing is None])
        return [tool for line in self._lines.values() for tool in _tools(line, pins.get(line.server).listing)]

    async def _ask(self, lines: Sequence[Line]) -> None:
        if not lines:
            return
        tasks = {asyncio.create_task(self._opened(line)): line for line in lines}
        _, late = await asyncio.wait(tasks, timeout=FIRST)
        self._late = list(late)
        for task in late:
            self._ctx.notice(f"MCP server {tasks[task].server.name} is still starting: its tools come next time")

    async def _opened(self, line: Line) -> None:
        try:
            await line.client()
        except CodetetherError as error:  # the session works without it
            self._ctx.notice(f"{error.message} {error.remedy}".rstrip())


def session_line(server: Server, ctx: SessionContext) -> Line:
    """A server as the session uses it: started by its executor."""
    from codetether_tools_mcp.sampling import callbacks

    return Line(
        server,
        executor=lambda: ctx.executor,
        directory=ctx.directory,
        state_dir=ctx.state_dir,
        notice=ctx.notice,
        callbacks=partial(callbacks, server, ctx),
        auth=partial(_auth, server, ctx),
    )


def _auth(server: Server, ctx: SessionContext) -> Any:
    """What signs the requests to a server that the user signed in to."""
    if any(name.lower() == "authorization" for name in server.settings.headers):
        return None
    from codetether_tools_mcp.oauth import signed_in

    return signed_in(server, ctx.state_dir)


def _tools(line: Line, listing: Listing | None) -> list[Tool]:
    """The tools of one server that its settings do not hide."""
    if listing is None:
        return []
    settings = line.server.settings
    wanted = ("*",) if settings.tools is None else settings.tools
    tools: list[Tool] = [
        ServerTool(line, entry)
        for entry in listing.tools
        if any(fnmatchcase(entry.name, glob) for glob in wanted)
        and not any(fnmatchcase(entry.name, glob) for glob in settings.hidden)
    ]
    if listing.resources and listing.tool(ResourceReader.NAME) is None:
        tools.append(ResourceReader(line))
    return tools


class _OfServer:
    """What all tools of a server have in common."""

    def __init__(self, line: Line, name: str, description: str, schema: Mapping[str, Any]) -> None:
        self._line = line
        self._server = line.server
        started = self._server.kind == "stdio"
        self.definition = ToolDefinition(
            name=offered_name(self._server.name, name),
            description=description,
            schema=schema,
            effects=STARTED if started else ("network",),
            timeout=self._server.settings.timeout,
        )

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """The host of a server that is reached; what one does that is started nobody can tell."""
        host = self._server.host
        preview = f"MCP server {self._server.name}: {self._server.what}\n{_shown(call.arguments)}"
        return Resources(hosts=(host,) if host else (), preview=preview)


class ServerTool(_OfServer):
    """One tool of a server."""

    def __init__(self, line: Line, entry: ToolEntry) -> None:
        super().__init__(line, entry.name, entry.told, entry.parameters)
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

    NAME = "read_resource"

    def __init__(self, line: Line) -> None:
        schema = {
            "type": "object",
            "properties": {"uri": {"type": "string", "description": "The resource; without it, all are listed."}},
            "additionalProperties": False,
        }
        name = line.server.name
        super().__init__(line, self.NAME, f"Lists the resources of the MCP server {name}, or reads one.", schema)

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The contents of the resource, or the list of all."""
        from mcp.shared.exceptions import MCPError

        try:
            if uri := str(call.arguments.get("uri", "")):
                found = await self._line.asked(lambda client: client.read_resource(uri))
                return ToolResult(content=tuple(resource(each) for each in found.contents))
            there = await self._line.asked(lambda client: client.list_resources())
            forms = await self._line.asked(lambda client: client.list_resource_templates())
        except MCPError as error:
            return error_result(f"MCP server {self._server.name} says: {error.message}")
        rows = [f"{r.uri}  {r.name}: {r.description or ''}".rstrip(": ") for r in there.resources]
        rows += [f"{t.uri_template}  {t.name}: {t.description or ''}".rstrip(": ") for t in forms.resource_templates]
        return text_result("\n".join(rows) or "(no resources)")


def _shown(arguments: Mapping[str, Any]) -> str:
    """Arguments as a person reads them, a line each."""
    lines = [f"{k}: {v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)}" for k, v in arguments.items()]
    return "\n".join(lines)
