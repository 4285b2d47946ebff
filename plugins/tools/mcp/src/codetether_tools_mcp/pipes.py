"""The SDK's transport over the pipes of a process that an executor started, with a limit on what comes out of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from attrs import define
from codetether import Process

LINE = 16 * 1024 * 1024
"""Bytes of one message."""
NOISE = 1_000
"""Lines that are no messages; a server that writes more of them is ended."""
TAIL = 2_000
"""Bytes of standard error that are kept, to say why it ended."""
GRACE = 1.0
"""Seconds in which a server that closed its output may end by itself."""


@define
class Fate:
    """How a connection ended: `why` is empty while it lives, or where nothing is known.

    Attributes:
        stranger: the server refused us as one whom it does not know.
    """

    why: str = ""
    complaint: str = ""
    stranger: bool = False

    def __str__(self) -> str:
        last = self.complaint.strip()
        return f"{self.why}; its last words: {last}" if last else self.why


@asynccontextmanager
async def piped(process: Process, fate: Fate) -> AsyncIterator[tuple[Any, Any]]:
    """The streams of messages from and to the process, which ends with this."""
    from mcp.shared.message import SessionMessage

    arrived, incoming = anyio.create_memory_object_stream[Any](0)
    outgoing, sent = anyio.create_memory_object_stream[Any](0)
    leaving = False

    async def reading() -> None:
        async with arrived:
            try:
                async for message in _messages(process.output()):
                    await arrived.send(message)
                if not leaving:
                    fate.why = await _ended(process)
            except _Unbounded as error:
                fate.why = str(error)
            except anyio.BrokenResourceError:
                pass  # nobody listens any more

    async def writing() -> None:
        async with sent:
            async for message in sent:
                assert isinstance(message, SessionMessage)
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                with suppress(OSError):  # it has gone: the other task says why
                    await process.write(text.encode() + b"\n")

    async def listening() -> None:
        async for data in process.errors():
            fate.complaint = (fate.complaint + data.decode("utf-8", "replace"))[-TAIL:]

    async with anyio.create_task_group() as group:
        for part in (reading, writing, listening):
            group.start_soon(part)
        try:
            yield incoming, outgoing
        finally:
            leaving = True
            try:
                with anyio.CancelScope(shield=True):
                    await asyncio.shield(process.kill())  # whoever is in a hurry: it ends all the same
            finally:
                group.cancel_scope.cancel()
    await _drained(process)


class _Unbounded(Exception):
    """It writes more than anybody could mean."""


async def _messages(output: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    """What is a message of the protocol, line by line; what is none is passed over, up to a limit."""
    from mcp.shared.message import SessionMessage
    from mcp.types import jsonrpc_message_adapter

    noise = 0
    async for line in _lines(output):
        try:
            yield SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError:
            noise += bool(line.strip())
            if noise > NOISE:
                raise _Unbounded(f"it wrote more than {NOISE} lines that are no messages") from None


async def _lines(output: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    pieces: list[bytes] = []
    size = 0
    async for data in output:
        *whole, rest = data.split(b"\n")
        for line in whole:
            yield b"".join((*pieces, line))
            pieces, size = [], 0
        pieces.append(rest)
        size += len(rest)
        if size > LINE:
            raise _Unbounded(f"it wrote a line of more than {LINE} bytes")


async def _drained(process: Process) -> None:
    """Takes what is left in the pipes of a process that has ended, so that they close."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            for left in (process.output(), process.errors()):
                async for _ in left:
                    pass


async def _ended(process: Process) -> str:
    """How the process ended that has closed its output."""
    try:
        async with asyncio.timeout(GRACE):
            code = await process.wait()
    except TimeoutError:
        return "it closed its output"
    return f"it ended by signal {-code}" if code < 0 else f"it ended with exit code {code}"
