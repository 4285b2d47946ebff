"""The network under httpcore, on asyncio's own transports: by the way of anyio an exchange costs half as much again."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

_HIGH = 256 * 1024
"""Bytes that wait to be read, from which on the server waits as well."""
_NEXT_ADDRESS = 0.25
"""Seconds after which the next address of a host is tried beside the one before (RFC 8305)."""


class Network(httpcore.AsyncNetworkBackend):
    """Makes TCP connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the host. Raises httpcore.ConnectError and ConnectTimeout."""
        loop = asyncio.get_running_loop()
        local = None if local_address is None else (local_address, 0)
        try:
            async with asyncio.timeout(timeout):
                made, line = await loop.create_connection(
                    Line, host, port, local_addr=local, happy_eyeballs_delay=_NEXT_ADDRESS
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        for option in socket_options or ():
            made.get_extra_info("socket").setsockopt(*option)
        return line


class Line(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection. What arrives waits here until it is read."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._arrived = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None  # there while no more may be written

    # -- what asyncio tells

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._arrived += data
        if len(self._arrived) > _HIGH:
            self._transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> None:
        self._ended = True
        _wake(self._reader)

    def connection_lost(self, error: Exception | None) -> None:
        self._ended, self._error = True, error
        _wake(self._reader)
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writer = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        _wake(self._writer)
        self._writer = None

    # -- what httpcore asks

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has arrived, once something has; nothing at the end."""
        if not self._arrived and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            await _waited(self._reader, timeout, httpcore.ReadTimeout)
        if not self._arrived and self._error is not None:
            raise httpcore.ReadError(str(self._error)) from self._error
        data = bytes(self._arrived[:max_bytes])
        del self._arrived[:max_bytes]
        if not self._ended:
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Sends, or keeps to be sent as soon as there is room."""
        if not self._transport.is_closing():
            self._transport.write(buffer)
        if self._writer is not None:
            await _waited(self._writer, timeout, httpcore.WriteTimeout)
        if self._transport.is_closing():
            raise httpcore.WriteError(str(self._error or "the server has closed the connection"))

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The same connection under TLS."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                made = await loop.start_tls(self._transport, self, ssl_context, server_hostname=server_hostname)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if made is None:
            raise httpcore.ConnectError("the server has closed the connection")
        self._transport = made
        return self

    async def aclose(self) -> None:
        """Closes it at once: what was not sent by then is of no use to anybody."""
        self._transport.abort()
        await asyncio.sleep(0)

    def get_extra_info(self, info: str) -> Any:
        """`is_readable`: whether an idle connection is one no more, since something came, or its end."""
        if info == "is_readable":
            return self._ended or bool(self._arrived)
        return self._transport.get_extra_info(_INFO.get(info, info))


_INFO = {"client_addr": "sockname", "server_addr": "peername"}


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


async def _waited(future: asyncio.Future[None], timeout: float | None, late: type[Exception]) -> None:
    try:
        async with asyncio.timeout(timeout):
            await future
    except TimeoutError as error:
        raise late(str(error)) from error
