"""The SDK's transports over HTTP, with limits on what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from codetether_tools_mcp.pipes import LINE, Fate
from codetether_tools_mcp.servers import Server

TIMES = httpx2.Timeout(30.0, read=300.0)
"""Seconds to connect and to send; without a byte of an answer."""


class Limited(httpx2.AsyncByteStream):
    """The bytes of an answer, as many as one message may have."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for data in self._stream:
            size += len(data)
            if size > LINE:
                raise httpx2.ReadError(f"the answer has more than {LINE} bytes")
            yield data

    async def aclose(self) -> None:
        """Lets the connection go."""
        await self._stream.aclose()


@asynccontextmanager
async def reached(server: Server, auth: httpx2.Auth | None, fate: Fate) -> AsyncIterator[tuple[Any, Any]]:
    """The streams of messages from and to a server that is reached by its URL."""

    async def look(response: httpx2.Response) -> None:
        if response.status_code in (401, 403) and auth is None:
            fate.stranger = True
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            response.stream = Limited(response.stream)  # the SDK limits streams of events itself

    def client(
        headers: dict[str, str] | None = None, timeout: httpx2.Timeout | None = None, auth: httpx2.Auth | None = None
    ) -> httpx2.AsyncClient:
        # Nothing unpacks to more than it weighs, so the limit holds.
        plain = {**(headers or {}), "Accept-Encoding": "identity"}
        return httpx2.AsyncClient(headers=plain, timeout=timeout, auth=auth, event_hooks={"response": [look]})

    url = server.expanded(server.settings.url or "")
    headers = server.all_expanded(server.settings.headers)
    if server.kind == "sse":
        async with sse_client(url, headers, httpx_client_factory=client, auth=auth) as streams:
            yield streams
        return
    async with client(headers, TIMES, auth) as http, streamable_http_client(url, http_client=http) as streams:
        yield streams
