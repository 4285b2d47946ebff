"""`codetether mcp serve`: the tools of a session as an MCP server, over standard input and output, or on loopback."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from codetether import FilePart, ImagePart, RunningSession, TextPart, ToolDefinition, ToolResultPart, __version__

from codetether_tools_mcp.caller import Caller

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

UNSERVED = ("task",)
"""Tools that need a model: the client is none."""
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def server_of(session: RunningSession, caller: Caller, wanted: Sequence[str]) -> Server[Any]:
    """The session's tools whose names fit one of the globs, as a server."""
    from mcp import types
    from mcp.server.lowlevel import Server

    offered = {
        tool.name: tool
        for tool in session.agent.tools
        if tool.name not in UNSERVED and any(fnmatchcase(tool.name, glob) for glob in wanted)
    }

    async def list_tools(_: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult.model_validate({"tools": [_described(tool) for tool in offered.values()]})

    async def call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        done: ToolResultPart | str = f"there is no tool {params.name!r}"
        if params.name in offered:
            done = await caller.call(session, params.name, params.arguments or {})
        return types.CallToolResult.model_validate(_answer(done))

    return Server("codetether", version=__version__, on_list_tools=list_tools, on_call_tool=call_tool)


async def serve_pipes(server: Server[Any]) -> None:
    """Serves the one who started this process, until it closes standard input."""
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


async def serve_loopback(server: Server[Any], port: int, token: str, ready: Callable[[int], None]) -> None:
    """Serves streamable HTTP at `/mcp` on 127.0.0.1, to those who have the token. `ready` is told the port."""
    import socket

    import uvicorn

    with socket.create_server(("127.0.0.1", port)) as listening:
        app = Gate(server.streamable_http_app(stateless_http=False), token)
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        ready(listening.getsockname()[1])
        await uvicorn.Server(config).serve(sockets=[listening])


class Gate:
    """Lets in who has the token and is no page of some site; everybody else gets 403 before anything is read.

    A browser sends the Origin of the page, and a name that was bent to this machine stands in Host.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], token: str) -> None:
        self._app = app
        self._token = f"Bearer {token}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._admits(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"forbidden\n"})
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _admits(self, scope: Any) -> bool:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").rpartition(":")[0]
        is_json = headers.get(b"content-type", b"").lower().startswith(b"application/json")
        return (
            hmac.compare_digest(headers.get(b"authorization", b""), self._token)
            and host in _LOOPBACK
            and b"origin" not in headers
            and (is_json or scope["method"] != "POST")
        )


def _described(tool: ToolDefinition) -> dict[str, Any]:
    """The tool as the protocol has it."""
    hints = {"readOnlyHint": tool.read_only, "idempotentHint": tool.idempotent}
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": dict(tool.schema),
        "annotations": {**hints, "openWorldHint": "network" in tool.effects},
    }


def _answer(done: ToolResultPart | str) -> dict[str, Any]:
    """What came of a call as the protocol has it."""
    if isinstance(done, str):
        return {"content": [{"type": "text", "text": f"Error: {done}"}], "isError": True}
    content = [block for part in done.content if (block := _block(part)) is not None]
    return {"content": content, "isError": not done.success}


def _block(part: Any) -> dict[str, Any] | None:
    match part:
        case TextPart(text=text):
            return {"type": "text", "text": text}
        case ImagePart(data=bytes() as data, media_type=media_type):
            return {"type": "image", "data": b64encode(data).decode(), "mimeType": media_type}
        case FilePart(data=bytes() as data, media_type=media_type, name=name):
            blob = {"uri": f"file:{quote(name)}", "blob": b64encode(data).decode(), "mimeType": media_type}
            return {"type": "resource", "resource": blob}
        case ImagePart(url=str() as url) | FilePart(url=str() as url):
            return {"type": "text", "text": f"[{url}]"}
        case _:
            return None
