"""The wire format `change-me`, and a provider that speaks it: it says what it hears."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from codetether import (
    CompletionRequest,
    Finished,
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

NAME = "change-me"


class Line:
    """A connection. One that speaks HTTP owns its client here, and is an async context manager that closes it."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        """The last message, word by word. A failure is raised as the ProviderError that says what went wrong."""
        words = request.messages[-1].text.split()
        yield ResponseStarted(id="1", model=request.model.model)
        for number, word in enumerate(words):
            yield TextDelta(word if number == 0 else f" {word}")
        yield UsageReported(Usage(input_tokens=len(words), output_tokens=len(words)), {})
        yield Finished("stop", "stop")


class EchoWire:
    """Makes the connections; created once a process."""

    async def connect(self, provider: Provider) -> Line:
        """A connection of one session to the provider as it is configured."""
        return Line(provider)


@hookimpl
def codetether_wires() -> Iterable[WireSpec]:
    """The wire format: vendors name it, in plugins or in `[providers.NAME] wire`."""
    yield WireSpec(name=NAME, create=lambda ctx: EchoWire())


@hookimpl
def codetether_providers() -> Iterable[ProviderSpec]:
    """A vendor to try it with, which needs no key."""
    yield ProviderSpec(name=NAME, wire=NAME, default_model="echo", models=("echo",), keyless=True)
