"""One answer of a model: asked again where a failure may pass, then asked of the next model of the chain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

import attrs

from codetether.errors import CodetetherError, ContextOverflow, InvalidRequest, ModelNotFound, ProviderError
from codetether.models import events
from codetether.models.completion import (
    CompletionRequest,
    CompletionResponse,
    ModelLimits,
    ModelRef,
    RefusalDelta,
    SamplingParams,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from codetether.models.events import SessionEvent
from codetether.models.messages import Message
from codetether.plugins.boundary import BROKEN, reason_of
from codetether.protocols import Connection
from codetether.record.redact import Redactor
from codetether.session import retries
from codetether.session.assemble import Assembly
from codetether.session.routing import Routing
from codetether.values import define, frozen


@frozen(kw_only=True)
class Line:
    """The line to one model, and what holds for it; `priced` adds what usage costs."""

    ref: ModelRef
    connection: Connection
    sampling: SamplingParams
    native_calls: bool
    native_schema: bool
    priced: Callable[[Usage], Usage]
    limits: ModelLimits = ModelLimits()


class Listener(Protocol):
    """Who hears of an answer while it comes."""

    def emit(self, event: SessionEvent) -> None:
        """Something to show."""

    def announce(self, event: SessionEvent) -> None:
        """Something to show and to record."""

    def keep_part(self, part: Message | None) -> None:
        """What there was of an answer that was cancelled."""

    def smaller(self) -> Awaitable[CompletionRequest | None]:
        """The same question with a shorter history; None where there is none."""


@define(kw_only=True)
class Asking:
    """Asks the models of a session: the first until it fails for good, then the next, which stays in its place."""

    line: Line
    following: Callable[[], Awaitable[Line | None]]
    routing: Routing
    redactor: Redactor

    async def answer(self, request: CompletionRequest, step: int, listener: Listener) -> CompletionResponse:
        """The answer, described calls made structured. No call of a failed answer has run, so it may be asked again.

        Raises ProviderError when no model of the chain answers.
        """
        attempt, compacted = 1, False
        while True:
            line = self.line
            listener.emit(events.Thinking(step=step))
            try:
                schema = request.schema if line.native_schema else None
                wanted = attrs.evolve(request, model=line.ref, sampling=line.sampling, schema=schema)
                response = await self._ask(line, self.routing.told(wanted), listener)
            except ProviderError as error:
                if isinstance(error, ContextOverflow) and not compacted:
                    compacted = True
                    if (smaller := await listener.smaller()) is not None:
                        request = smaller
                        continue
                delay = retries.delay(error, attempt)
                retry = events.Retry(
                    attempt=attempt,
                    delay=delay or 0.0,
                    reason=self.redactor.text(error.message),
                    kind=type(error).__name__,
                )
                if delay is None:
                    await self._go_on(error)
                    retry, attempt = attrs.evolve(retry, model=str(self.line.ref)), 0
                listener.announce(retry)
                await asyncio.sleep(retry.delay)
                attempt += 1
                continue
            retries.succeeded(attempt)
            return await self.routing.reformat(response)

    async def _go_on(self, error: ProviderError) -> None:
        """Takes the next line in place of the one that failed; where there is none, or it would not help, raises."""
        ours = isinstance(error, InvalidRequest) and not isinstance(error, ContextOverflow | ModelNotFound)
        line = None if ours else await self.following()
        if line is None:
            raise error
        self.line = line
        self.routing = attrs.evolve(self.routing, native_calls=line.native_calls)

    async def _ask(self, line: Line, request: CompletionRequest, listener: Listener) -> CompletionResponse:
        """One answer. Raises ProviderError, also for an answer without its end, and for whatever else a wire raises."""
        try:
            return await self._streamed(line, request, listener)
        except CodetetherError:
            raise
        except BROKEN as error:
            raise ProviderError(f"the wire to {line.ref.provider} failed: {reason_of(error)}") from error

    async def _streamed(self, line: Line, request: CompletionRequest, listener: Listener) -> CompletionResponse:
        """One answer, shown as it streams."""
        began = time.perf_counter()
        first = 0.0
        assembly = Assembly(line.ref.provider, line.ref.model)
        emit = listener.emit
        thinking = self.redactor.stream()

        def think(text: str) -> None:
            if text:
                emit(events.ThinkingChunk(text))

        show = self.routing.screen(lambda text: emit(events.TextChunk(text)))
        try:
            async with aclosing(line.connection.stream(request)) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    first = first or time.perf_counter()
                    assembly.feed(chunk)
                    if isinstance(chunk, TextDelta | RefusalDelta):
                        think(thinking.finish())
                        show(chunk.text)
                    elif isinstance(chunk, ThinkingDelta):
                        think(thinking.feed(chunk.text))
        except asyncio.CancelledError:
            listener.keep_part(assembly.partial())
            raise
        finally:
            think(thinking.finish())
            show(None)
        response = assembly.response((time.perf_counter() - began) * 1000, (first - began) * 1000)
        return attrs.evolve(response, usage=line.priced(response.usage))
