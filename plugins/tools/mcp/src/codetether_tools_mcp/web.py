"""The SDK's transports over HTTP, with limits on what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from codetether_tools_mcp.pipes import LINE, Fate
from codetether_tools_mcp.servers import Server

if TYPE_CHECKING:
    import httpx2

CONNECTING = 30.0
"""Seconds to connect, and to send a request."""
SILENCE = 300.0
"""Seconds without a byte of an answer."""


@asynccontextmanager
async def reached(server: Server, auth: httpx2.Auth | None, fate: Fate) -> AsyncIterator[tuple[Any, Any]]:
    """The streams of messages from and to a server that is reached by its URL."""
    import httpx2
    from mcp.client.sse import sse_client
    from mcp.client.streamable_http import streamable_http_client

    async def look(response: httpx2.Response) -> None:
        if response.status_code in (401, 403) and auth is None:
            fate.stranger = True
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            response.stream = _limited(response.stream)  # the SDK limits streams of events itself

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
    times = httpx2.Timeout(CONNECTING, read=SILENCE)
    async with client(headers, times, auth) as http, streamable_http_client(url, http_client=http) as streams:
        yield streams


def _limited(stream: Any) -> httpx2.AsyncByteStream:
    """The bytes of an answer, as many as one message may have."""
    import httpx2

    class Limited(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for data in stream:
                size += len(data)
                if size > LINE:
                    raise httpx2.ReadError(f"the answer has more than {LINE} bytes")
                yield data

        async def aclose(self) -> None:
            await stream.aclose()

    return Limited()
