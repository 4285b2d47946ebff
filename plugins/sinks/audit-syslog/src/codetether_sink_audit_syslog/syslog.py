"""The audit trail as syslog messages (RFC 5424), one an entry, its text the entry's JSON."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from attrs import evolve
from codetether import AuditEntry, Disk, StorageError, to_json

from codetether_sink_audit_syslog.settings import ADDRESS, FACILITIES, AuditSyslogSettings

SECONDS = 5.0
"""That sending may take. The trail itself gives up on an entry after ten."""

INFORMATIONAL, WARNING = 6, 4


class Syslog:
    """An AuditSink. An entry is recorded when the socket has taken it; syslog confirms nothing further.

    What the socket takes at once is sent where the entry is made. All that may wait (a name looked up, a connection,
    a full socket) is done on a thread of its own, which holds up nobody's end.
    """

    def __init__(self, settings: AuditSyslogSettings) -> None:
        self._settings = settings
        self._host = socket.gethostname() or "-"
        self._line: _Line | None = None  # the thread's, as long as it has calls
        self._thread = Disk()
        self._calls: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._calls:  # a server that takes nothing holds up no end
            self._hang_up()
            await self._thread.close()

    def record(self, entry: AuditEntry) -> Awaitable[None] | None:
        """Sends the entry. Raises StorageError where it could not be sent, after one try on a new connection."""
        message = self._message(entry)
        left = message if self._calls else self._left(message)
        return self._later(message, left) if left else None

    def _message(self, entry: AuditEntry) -> bytes:
        """Priority, version, time, host, program, process, kind, no structured data, the entry."""
        text = to_json(entry)
        if len(text) > self._settings.limit:
            text = to_json(evolve(entry, detail={"left_out": f"{len(text)} bytes are too long for this syslog"}))
        severity = WARNING if entry.outcome in ("failure", "denied") else INFORMATIONAL
        when = entry.timestamp.isoformat(timespec="microseconds").replace("+00:00", "Z")
        head = f"<{FACILITIES[self._settings.facility] * 8 + severity}>1 {when} {self._host} codetether {os.getpid()}"
        return b"%b audit - %b" % (head.encode(), text)

    def _left(self, message: bytes) -> bytes:
        """What the socket does not take at once."""
        if self._line is None or self._line.gone():
            return message
        try:
            return self._line.send(message)
        except OSError:  # tried once more on the thread
            return message

    def _later(self, message: bytes, left: bytes) -> Awaitable[None]:
        """Sends on the thread. Meanwhile all that comes goes that way too, so that nothing overtakes."""
        call = asyncio.ensure_future(self._thread.call(self._send, message, left))
        self._calls.add(call)
        call.add_done_callback(self._done)
        return asyncio.shield(call)

    def _done(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # whoever waited for it has been told; perhaps nobody waits any more

    def _send(self, message: bytes, left: bytes) -> None:
        """On the thread: what is left of a message, or all of it on a new connection."""
        with suppress(OSError):  # the server may have gone and come back
            if self._line is not None and not self._line.gone():
                return self._line.send_all(left)
        self._hang_up()
        try:
            self._line = _Line(self._settings.address)
            self._line.send_all(message)
        except OSError as error:
            self._hang_up()
            raise StorageError(
                f"syslog at {self._settings.address} did not take the entry: {error.strerror or error}",
                remedy="Does it listen there? It is set by [plugins.audit-syslog] address.",
            ) from error

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()


class _Line:
    """A socket that is connected to syslog: of datagrams, or a stream in which a line feed ends each message."""

    def __init__(self, address: str) -> None:
        """Raises OSError."""
        self._socket = _connected(address)
        self._end = b"\n" if self._socket.type == socket.SOCK_STREAM else b""  # JSON holds none itself
        self._socket.setblocking(False)

    def gone(self) -> bool:
        """Whether the other end has closed the connection: what is sent then would be lost without a word."""
        if not self._end:
            return False
        try:
            return self._socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def send(self, message: bytes) -> bytes:
        """What is left of a message after all that can be sent without a wait. Raises OSError."""
        message += self._end
        try:
            return message[self._socket.send(message) :]
        except BlockingIOError:
            return message

    def send_all(self, left: bytes) -> None:
        """Sends a message, or what is left of one, perhaps with its end. Raises OSError."""
        self._socket.settimeout(SECONDS)
        self._socket.sendall(left.removesuffix(b"\n") + self._end)
        self._socket.setblocking(False)

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()


def _connected(address: str) -> socket.socket:
    found = ADDRESS.fullmatch(address)
    if found is None or not found["host"]:
        return _local(address)
    where = found["host"].strip("[]"), int(found["port"] or 514)
    if found["kind"] == "tcp":
        return socket.create_connection(where, SECONDS)
    family, kind, _, _, first = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM)[0]
    return _dialled(family, kind, first)  # once, so that no name is looked up for each message


def _local(path: str) -> socket.socket:
    """A socket of this machine: of datagrams as most are, else a stream."""
    try:
        return _dialled(socket.AF_UNIX, socket.SOCK_DGRAM, path)
    except OSError as error:
        if error.errno != errno.EPROTOTYPE:
            raise
        return _dialled(socket.AF_UNIX, socket.SOCK_STREAM, path)


def _dialled(family: int, kind: int, where: Any) -> socket.socket:
    made = socket.socket(family, kind)
    made.settimeout(SECONDS)
    try:
        made.connect(where)
    except OSError:
        made.close()
        raise
    return made
