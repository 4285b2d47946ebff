"""The chain: every line ends with its number, the MAC of the line before and its own over all that precedes it."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

GENESIS = b"0" * 64
"""Stands for the line before the first."""

_ENDING = re.compile(rb',"seq":(\d{1,18}),"prev":"([0-9a-f]{64})","mac":"([0-9a-f]{64})"\}')
_ENDING_MOST = 256


class Link(NamedTuple):
    """What a line says of its place.

    Attributes:
        seq: its number, from 1. prev: the MAC of the line before. mac: its own, over its first `signed` bytes.
    """

    seq: int
    prev: bytes
    mac: bytes
    signed: int


def link_of(line: bytes) -> Link | None:
    """The link at the end of a line without its line end; None where there is none."""
    found = _ENDING.search(line, max(0, len(line) - _ENDING_MOST))
    if found is None or found.end() != len(line):
        return None
    return Link(int(found[1]), found[2], found[3], found.start(3) - len(b',"mac":"'))


def mac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256 as 64 hexadecimal digits."""
    return hmac.digest(key, data, hashlib.sha256).hex().encode()


class Chain:
    """Links lines to those before them.

    What stands there without links (a log of an earlier version) is covered by the first link, which holds the MAC of
    all of it in place of the line before.
    """

    def __init__(self, key: bytes, before: Callable[[], Iterable[bytes]]) -> None:
        """`before` gives every line of the stream so far: asked only where the last one is not linked."""
        self._key = key
        self._before = before
        self._last = (b"", 1, GENESIS)  # the last line that was linked here, and what follows it

    def link(self, lines: bytes, last: bytes) -> bytes:
        """The lines (JSON objects, each with its line end), linked to the stream's last line."""
        seq, prev = self._after(last)
        made = []
        for line in lines.splitlines():
            data = b'%b,"seq":%d,"prev":"%b"' % (line[:-1], seq, prev)
            prev = mac(self._key, data)
            made.append(b'%b,"mac":"%b"}\n' % (data, prev))
            seq += 1
        self._last = (made[-1][:-1], seq, prev)
        return b"".join(made)

    def _after(self, last: bytes) -> tuple[int, bytes]:
        if last == self._last[0]:
            return self._last[1:]
        if not last:
            return 1, GENESIS
        if link := link_of(last):
            return link.seq + 1, link.mac
        digest, count = hmac.new(self._key, digestmod=hashlib.sha256), 0
        for line in self._before():
            digest.update(line)
            count += 1
        return count + 1, digest.hexdigest().encode()
