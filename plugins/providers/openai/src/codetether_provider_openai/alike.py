"""Recognizes events that differ from the one before in their text alone, of which nothing else needs to be parsed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import orjson
from codetether import MalformedResponse, StreamChunk, TextDelta

_PROBE = "\0?"


class Alike:
    """What stands before and behind the text of the last event that was parsed whole, where it held a text alone."""

    def __init__(self) -> None:
        self._head = self._tail = b""
        self._pays = True

    def text(self, data: bytes) -> str | None:
        """The text of an event that is alike, None for any other."""
        if not self._head or not data.startswith(self._head) or not data.endswith(self._tail):
            return None
        try:
            text = orjson.loads(data[len(self._head) : len(data) - len(self._tail)])
        except orjson.JSONDecodeError:
            return None
        self._pays = isinstance(text, str)
        return text if self._pays else None

    def learn(self, data: bytes, chunks: Sequence[StreamChunk], read: Callable[[bytes], Sequence[StreamChunk]]) -> None:
        """Takes an event that was parsed whole, and what came of it; `read` parses one.

        Where no event was like the last one that was learned, nothing more is learned of this answer.
        """
        self._head = b""
        match chunks:
            case [TextDelta(text)] if text and self._pays:
                self._pays = False
                head, found, tail = data.partition(orjson.dumps(text))
                with suppress(MalformedResponse):
                    if found and read(head + orjson.dumps(_PROBE) + tail) == [TextDelta(_PROBE)]:
                        self._head, self._tail = head, tail
