"""A server on loopback that gives recorded answers, in the very pieces that it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from attrs import define, field

_OWN_HEADERS = ("content-length", "transfer-encoding", "connection", "content-encoding")


@define
class Playback:
    """Answers requests under `base_url` with one recorded answer; keeps the bodies that it was sent.

    Each piece is a chunk of its own in HTTP's chunked encoding, so a client sees the same pieces however the
    network joins them.
    """

    requests: list[bytes] = field(factory=list, init=False)
    base_url: str = field(default="", init=False)
    _answer: bytes = field(default=b"", init=False)
    _server: asyncio.Server | None = field(default=None, init=False)
    _tasks: set[asyncio.Task[None]] = field(factory=set, init=False)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 22)
        port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def load(self, status: int, headers: Mapping[str, str], pieces: Iterable[bytes]) -> None:
        """What is answered from now on."""
        head = [f"HTTP/1.1 {status} X", "transfer-encoding: chunked"]
        head += [f"{name}: {value}" for name, value in headers.items() if name.lower() not in _OWN_HEADERS]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
        self._answer = "\r\n".join([*head, "", ""]).encode() + chunks + b"0\r\n\r\n"
        self.requests.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                self.requests.append(await reader.readexactly(size))
                writer.write(self._answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is done, or we are
        finally:
            writer.close()
