"""The audit trail as syslog messages (RFC 5424), one an entry, its text the entry's JSON."""

from __future__ import annotations

import logging
import logging.handlers
import os
import select
import socket
from contextlib import suppress

from attrs import evolve
from codetether import AuditEntry, Disk, StorageError, to_json

from codetether_sink_audit_syslog.settings import ADDRESS, AuditSyslogSettings

SECONDS = 5.0
"""That sending may take. The trail itself gives up on an entry after ten."""


class Syslog:
    """An AuditSink. An entry is recorded when the socket has taken it; syslog confirms nothing further.

    All that may wait is done on a thread of its own, which holds up nobody's end.
    """

    def __init__(self, settings: AuditSyslogSettings) -> None:
        self._settings = settings
        self._handler: _Channel | None = None
        self._thread = Disk()

    async def record(self, entry: AuditEntry) -> None:
        """Sends the entry. Raises StorageError where it could not be sent, after one try on a new connection."""
        level = logging.WARNING if entry.outcome in ("failure", "denied") else logging.INFO
        record = logging.LogRecord("codetether", level, "", 0, self._message(entry), None, None)
        await self._thread.call(self._send, record)

    def _message(self, entry: AuditEntry) -> str:
        """What follows the priority: version, time, host, program, process, kind, no structured data, the entry."""
        text = to_json(entry)
        if len(text) > self._settings.limit:
            text = to_json(evolve(entry, detail={"left_out": f"{len(text)} bytes are too long for this syslog"}))
        when = entry.timestamp.isoformat(timespec="microseconds").replace("+00:00", "Z")
        return f"1 {when} {socket.gethostname() or '-'} codetether {os.getpid()} audit - {text.decode()}"

    def _send(self, record: logging.LogRecord) -> None:
        try:
            self._connected().emit(record)
        except OSError:  # the server may have gone and come back
            self._close()
            try:
                self._connected().emit(record)
            except OSError as error:
                self._close()
                raise StorageError(
                    f"syslog at {self._settings.address} did not take the entry: {error.strerror or error}",
                    remedy="Does it listen there? It is set by [plugins.audit-syslog] address.",
                ) from error

    def _connected(self) -> _Channel:
        if self._handler is None or self._handler.gone():
            self._close()
            self._handler = _Channel(self._settings)
        return self._handler

    def _close(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.close()


class _Channel(logging.handlers.SysLogHandler):
    """The standard library's handler, but that failures are raised."""

    append_nul = False

    def __init__(self, settings: AuditSyslogSettings) -> None:
        found = ADDRESS.fullmatch(settings.address)
        self._stream = found is not None and found["kind"] == "tcp"
        address: str | tuple[str, int] = settings.address
        if found is not None and found["host"]:
            address = (found["host"].strip("[]"), int(found["port"] or 514))
        super().__init__(address, settings.facility, socket.SOCK_STREAM if self._stream else None)
        if (line := self._line()) is not None:
            with suppress(OSError):  # a local socket that is not there yet is closed again already
                line.settimeout(SECONDS)

    def _line(self) -> socket.socket | None:
        return getattr(self, "socket", None)

    def format(self, record: logging.LogRecord) -> str:
        """The message after its priority. On a stream a line feed ends it, which JSON never holds."""
        return record.getMessage() + ("\n" if self._stream else "")

    def gone(self) -> bool:
        """Whether the other end has closed the connection: what is sent then would be lost without a word."""
        line = self._line()
        if not self._stream or line is None:
            return False
        waiting = select.poll()
        waiting.register(line, select.POLLIN)
        try:
            return bool(waiting.poll(0)) and line.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Raises what went wrong."""
        raise  # noqa: PLE0704 - it is called where the exception is handled
