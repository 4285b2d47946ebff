"""A session's line to a provider: a codec over the transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import attrs
from codetether import (
    CompletionRequest,
    DeadlineExceeded,
    IncompleteResponse,
    MalformedResponse,
    Provider,
    ProviderError,
    StreamChunk,
    TextDelta,
    ThinkingDelta,
)

from codetether_http.codec import Codec, Parser
from codetether_http.failures import Fault, ReadFailure, error_from, read_failure
from codetether_http.framing import SSE, Framing
from codetether_http.limits import limits_from
from codetether_http.transport import Transport, secrets_of

_TEXTS = (TextDelta, ThinkingDelta)


@attrs.frozen(kw_only=True)
class Outgoing:
    """A request that is about to be sent: its whole URL, its body, its headers."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Grant:
    """What lets a request through.

    Attributes:
        headers: added to the request's own, e.g. a signature or a short-lived token.
        base_url: where it goes in place of the provider's base URL; empty for no change.
        secrets: values among the headers that no message may show.
    """

    headers: Mapping[str, str] = attrs.field(repr=False)
    base_url: str = ""
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)


Authorize = Callable[[Outgoing], Awaitable[Grant]]
"""Asked before each request; may itself ask a server. Raises ProviderError."""


class HttpConnection:
    """Asks once for each request: whether to ask again is the caller's choice, by the error's `retryable`.

    Args:
        headers: what identifies the caller, e.g. `{"authorization": "Bearer …"}`.
        authorize: for what depends on the request or on the time: signatures, short-lived tokens.
        framing: how a streamed answer is cut into events.
        failure: reads what an answer that is no success says, where a body alone does not tell.
    """

    def __init__(
        self,
        provider: Provider,
        codec: Codec,
        headers: Mapping[str, str],
        *,
        authorize: Authorize | None = None,
        framing: Framing = SSE,
        failure: ReadFailure = read_failure,
    ) -> None:
        secret = provider.secret
        hidden = (*secrets_of(secret.values if secret else {}), *(v for v in provider.headers.values() if len(v) >= 16))
        self._provider = provider
        self._codec = codec
        self._authorize = authorize
        self._framing = framing
        self._limits = limits_from(provider.name, provider.timeout, provider.options)
        self._key = secret.source if secret else ""
        self._transport = Transport(
            provider.name,
            provider.base_url,
            limits=self._limits,
            headers={**headers, **provider.headers},
            key=self._key,
            secrets=hidden,
            media_type=framing.media_type,
            failure=failure,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.aclose()

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[StreamChunk, None]:
        """The answer in chunks. Raises ProviderError; what was given out before counts only with `Finished`."""
        codec = self._codec
        body = codec.render(request)
        parser = codec.parser()
        address, headers = codec.address(request), codec.headers(request)
        base_url = ""
        if self._authorize is not None:
            grant = await self._granted(self._authorize, address, body, headers)
            headers, base_url = {**headers, **grant.headers}, grant.base_url
        async with self._transport.post(address, body, headers, base_url=base_url) as answer:
            del body  # large, and the answer may take minutes
            if answer.kind == "body":
                for chunk in parser.whole(await answer.body()):
                    yield chunk
            else:
                splitter = self._framing.splitter(self._limits.event, self._provider.name)
                size = 0
                while not parser.done and (data := await answer.read()) is not None:
                    size += len(data)
                    self._check(size)
                    chunks: list[StreamChunk] = []
                    try:
                        _read(parser, splitter.feed(data), chunks)
                    finally:  # also what came before a failure
                        for chunk in chunks:
                            yield chunk
                for chunk in self._rest(parser, splitter.finish()):
                    yield chunk
                if parser.fault is None:
                    await asyncio.sleep(0)  # who waits for the text has it first
                    await answer.drain()
        if parser.fault is not None:
            raise self._error(parser.fault)

    async def _granted(self, authorize: Authorize, address: str, body: bytes, headers: Mapping[str, str]) -> Grant:
        outgoing = Outgoing(url=self._transport.url(address), body=body, headers=headers)
        try:
            async with asyncio.timeout(self._limits.total):
                grant = await authorize(outgoing)
        except TimeoutError:
            raise DeadlineExceeded(f"{self._provider.name}: not let in within {self._limits.total:g} s") from None
        self._transport.hide(grant.secrets)
        return grant

    def _error(self, fault: Fault) -> ProviderError:
        said = attrs.evolve(fault, message=self._transport.clean(fault.message))
        return error_from(said, self._provider.name, key=self._key)

    def _check(self, size: int) -> None:
        if size > self._limits.stream:
            raise MalformedResponse(f"{self._provider.name}: the stream is larger than {self._limits.stream} bytes")

    def _rest(self, parser: Parser, events: Sequence[Any]) -> Sequence[StreamChunk]:
        """What the end of the connection leaves: a last event without its blank line, or a torn one."""
        chunks: list[StreamChunk] = []
        if not parser.done:
            try:
                for event in events:
                    chunks += parser.feed(event)
            except MalformedResponse:
                raise IncompleteResponse(f"{self._provider.name}: the connection ended within an event") from None
        return [*chunks, *parser.finish()]


def _read(parser: Parser, events: Sequence[Any], chunks: list[StreamChunk]) -> None:
    """Adds the chunks of events that came together, up to the terminal one; text that goes on is one chunk."""
    last: StreamChunk | None = None
    for event in events:
        for chunk in parser.feed(event):
            if (
                isinstance(chunk, _TEXTS)
                and isinstance(last, type(chunk))
                and chunk.block == last.block
                and chunk.provider_data is None
            ):
                last.text += chunk.text
            else:
                chunks.append(last := chunk)
        if parser.done:
            break
