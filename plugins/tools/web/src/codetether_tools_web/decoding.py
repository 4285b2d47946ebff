"""Unpacks what a server sends, no further than anybody wants it."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import brotli  # type: ignore[import-untyped]

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from codetether_tools_web.failures import Refused

ACCEPTED = "gzip, deflate, br, zstd"
BLOCK = 64 * 1024
DEEPEST = 3
"""Encodings laid over each other."""
WINDOW: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}
"""Of zstd: the 8 MB that HTTP allows."""
WORK = 4
"""How many times the limit may pass through all layers together."""


class Body:
    """The bytes of an answer, unpacked as they come.

    Args:
        encoding: the header `content-encoding`.
        limit: bytes that are kept; what follows is not even unpacked.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        names = [name for word in encoding.lower().split(",") if (name := word.strip()) not in ("", "identity")]
        if len(names) > DEEPEST:
            raise Refused(f"the answer is packed {len(names)} times over")
        self._layers = [_layer(name) for name in reversed(names)]
        self._limit = limit
        self._passed = 0
        self._data = bytearray()
        self.full = False

    @property
    def data(self) -> bytes:
        """What was kept. Raises Refused where a layer is not whole."""
        if not self.full and any(not layer.whole for layer in self._layers):
            raise Refused("the answer ends in the middle of packed data")
        return bytes(self._data)

    def feed(self, data: bytes) -> None:
        """Takes more bytes of the answer. Raises Refused for what cannot be unpacked."""
        try:
            for piece in self._through(data, self._layers):
                self._data += piece
                if len(self._data) > self._limit:
                    del self._data[self._limit :]
                    self.full = True
                    return
        except (zlib.error, brotli.error, zstd.ZstdError) as error:
            raise Refused(f"the answer cannot be unpacked: {error}") from error

    def _through(self, data: bytes, layers: Sequence[_Layer]) -> Iterator[bytes]:
        self._passed += len(data)
        if self._passed > self._limit * WORK + BLOCK:
            raise Refused("the answer is packed data without an end")
        if not layers:
            yield data
            return
        for piece in layers[0].unpacked(data):
            yield from self._through(piece, layers[1:])


class _Layer(Protocol):
    """One encoding."""

    @property
    def whole(self) -> bool:
        """Whether its end was seen, or nothing ever came."""

    def unpacked(self, data: bytes) -> Iterator[bytes]:
        """What the data unpacks to, a block at a time; what follows the end is left."""


def _layer(name: str) -> _Layer:
    match name:
        case "gzip" | "x-gzip" | "deflate":
            return _Zlib(bare=name == "deflate")
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
        case _:
            raise Refused(f"the answer is packed with {name[:20]!r}, which was not asked for")


class _Zlib:
    def __init__(self, *, bare: bool) -> None:
        self._bare = bare
        self._began = b""
        self._machine: Any = None

    @property
    def whole(self) -> bool:
        return self._machine.eof if self._machine is not None else not self._began

    def unpacked(self, data: bytes) -> Iterator[bytes]:
        if self._machine is None:
            self._began += data
            if len(self._began) < 2:
                return
            data, self._began = self._began, b""
            self._machine = zlib.decompressobj(31 if not self._bare else 15 if _wrapped(data) else -15)
        piece = b""
        while not self._machine.eof and (data or len(piece) == BLOCK):
            if piece := self._machine.decompress(data, BLOCK):
                yield piece
            data = self._machine.unconsumed_tail


class _Brotli:
    def __init__(self) -> None:
        self._machine = brotli.Decompressor()
        self._began = False

    @property
    def whole(self) -> bool:
        return self._machine.is_finished() or not self._began

    def unpacked(self, data: bytes) -> Iterator[bytes]:
        self._began = self._began or bool(data)
        while not self._machine.is_finished():
            if piece := self._machine.process(data, output_buffer_limit=BLOCK):
                yield piece
            elif self._machine.can_accept_more_data():
                return
            data = b""


class _Zstd:
    """Several frames follow each other as one."""

    def __init__(self) -> None:
        self._machine = zstd.ZstdDecompressor(options=WINDOW)
        self._began = False

    @property
    def whole(self) -> bool:
        return self._machine.eof or not self._began

    def unpacked(self, data: bytes) -> Iterator[bytes]:
        self._began = self._began or bool(data)
        while data or not (self._machine.eof or self._machine.needs_input):
            if self._machine.eof:
                self._machine = zstd.ZstdDecompressor(options=WINDOW)
            if piece := self._machine.decompress(data, BLOCK):
                yield piece
            data = self._machine.unused_data


def _wrapped(data: bytes) -> bool:
    """Whether `deflate` means what its standard says, with a header; many servers send it bare."""
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
