"""The provider `parrot` and the wire that it speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from codetether import (
    CompletionRequest,
    Finished,
    PluginContext,
    Provider,
    ProviderSpec,
    ResponseStarted,
    StreamChunk,
    TextDelta,
    Usage,
    UsageReported,
    WireSpec,
    hookimpl,
)


class Parrot:
    """A connection: repeats the last thing that was said."""

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        """The last message, word by word."""
        words = request.messages[-1].text.split()
        yield ResponseStarted(id="1", model=request.model.model)
        for number, word in enumerate(words):
            yield TextDelta(word if number == 0 else f" {word}")
        yield UsageReported(Usage(input_tokens=len(words), output_tokens=len(words)), {})
        yield Finished("stop", "stop")


class ParrotWire:
    """The wire: there is nothing to connect to."""

    async def connect(self, provider: Provider) -> Parrot:
        """A parrot of one's own."""
        return Parrot()


def _wire(ctx: PluginContext) -> ParrotWire:
    return ParrotWire()


@hookimpl
def codetether_wires() -> Iterable[WireSpec]:
    """Plain repetition."""
    yield WireSpec(name="parrot", create=_wire)


@hookimpl
def codetether_providers() -> Iterable[ProviderSpec]:
    """A provider that needs no key."""
    yield ProviderSpec(
        name="parrot", wire="parrot", default_model="grey", models=("grey", "green"), aliases=("polly",), keyless=True
    )
