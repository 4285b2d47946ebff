"""The program by which the kernel judges each system call of a command: classic BPF, made here, loaded by others."""

from __future__ import annotations

import errno
import struct
from collections.abc import Collection, Iterable

from codetether_executor_sandbox.syscalls import FORBIDDEN, Architecture

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""
_LOAD, _EQUAL, _AT_LEAST, _BITS, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
ALLOW: Instruction = (_RETURN, 0, 0, 0x7FFF0000)
NEW_NAMESPACES = 0x7E020080
"""The flags of clone and unshare that make a namespace of any kind."""
TERMINAL = (0x5412, 0x541C)
"""TIOCSTI, TIOCLINUX: they type on a terminal."""
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_STREAM, _DATAGRAM = 1, 2
_TCP, _UDP = 6, 17


def _refuse(number: int) -> Instruction:
    return (_RETURN, 0, 0, 0x00050000 | number)


REFUSE = _refuse(errno.EPERM)


def _load(index: int) -> Instruction:
    """The lower half of an argument; the kernel looks at no more of those that are judged here."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index)


def _when(value: int, body: Iterable[Instruction], code: int = _EQUAL) -> list[Instruction]:
    """The body, which returns, where the accumulator is the value."""
    made = list(body)
    return [(code, 0, len(made), value), *made]


def _sockets(domains: Collection[str]) -> list[Instruction]:
    """What `socket` may open: of each family only the plain kinds, each with its own protocol."""
    made = [_load(0)]
    if "unix" in domains:
        made += _when(_UNIX, [ALLOW])
    if "route" in domains:
        made += _when(_NETLINK, [_load(2), *_when(0, [ALLOW]), REFUSE])
    kinds = [(kind, protocol) for name, kind, protocol in _KINDS if name in domains]
    for family in (_INET, _INET6) if kinds else ():
        body = [_load(1), (_AND, 0, 0, 0xF)]
        for kind, protocol in kinds:
            body += _when(kind, [_load(2), *_when(0, [ALLOW]), *_when(protocol, [ALLOW]), REFUSE])
        made += _when(family, [*body, REFUSE])
    return [*made, REFUSE]


_KINDS = (("tcp", _STREAM, _TCP), ("udp", _DATAGRAM, _UDP))


def program(architecture: Architecture, sockets: Collection[str]) -> tuple[Instruction, ...]:
    """The filter: all is allowed but what is named here, which fails with EPERM.

    `sockets`: of `tcp`, `udp`, `unix` and `route` (netlink's, to list one's own addresses), those that may be opened.
    Pairs of Unix sockets can always be had.
    """
    number = architecture.numbers
    made: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture.audit),
        _refuse(errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if architecture.foreign_bit:
        made += _when(architecture.foreign_bit, [_refuse(errno.ENOSYS)], _AT_LEAST)
    for name in FORBIDDEN:
        if name in number:
            made += _when(number[name], [REFUSE])
    made += _when(number["clone3"], [_refuse(errno.ENOSYS)])  # its flags cannot be seen; libc then asks for clone
    for name in ("clone", "unshare"):
        made += _when(number[name], [_load(0), *_when(NEW_NAMESPACES, [REFUSE], _BITS), ALLOW])
    typing = [instruction for code in TERMINAL for instruction in _when(code, [REFUSE])]
    made += _when(number["ioctl"], [_load(1), *typing, ALLOW])
    made += _when(number["socketpair"], [_load(0), *_when(_UNIX, [ALLOW]), REFUSE])
    made += _when(number["socket"], _sockets(sockets))
    return (*made, ALLOW)


def packed(instructions: Iterable[Instruction]) -> bytes:
    """As the kernel, and bubblewrap's `--seccomp`, take it."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
