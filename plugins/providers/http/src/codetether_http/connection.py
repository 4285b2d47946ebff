"""A session's line to a provider: a codec over the transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Self

import attrs
from codetether import CompletionRequest, IncompleteResponse, MalformedResponse, Provider, ProviderError, StreamChunk

from codetether_http.codec import Codec, Parser
from codetether_http.failures import Fault, error_from
from codetether_http.limits import limits_from
from codetether_http.sse import EventSplitter, ServerSentEvent
from codetether_http.transport import Transport, secrets_of


class HttpConnection:
    """Asks once for each request: whether to ask again is the caller's choice, by the error's `retryable`.

    Args:
        headers: what identifies the caller, e.g. `{"authorization": "Bearer …"}`.
    """

    def __init__(self, provider: Provider, codec: Codec, headers: Mapping[str, str]) -> None:
        secret = provider.secret
        hidden = (*secrets_of(secret.values if secret else {}), *(v for v in provider.headers.values() if len(v) >= 16))
        self._provider = provider
        self._codec = codec
        self._limits = limits_from(provider.name, provider.timeout, provider.options)
        self._key = secret.source if secret else ""
        self._transport = Transport(
            provider.name,
            provider.base_url,
            limits=self._limits,
            headers={**headers, **provider.headers},
            key=self._key,
            secrets=hidden,
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
        async with self._transport.post(codec.address(request), body, codec.headers(request)) as answer:
            if answer.kind == "body":
                for chunk in parser.whole(await answer.body()):
                    yield chunk
            else:
                splitter = EventSplitter(self._limits.event, self._provider.name)
                size = 0
                while not parser.done and (data := await answer.read()) is not None:
                    size += len(data)
                    self._check(size)
                    for event in splitter.feed(data):
                        for chunk in parser.feed(event):
                            yield chunk
                        if parser.done:
                            break
                for chunk in self._rest(parser, splitter.finish()):
                    yield chunk
                if parser.fault is None:
                    await answer.drain()
        if parser.fault is not None:
            raise self._error(parser.fault)

    def _error(self, fault: Fault) -> ProviderError:
        said = attrs.evolve(fault, message=self._transport.clean(fault.message))
        return error_from(said, self._provider.name, key=self._key)

    def _check(self, size: int) -> None:
        if size > self._limits.stream:
            raise MalformedResponse(f"{self._provider.name}: the stream is larger than {self._limits.stream} bytes")

    def _rest(self, parser: Parser, events: Sequence[ServerSentEvent]) -> Sequence[StreamChunk]:
        """What the end of the connection leaves: a last event without its blank line, or a torn one."""
        chunks: list[StreamChunk] = []
        if not parser.done:
            try:
                for event in events:
                    chunks += parser.feed(event)
            except MalformedResponse:
                raise IncompleteResponse(f"{self._provider.name}: the connection ended within an event") from None
        return [*chunks, *parser.finish()]
