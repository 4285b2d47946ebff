"""Renews a server's tokens once, whichever process notices first that they are over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

import httpx2
from codetether import FileLock

if TYPE_CHECKING:
    from mcp.client.auth import OAuthClientProvider

    from codetether_tools_mcp.oauth import Tokens

PATIENCE = 30.0
"""Seconds to wait for another process that renews them; then we do it too."""
PAUSE = 0.05


class Renewing(httpx2.Auth):
    """Signs each request with the tokens as they are kept now.

    Where a refresh token holds only once, two that renew at the same time would sign each other out: who renews holds
    a lock until the new tokens are kept, and who waited for it finds them.
    """

    requires_response_body = True

    def __init__(self, provider: OAuthClientProvider, tokens: Tokens) -> None:
        self._provider = provider
        self._tokens = tokens

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """The request, after one for new tokens where they are over."""
        lock = FileLock(self._tokens.path.with_suffix(".lock"))
        try:
            if await self._is_over():
                await _acquired(lock)
                await self._is_over()  # who had the lock may have renewed them
            async with aclosing(self._provider.async_auth_flow(request)) as flow:
                asked = await anext(flow)
                while True:
                    if asked is request:
                        lock.release()
                    asked = await flow.asend((yield asked))
        except StopAsyncIteration:
            return
        finally:
            lock.release()

    async def _is_over(self) -> bool:
        """Takes the tokens as they are kept; whether they are to be renewed."""
        context = self._provider.context
        await self._tokens.restore(context)
        return context.can_refresh_token() and not context.is_token_valid()


async def _acquired(lock: FileLock) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while not lock.acquire() and loop.time() < until:  # noqa: ASYNC110 - nobody tells of another process's lock
        await asyncio.sleep(PAUSE)
