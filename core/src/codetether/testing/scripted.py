"""A provider that plays a script, for tests: no network, no key, and every request it was asked is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from attrs import frozen

from codetether.hookspecs import hookimpl
from codetether.models.completion import (
    CompletionRequest,
    Finished,
    FinishReason,
    ModelRef,
    ResponseStarted,
    StreamChunk,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Usage,
    UsageReported,
)
from codetether.models.providers import Provider
from codetether.plugin_contexts import PluginContext
from codetether.specs import ProviderSpec, WireSpec

USAGE = Usage(input_tokens=10, output_tokens=5)


@frozen
class Call:
    """The model asks for a tool. `arguments` is a mapping, or the very JSON text it writes."""

    name: str
    arguments: Mapping[str, Any] | str = "{}"
    id: str = ""


@frozen
class Think:
    """The model reasons."""

    text: str


@frozen
class Wait:
    """Nothing comes for so many seconds."""

    seconds: float


@frozen
class End:
    """The answer ends with this reason instead of the natural one."""

    reason: FinishReason


@frozen
class Cut:
    """The stream ends here, without its terminal event."""


Piece = str | Call | Think | Wait | End | Cut | Exception
Step = Piece | Sequence[Piece]
Script = Step | Callable[[CompletionRequest], Step]


class ScriptedProvider:
    """A plugin that brings the provider `scripted` with the model `scripted/model`.

    Each request takes the next step of the script: a text, calls, or several pieces in order; an exception is raised
    where it stands; a function is given the request and returns the step. After the last one it says "done".

    Attributes:
        requests: all that it was asked.
    """

    def __init__(self, *steps: Any, name: str = "scripted", usage: Usage = USAGE) -> None:
        self.__codetether_name__ = name
        self.name = name
        self.model = ModelRef(provider=name, model="model")
        self.requests: list[CompletionRequest] = []
        self._steps = list(steps)
        self._usage = usage
        self._calls = 0

    @hookimpl
    def codetether_wires(self) -> Iterable[WireSpec]:
        """The wire that plays the script."""
        yield WireSpec(name=self.name, create=self._wire)

    @hookimpl
    def codetether_providers(self) -> Iterable[ProviderSpec]:
        """The provider, which needs no key."""
        yield ProviderSpec(name=self.name, wire=self.name, default_model="model", models=("model",), keyless=True)

    def _wire(self, ctx: PluginContext) -> ScriptedProvider:
        return self

    async def connect(self, provider: Provider) -> ScriptedProvider:
        """Itself: a script needs no connection."""
        return self

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        """The next step of the script, text in words."""
        self.requests.append(request)
        step = self._steps.pop(0) if self._steps else "done"
        if callable(step):
            step = step(request)
        yield ResponseStarted(id=f"response-{len(self.requests)}", model=request.model.model)
        reason: FinishReason = "stop"
        for piece in [step] if isinstance(step, str | Call | Think | Wait | End | Cut | Exception) else step:
            match piece:
                case str():
                    for word in piece.splitlines(keepends=True):
                        yield TextDelta(word)
                case Call():
                    reason = "tool_calls"
                    yield self._call(piece)
                case Think():
                    yield ThinkingDelta(piece.text)
                case Wait():
                    await asyncio.sleep(piece.seconds)
                case End():
                    reason = piece.reason
                case Cut():
                    return
                case Exception():
                    raise piece
        yield UsageReported(self._usage, {"input": self._usage.input_tokens, "output": self._usage.output_tokens})
        yield Finished(reason, reason)

    def _call(self, call: Call) -> ToolCallDelta:
        self._calls += 1
        arguments = call.arguments if isinstance(call.arguments, str) else orjson.dumps(dict(call.arguments)).decode()
        return ToolCallDelta(self._calls, call.id or f"call-{self._calls}", call.name, arguments)
