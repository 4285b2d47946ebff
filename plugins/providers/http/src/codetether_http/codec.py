"""What a wire format must be able to do, without any I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from codetether import CompletionRequest, StreamChunk

from codetether_http.failures import Fault


class Parser(Protocol):
    """Reads one answer, in whatever pieces it comes."""

    @property
    def done(self) -> bool:
        """Whether the terminal event, or an error in its place, was seen: what follows is not read."""
        ...

    @property
    def fault(self) -> Fault | None:
        """The error that the provider sent instead of the rest; raised once all chunks are given out."""
        ...

    def feed(self, event: Any) -> Sequence[StreamChunk]:
        """The chunks of one event as the framing cuts them, e.g. a ServerSentEvent. Raises MalformedResponse."""
        ...

    def whole(self, body: bytes) -> Sequence[StreamChunk]:
        """The chunks of an answer that does not stream, `Finished` among them. Raises MalformedResponse."""
        ...

    def finish(self) -> Sequence[StreamChunk]:
        """What is left when the connection has ended. Raises IncompleteResponse where no terminal event came."""
        ...


class Codec(Protocol):
    """A wire format of one provider, for one session."""

    def address(self, request: CompletionRequest) -> str:
        """Where to post the request: a path below the base URL, e.g. `/chat/completions`."""
        ...

    def headers(self, request: CompletionRequest) -> Mapping[str, str]:
        """The headers of this request, beyond those of the connection."""
        ...

    def render(self, request: CompletionRequest) -> bytes:
        """The request's body."""
        ...

    def parser(self) -> Parser:
        """A parser for one answer."""
        ...
