"""The way out of a sandbox without a network: tunnels to allowed hosts, each checked by name, address and TLS."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from attrs import define, field

from codetether_executor_sandbox.hosts import Host, may_reach
from codetether_executor_sandbox.tls import Incomplete, server_name

_HEAD = 16 * 1024
_PATIENCE = 20.0
"""Seconds for the head of a request, for a connection, and for the beginning of TLS."""
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Refused(Exception):
    """Why a tunnel is not opened."""


async def resolve(name: str, port: int) -> Sequence[str]:
    """The addresses of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


@define(kw_only=True)
class Proxy:
    """Serves `CONNECT host:port` on a listening socket, for as long as a command runs.

    Attributes:
        public: whether only addresses of the public Internet are connected to.
        refused: what was asked for in vain, for the note.
    """

    hosts: Sequence[Host]
    resolve: Resolve = resolve
    public: bool = True
    refused: list[str] = field(factory=list)
    _tasks: set[asyncio.Task[None]] = field(factory=set, init=False)

    async def serve(self, listener: socket.socket) -> None:
        """Takes connections until it is cancelled."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        try:
            while True:
                accepted, _ = await loop.sock_accept(listener)
                task = asyncio.create_task(self._client(accepted))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            listener.close()
            for task in self._tasks:
                task.cancel()

    async def _client(self, accepted: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=accepted, limit=_HEAD)
        try:
            await self._tunnel(reader, writer)
        except Refused as why:
            self.refused.append(str(why))
            with suppress(OSError):
                writer.write(f"HTTP/1.1 403 Forbidden\r\nContent-Length: {len(str(why)) + 1}\r\n\r\n{why}\n".encode())
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client sees its connection end
        finally:
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_PATIENCE):
            name, port = self._target(await reader.readuntil(b"\r\n\r\n"))
            address = await self._address(name, port)
            there, out = await asyncio.open_connection(address, port)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            out.write(await self._beginning(reader, name))
            both = (asyncio.create_task(_pour(reader, out)), asyncio.create_task(_pour(there, writer)))
            try:
                await asyncio.gather(*both)
            finally:
                for each in both:
                    each.cancel()
        finally:
            out.close()

    def _target(self, head: bytes) -> tuple[str, int]:
        """The plain name and the port that are asked for, if they are allowed."""
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        asked = rest.rpartition(" ")[0]
        name, _, port = asked.rpartition(":")
        if method != "CONNECT":
            raise Refused(f"{method[:10]} {asked[:100]}: only tunnels (CONNECT) are served")
        plain = may_reach(self.hosts, name, int(port)) if port.isascii() and port.isdecimal() else None
        if plain is None:
            raise Refused(f"{asked[:100]} is not among the hosts of [plugins.sandbox]")
        return plain, int(port)

    async def _address(self, name: str, port: int) -> str:
        """The address that is connected to: looked up once, and checked."""
        try:
            found = await self.resolve(name, port)
        except OSError as error:
            raise Refused(f"{name}: {error}") from error
        for address in found:
            if not self.public or _is_public(address):
                return address
        raise Refused(f"{name} leads to {', '.join(found[:3]) or 'nowhere'}, which is not of the public Internet")

    async def _beginning(self, reader: asyncio.StreamReader, name: str) -> bytes:
        """What the client says first, which must be TLS for that very name."""
        said = b""
        async with asyncio.timeout(_PATIENCE):
            while len(said) < _HEAD * 4:
                piece = await reader.read(_HEAD)
                said += piece
                try:
                    asked = server_name(said)
                except Incomplete:
                    if not piece:
                        break
                    continue
                except (ValueError, IndexError) as error:
                    raise Refused(f"{name}: {error}; only TLS passes") from error
                if asked is None or asked.lower().removesuffix(".") != name:
                    raise Refused(f"the tunnel to {name} asks for {asked or 'no name'}")
                return said
        raise Refused(f"{name}: no TLS began")


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    embedded = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return found.is_global and not found.is_multicast and (embedded is None or embedded.is_global)


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.write_eof()
