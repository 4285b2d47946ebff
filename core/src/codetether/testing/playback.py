"""A server on loopback that gives a client the very bytes that a test wants it to get."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from attrs import define, field

Respond = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""Writes one answer, head and all; a writer that it closes ends the connection."""

_OWN_HEADERS = ("content-length", "transfer-encoding", "connection", "content-encoding")


@define
class Playback:
    """Answers every request under `base_url` as `respond` does.

    Attributes:
        requests: the bodies that it was sent, oldest first. heads: what came before them, lower-cased.
    """

    respond: Respond | None = None
    requests: list[bytes] = field(factory=list, init=False)
    heads: list[str] = field(factory=list, init=False)
    base_url: str = field(default="", init=False)
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

    def play(self, status: int, headers: Mapping[str, str], pieces: Iterable[bytes]) -> None:
        """From now on answers with these pieces, and forgets what it was sent before.

        Each piece is a chunk of its own in HTTP's chunked encoding, so a client sees the same pieces however the
        network joins them.
        """
        answer = chunked(status, headers, pieces)

        async def respond(writer: asyncio.StreamWriter) -> None:
            writer.write(answer)

        self.respond = respond
        self.requests.clear()
        self.heads.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                size = head.partition("content-length:")[2].partition("\r\n")[0]
                self.heads.append(head)
                self.requests.append(await reader.readexactly(int(size or 0)))
                if self.respond is not None:
                    await self.respond(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is done, or we are
        finally:
            writer.close()


def chunked(status: int, headers: Mapping[str, str], pieces: Iterable[bytes], *, end: bool = True) -> bytes:
    """An answer in chunked encoding, a chunk for each piece; `end`: with the chunk that ends it."""
    head = [f"HTTP/1.1 {status} X", "transfer-encoding: chunked"]
    head += [f"{name}: {value}" for name, value in headers.items() if name.lower() not in _OWN_HEADERS]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return "\r\n".join([*head, "", ""]).encode() + chunks + (b"0\r\n\r\n" if end else b"")
