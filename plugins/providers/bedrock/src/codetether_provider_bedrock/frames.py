"""Amazon's event stream: network reads in, frames out."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from codetether import MalformedResponse
from codetether_http import Framing

if TYPE_CHECKING:
    from botocore.eventstream import EventStreamMessage  # type: ignore[import-untyped]

MEDIA_TYPE = "application/vnd.amazon.eventstream"
_PRELUDE = 12
_LEAST = 16
_LARGEST_HEADERS = 16 * 1024


class Frame(NamedTuple):
    """One frame: `kind` is `event`, `exception` or `error`, `name` says which, `message` comes with an `error`."""

    kind: str
    name: str
    payload: bytes
    message: str = ""


class FrameSplitter:
    """Splits bytes into frames however they are cut; lengths are bounded and checksums verified.

    A frame larger than `limit` bytes, or a damaged one, raises MalformedResponse, which says that `name` sent it.
    """

    def __init__(self, limit: int = 4 * 1024 * 1024, name: str = "the server") -> None:
        from botocore.eventstream import EventStreamBuffer

        self._limit = limit
        self._name = name
        self._pending = bytearray()
        self._buffer = EventStreamBuffer()
        self._length = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are whole by now."""
        pending = self._pending
        pending += data
        frames, start = [], 0
        while True:
            if not self._length and len(pending) - start >= _PRELUDE:
                self._begin(bytes(pending[start : start + _PRELUDE]))
            end = start + self._length
            if not self._length or len(pending) < end:
                break
            frames.append(self._frame(bytes(pending[start + _PRELUDE : end])))
            start, self._length = end, 0
        del pending[:start]
        return frames

    def finish(self) -> list[Frame]:
        """Nothing: a torn frame says nothing, and whether the answer was whole without it the parser knows."""
        self._pending.clear()
        return []

    def _begin(self, prelude: bytes) -> None:
        """Verifies the lengths before anything is kept for them."""
        self._next(prelude)
        length, headers = struct.unpack_from("!II", prelude)
        if length > self._limit or headers > _LARGEST_HEADERS:
            raise MalformedResponse(f"{self._name}: the stream holds an event of more than {self._limit} bytes")
        if length < _LEAST + headers:
            raise self._damaged("its lengths contradict each other")
        self._length = length

    def _frame(self, rest: bytes) -> Frame:
        message = self._next(rest)
        if message is None:
            raise self._damaged("its length is wrong")
        headers = message.headers
        kind = str(headers.get(":message-type", "event"))
        name = headers.get(":event-type" if kind == "event" else f":{kind}-type") or headers.get(":error-code")
        return Frame(kind, str(name or ""), message.payload, str(headers.get(":error-message") or ""))

    def _next(self, data: bytes) -> EventStreamMessage | None:
        from botocore.eventstream import ParserError

        self._buffer.add_data(data)
        try:
            return next(self._buffer, None)
        except (ParserError, struct.error, KeyError, ValueError) as error:
            raise self._damaged(str(error) or type(error).__name__) from None

    def _damaged(self, why: str) -> MalformedResponse:
        return MalformedResponse(f"{self._name}: a frame of the stream is damaged: {why}")


FRAMING = Framing(media_type=MEDIA_TYPE, splitter=FrameSplitter)
"""Frames of `application/vnd.amazon.eventstream`."""
