"""Keeps what is asked of a provider within the rates that the settings allow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Any

from attrs import field

from codetether.models.completion import CompletionRequest, StreamChunk, UsageReported
from codetether.models.window import estimated_tokens
from codetether.settings.core import ProviderSettings
from codetether.values import define


@define(kw_only=True)
class Pace:
    """The rates of one provider, shared by all of a process's sessions with it.

    A minute's worth may be asked for at once; then it goes on as fast as the rate allows.
    """

    settings: ProviderSettings
    _requests: Any = field(init=False, default=None)
    _tokens: Any = field(init=False, default=None)
    _seats: asyncio.Semaphore | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        from aiolimiter import AsyncLimiter

        if self.settings.requests_per_minute:
            self._requests = AsyncLimiter(self.settings.requests_per_minute)
        if self.settings.tokens_per_minute:
            self._tokens = AsyncLimiter(self.settings.tokens_per_minute)
        if self.settings.concurrent:
            self._seats = asyncio.Semaphore(self.settings.concurrent)

    async def admit(self, stack: AsyncExitStack, tokens: int) -> None:
        """Returns when a request of about so many tokens may begin; its seat is given back with the stack."""
        if self._seats is not None:
            await stack.enter_async_context(self._seats)
        if self._requests is not None:
            await self._requests.acquire()
        if self._tokens is not None and tokens > 0:
            await self._tokens.acquire(min(tokens, self._tokens.max_rate))


class Paces:
    """The paces of a process, by provider."""

    def __init__(self) -> None:
        self._paces: dict[str, Pace] = {}

    def paced(self, provider: str, settings: ProviderSettings | None, connection: Any) -> Any:
        """The connection, at the pace that the settings ask for; the very same one where they ask for none."""
        if not settings or not (settings.requests_per_minute or settings.tokens_per_minute or settings.concurrent):
            return connection
        if provider not in self._paces:
            self._paces[provider] = Pace(settings=settings)
        return PacedConnection(connection, self._paces[provider])


class PacedConnection:
    """A connection that waits for its turn; what a request took more than was expected is due with the next one."""

    def __init__(self, connection: Any, pace: Pace) -> None:
        self._connection = connection
        self._pace = pace
        self._expected = 0
        self._due = 0

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        """The answer, once it may be asked for."""
        expected = self._expected or sum(map(estimated_tokens, request.messages))
        async with AsyncExitStack() as stack:
            await self._pace.admit(stack, expected + self._due)
            used = 0
            async with aclosing(self._connection.stream(request)) as chunks:
                async for chunk in chunks:
                    if isinstance(chunk, UsageReported):
                        used = max(chunk.usage.total_tokens, 0)
                    yield chunk
            self._expected = used or expected
            self._due = used - expected if used else 0
