"""A client of ours as the model of a session: what it calls runs as a model's call does, judged, audited, recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from codetether import (
    CompletionRequest,
    Finished,
    PluginContext,
    Provider,
    ProviderSpec,
    ResponseStarted,
    RunningSession,
    StreamChunk,
    TextDelta,
    ToolCallDelta,
    ToolResultPart,
    WireSpec,
    hookimpl,
)

NAME = "mcp-client"


class Caller:
    """A plugin that brings the provider `mcp-client`: its model asks for the one tool that the client called."""

    __codetether_name__ = NAME

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._wanted: tuple[str, str, str] | None = None
        self._calls = 0

    @hookimpl
    def codetether_wires(self) -> Iterable[WireSpec]:
        """The wire on which the client speaks."""
        yield WireSpec(name=NAME, create=self._wire)

    @hookimpl
    def codetether_providers(self) -> Iterable[ProviderSpec]:
        """The client, which needs no key."""
        yield ProviderSpec(name=NAME, wire=NAME, default_model="client", models=("client",), keyless=True)

    def _wire(self, ctx: PluginContext) -> Caller:
        return self

    async def connect(self, provider: Provider) -> Caller:
        """Itself."""
        return self

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        """The call that is wanted; after it, the end of the turn."""
        yield ResponseStarted(id="", model=request.model.model)
        wanted = self._wanted if request.tools else None  # what a plugin asks of a model is no step of the session
        if wanted is None:
            yield TextDelta("answered")
            yield Finished("stop", "stop")
            return
        self._wanted = None
        call_id, name, arguments = wanted
        yield ToolCallDelta(0, call_id, name, arguments)
        yield Finished("tool_calls", "tool_calls")

    async def call(self, session: RunningSession, name: str, arguments: Mapping[str, Any]) -> ToolResultPart | str:
        """What came of the call, or why there is nothing; one call at a time."""
        async with self._turn:
            self._calls += 1
            call_id = f"mcp_{self._calls}"
            self._wanted = (call_id, name, json.dumps(arguments))
            done = await session.prompt(f"tools/call {name}")
        for message in reversed(session.session.messages):
            for part in message.parts:
                if isinstance(part, ToolResultPart) and part.name == name:
                    return part
            if message.role == "user":
                break
        return done.error or done.reason or f"the call ended: {done.status}"
