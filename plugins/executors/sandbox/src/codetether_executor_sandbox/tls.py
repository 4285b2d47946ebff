"""The name that a TLS client asks for, read from the first bytes that it sends."""

from __future__ import annotations


class Incomplete(Exception):
    """More bytes are needed to tell."""


def server_name(data: bytes) -> str | None:
    """The name in a ClientHello, None where there is none.

    Raises ValueError for what is no ClientHello, Incomplete while it is not all there.
    """
    if not data:
        raise Incomplete
    if data[0] != 22:
        raise ValueError("not TLS")
    hello = _handshake(data)
    if hello[0] != 1:
        raise ValueError("not a ClientHello")
    body = hello[4 : 4 + int.from_bytes(hello[1:4])]
    if len(hello) < 4 + int.from_bytes(hello[1:4]):
        raise Incomplete
    at = 34
    at += 1 + body[at]
    at += 2 + int.from_bytes(body[at : at + 2])
    at += 1 + body[at]
    return _name(body[at + 2 : at + 2 + int.from_bytes(body[at : at + 2])])


def _handshake(data: bytes) -> bytes:
    """The bytes of the handshake, which may stand in several records."""
    made = b""
    while data:
        if len(data) < 5 or len(data) < 5 + int.from_bytes(data[3:5]):
            break
        if data[0] != 22:
            raise ValueError("not a handshake")
        length = int.from_bytes(data[3:5])
        made += data[5 : 5 + length]
        data = data[5 + length :]
    if len(made) < 4:
        raise Incomplete
    return made


def _name(extensions: bytes) -> str | None:
    while len(extensions) >= 4:
        kind, length = int.from_bytes(extensions[:2]), int.from_bytes(extensions[2:4])
        value, extensions = extensions[4 : 4 + length], extensions[4 + length :]
        if kind == 0 and len(value) >= 5:
            return value[5 : 5 + int.from_bytes(value[3:5])].decode("ascii", "replace")
    return None
