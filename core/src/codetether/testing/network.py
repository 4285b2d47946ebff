"""A switch that forbids real requests: whatever tries to leave this machine raises, and says where it wanted to go."""

from __future__ import annotations

import functools
import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LOCAL_NAMES = frozenset(("", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"))
_CONNECTING = ("connect", "connect_ex", "sendto", "sendmsg")
_LOOKING_UP = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")


class NetworkForbidden(RuntimeError):
    """A connection to another machine was tried where none is allowed. No OSError, so that no client retries it."""


Refuse = Callable[[object, object], None]

_refusing: list[Refuse] = []
"""Those who forbid at the moment, the newest last: switches may overlap in any order, since they stand in threads."""
_before: list[tuple[Any, str, Any]] = []
_lock = threading.Lock()


@contextmanager
def no_network(who: str = "") -> Iterator[list[str]]:
    """Forbids connections and look-ups that leave this machine; yields the list of those that were tried.

    It holds for every library of this process that uses Python's sockets (httpx, requests, boto3, asyncio), not for
    other processes. Loopback and Unix sockets stay open. `who` names the test in the error; pytest's own by default.
    """
    tried: list[str] = []

    def refuse(host: object, port: object) -> None:
        where = f"{host}:{port}" if port not in (None, "", 0) else f"{host}"
        tried.append(where)
        test = who or os.environ.get("PYTEST_CURRENT_TEST", "this process")
        raise NetworkForbidden(
            f"{test} tried to reach {where}, and real requests are forbidden here\n"
            "  answer from a cassette, a ScriptedProvider or a server on 127.0.0.1"
        )

    with _lock:
        _refusing.append(refuse)
        if not _before:
            _guard()
    try:
        yield tried
    finally:
        with _lock:
            _refusing.remove(refuse)
            if not _refusing:
                _unguard()


def _guard() -> None:
    for name in _CONNECTING:
        place = 0 if name.startswith("connect") else -1
        _before.append((socket.socket, name, socket.socket.__dict__.get(name)))
        setattr(socket.socket, name, _connecting(getattr(socket.socket, name), place))
    for name in _LOOKING_UP:
        _before.append((socket, name, getattr(socket, name)))
        setattr(socket, name, _looking_up(getattr(socket, name)))


def _unguard() -> None:
    for owner, name, original in reversed(_before):
        if original is None:
            delattr(owner, name)
        else:
            setattr(owner, name, original)
    _before.clear()


def _connecting(original: Callable[..., Any], place: int) -> Callable[..., Any]:
    @functools.wraps(original)
    def guarded(self: socket.socket, *arguments: Any, **named: Any) -> Any:
        address = arguments[place] if len(arguments) > abs(place) - (place < 0) else None
        if self.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple) and not local(address[0]):
            for refuse in _refusing[-1:]:
                refuse(address[0], address[1])
        return original(self, *arguments, **named)

    return guarded


def _looking_up(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def guarded(host: Any, *arguments: Any, **named: Any) -> Any:
        if not local(host):
            for refuse in _refusing[-1:]:
                refuse(_text(host), arguments[0] if arguments else named.get("port"))
        return original(host, *arguments, **named)

    return guarded


def local(host: object) -> bool:
    """Whether a host (a name, an address, None) is this machine, as far as its spelling tells."""
    if host is None:
        return True
    name = _text(host).rstrip(".").lower()
    if name in LOCAL_NAMES or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _text(host: object) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes | bytearray) else str(host)
