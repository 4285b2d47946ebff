"""How a streamed answer is cut into events: server-sent events, or another framing that a wire brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import frozen

from codetether_http.sse import EventSplitter


class Splitter(Protocol):
    """Cuts one answer's bytes, however they arrive, into events."""

    def feed(self, data: bytes) -> Sequence[Any]:
        """The events that are whole now. Raises MalformedResponse."""
        ...

    def finish(self) -> Sequence[Any]:
        """What the end of the connection completes. Raises IncompleteResponse for a torn event."""
        ...


@frozen(kw_only=True)
class Framing:
    """A framing by its content type.

    Attributes:
        splitter: makes a splitter, given the largest event in bytes and the provider's name for errors.
    """

    media_type: str
    splitter: Callable[[int, str], Splitter]


SSE = Framing(media_type="text/event-stream", splitter=EventSplitter)
"""Server-sent events."""
