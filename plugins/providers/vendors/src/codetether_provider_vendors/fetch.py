"""The published catalogue of models, fetched whole and bounded in size and time."""

from __future__ import annotations

import asyncio

import httpx
from codetether import ConnectionFailed, MalformedResponse

_LARGEST = 64 * 1024 * 1024
_SECONDS = 60.0


async def fetched(url: str) -> bytes:
    """The body at the URL. Raises ConnectionFailed or MalformedResponse; neither is worth another try by itself."""
    remedy = "The catalogue that is shipped stays in use. A mirror can be named: [plugins.vendors] catalogue_url"
    try:
        async with asyncio.timeout(_SECONDS), httpx.AsyncClient(timeout=20.0, follow_redirects=True) as client:
            return await _body(client, url)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
        why = str(error) or type(error).__name__
        raise ConnectionFailed(f"the catalogue at {url} cannot be fetched: {why}", remedy=remedy) from error


async def _body(client: httpx.AsyncClient, url: str) -> bytes:
    async with client.stream("GET", url, headers={"accept": "application/json"}) as answer:
        answer.raise_for_status()
        pieces, size = [], 0
        async for piece in answer.aiter_bytes():
            size += len(piece)
            if size > _LARGEST:
                raise MalformedResponse(f"{url} gave more than {_LARGEST} bytes: no catalogue of models")
            pieces.append(piece)
    return b"".join(pieces)
