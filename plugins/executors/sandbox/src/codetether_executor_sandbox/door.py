"""Joins a command inside, which has no network, with the proxy outside."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

from codetether_executor_sandbox.proxy import Proxy


@define(kw_only=True)
class Door:
    """A line over which the command hands out the socket on which it listens for itself.

    Attributes:
        theirs: the end that the command inherits.
    """

    proxy: Proxy
    theirs: int
    _line: socket.socket
    _serving: asyncio.Task[None] | None = field(default=None, init=False)

    def wrapped(self, python: str, command: Sequence[str]) -> list[str]:
        """The command behind a small program that opens the door."""
        source = Path(__file__).with_name("entrance.py").read_text()
        return [python, "-I", "-S", "-c", source, str(self.theirs), *command]

    def _handed_out(self) -> None:
        asyncio.get_running_loop().remove_reader(self._line)
        data, descriptors, _, _ = socket.recv_fds(self._line, 1, 1)
        if data and descriptors:
            self._serving = asyncio.create_task(self.proxy.serve(socket.socket(fileno=descriptors[0])))


@contextmanager
def opened(proxy: Proxy) -> Iterator[Door]:
    """A door, shut with all its tunnels when the command has ended."""
    ours, theirs = socket.socketpair()
    door = Door(proxy=proxy, theirs=theirs.detach(), line=ours)
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, door._handed_out)
    try:
        yield door
    finally:
        loop.remove_reader(ours)
        ours.close()
        os.close(door.theirs)
        if door._serving is not None:
            door._serving.cancel()
