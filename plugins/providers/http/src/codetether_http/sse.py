"""Server-sent events: network reads in, events out."""

from __future__ import annotations

import re
from typing import NamedTuple

from codetether import MalformedResponse

_BOM = b"\xef\xbb\xbf"
_SHORT = re.compile(rb"^data: ?(.*)\n\n", re.MULTILINE)
"""An event that is a line of data."""


class ServerSentEvent(NamedTuple):
    """One event: `data` is the joined data lines as they came, `event` its name, empty where it has none."""

    data: bytes
    event: bytes = b""


class EventSplitter:
    """Splits bytes into events however they are cut. Lines end with LF, CRLF or CR; everything else is data.

    An event larger than `limit` bytes raises MalformedResponse, which says that `name` sent it.
    """

    def __init__(self, limit: int = 4 * 1024 * 1024, name: str = "the server") -> None:
        self._limit = limit
        self._name = name
        self._pending = bytearray()
        self._began = False
        self._after_cr = False

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that are whole by now."""
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == 10:
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data[-1] == 13
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not self._began:
            data = self._without_bom(data)
        pending = self._pending
        if pending:
            searched = len(pending) - 1
            pending += data
            end = pending.rfind(b"\n\n", max(searched, 0))
            if end < 0:
                self._check(len(pending))
                return []
            data = bytes(pending[: end + 2])
            del pending[: end + 2]
        else:
            end = data.rfind(b"\n\n")
            if end < 0:
                pending += data
                self._check(len(pending))
                return []
            if end + 2 < len(data):
                pending += data[end + 2 :]
                self._check(len(pending))
                data = data[: end + 2]
        found = _SHORT.findall(data)
        if 2 * len(found) == data.count(b"\n") and len(data) <= self._limit:  # nothing else: the usual case, in short
            return [ServerSentEvent(each) for each in found]
        return [event for block in data.split(b"\n\n") if block and (event := self._event(block))]

    def finish(self) -> list[ServerSentEvent]:
        """What the connection's end left without its blank line: perhaps an event, perhaps a torn one."""
        block = bytes(self._pending).strip(b"\n")
        self._pending.clear()
        event = self._event(block) if block else None
        return [event] if event else []

    def _without_bom(self, data: bytes) -> bytes:
        whole = bytes(self._pending) + data
        self._pending.clear()
        if len(whole) < 3 and _BOM.startswith(whole):
            self._pending += whole
            return b""
        self._began = True
        return whole.removeprefix(_BOM)

    def _check(self, size: int) -> None:
        if size > self._limit:
            self._pending.clear()
            raise MalformedResponse(f"{self._name}: the stream holds an event of more than {self._limit} bytes")

    def _event(self, block: bytes) -> ServerSentEvent | None:
        if len(block) > self._limit:
            self._check(len(block))
        return _from_lines(block.split(b"\n"))


def _from_lines(lines: list[bytes]) -> ServerSentEvent | None:
    data, name = [], b""
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return ServerSentEvent(b"\n".join(data), name) if data else None
