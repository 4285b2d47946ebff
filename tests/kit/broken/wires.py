"""One wire for each promise of wires: ours, with something wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from codetether import (
    AuthenticationFailed,
    CompletionRequest,
    DeadlineExceeded,
    Finished,
    PluginContext,
    Provider,
    ServerFailed,
    StreamChunk,
    TextDelta,
    WireSpec,
)
from codetether.testing.subjects import located
from codetether.testing.trials import Trials

from tests.kit.broken import breaking


class Wire:
    """Gives our connections into the hands of a class."""

    def __init__(self, cls: type[Sound]) -> None:
        self.cls = cls

    async def connect(self, provider: Provider) -> Sound:
        connection = await located("codetether_provider_openai.wire:ChatWire")().connect(provider)
        return self.cls(connection, provider)


class Sound:
    """A connection that keeps every promise."""

    def __init__(self, connection: Any, provider: Provider) -> None:
        self.connection = connection
        self.key = str(provider.secret.get("api_key")) if provider.secret else ""

    async def __aenter__(self) -> Sound:
        await self.connection.__aenter__()
        return self

    async def __aexit__(self, *why: Any) -> None:
        await self.connection.__aexit__(*why)

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        async with aclosing(self.connection.stream(request)) as answer:
            async for chunk in answer:
                yield chunk


class Half(Sound):
    """Asks nobody, and does not say that it has ended."""

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        yield TextDelta("Once upon a")


class Ending(Sound):
    """Asks nobody, and ends so."""

    ends: tuple[Any, ...] = ()

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        yield TextDelta("Once upon a time")
        for reason in self.ends:
            yield Finished(reason=reason)


class Twice(Ending):
    ends = ("stop", "stop")


class Odd(Ending):
    ends = ("end_of_story",)


class Vague(Sound):
    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        try:
            async for chunk in super().stream(request):
                yield chunk
        except DeadlineExceeded as error:
            raise ServerFailed("something went wrong") from error


class Telling(Sound):
    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        try:
            async for chunk in super().stream(request):
                yield chunk
        except AuthenticationFailed as error:
            raise AuthenticationFailed(f"the key {self.key} was refused") from error


class Stubborn(Sound):
    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        try:
            async for chunk in super().stream(request):
                yield chunk
        except asyncio.CancelledError:
            await asyncio.sleep(1.5)
            raise


def wire(cls: type[Sound], trials: Trials | None = None) -> Any:
    """A plugin with a wire of such connections."""

    def create(ctx: PluginContext) -> Wire:
        return Wire(cls)

    return breaking("wires", WireSpec(name="probe", create=create), trials)


BROKEN: dict[str, Any] = {
    "an answer is whole or an error": wire(Half),
    "every fault is a named error": wire(Vague),
    "keys stay secret": wire(Telling),
    "a cancelled request is over": wire(Stubborn),
    "its recordings are read as they should": wire(Sound, Trials(recordings=Path(__file__).parent / "recordings")),
}
