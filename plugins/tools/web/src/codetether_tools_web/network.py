"""Connects to addresses that were checked, and to nothing else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore
from httpcore import AsyncNetworkStream

from codetether_tools_web.addresses import METADATA_NAMES, Address, is_metadata, is_public, parse
from codetether_tools_web.failures import Refused
from codetether_tools_web.targets import Target

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
PATIENCE = 8.0
"""Seconds for a connection to one address."""
MOST_ADDRESSES = 8
"""Addresses of one name that are tried."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as the system knows them. Raises OSError where there are none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Border:
    """Which hosts may be reached; each name is resolved once, and what is connected to is what was checked.

    Args:
        private: places (`host:port`) that may be reached though they are not public; never those of cloud metadata.
    """

    def __init__(self, private: Iterable[str] = (), resolve: Resolve = resolve) -> None:
        self._private = frozenset(private)
        self._resolve = resolve

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """The checked addresses of a host. Raises Refused where any of them is not to be reached."""
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if host in METADATA_NAMES:
            raise Refused(f"{host} tells a machine's own keys: it is never reached")
        literal = _literal(host)
        found = [host] if literal else await self._found(host, port)
        for address in found:
            self._check(host, place, parse(address))
        return found[:MOST_ADDRESSES]

    async def _found(self, host: str, port: int) -> Sequence[str]:
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Refused(f"{host} has no address: {error}") from error
        if not found:
            raise Refused(f"{host} has no address")
        return found

    def _check(self, host: str, place: str, address: Address) -> None:
        which = host if host == str(address) else f"{host} ({address})"
        if is_metadata(address):
            raise Refused(f"{which} is where machines are told their own keys, or a neighbour: it is never reached")
        if not is_public(address) and place not in self._private:
            raise Refused(
                f"{which} is no public address",
                remedy=f'The user may allow it: [plugins.web] allow_private = ["{place}"] in their own settings.',
            )

    async def check_through_proxy(self, target: Target) -> None:
        """What can be known of a target that a proxy will resolve. Raises Refused."""
        try:
            await self.addresses(target.host, target.port)
        except Refused as refused:
            if not isinstance(refused.__cause__, OSError):  # the proxy may know names that this machine does not
                raise


class Checked(httpcore.AsyncNetworkBackend):
    """Connects within a border. TLS still names and verifies the host, since only the connection is made here."""

    def __init__(self, border: Border, inner: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._border = border
        self._inner = inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """A connection to the first checked address that answers."""
        failure: Exception | None = None
        for address in await self._border.addresses(host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout or PATIENCE, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)


def _literal(host: str) -> bool:
    try:
        parse(host)
    except ValueError:
        return False
    return True
