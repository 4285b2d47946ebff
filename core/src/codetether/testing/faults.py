"""Answers that no server should give, to try a wire on: each must end as a named error, in time, in little memory."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
import zlib
from contextlib import aclosing
from email.utils import formatdate
from functools import cache
from pathlib import Path
from typing import Any

from attrs import frozen

from codetether.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ContextOverflow,
    DeadlineExceeded,
    IncompleteResponse,
    InvalidRequest,
    MalformedResponse,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
)
from codetether.models.completion import CompletionRequest, ModelRef
from codetether.models.messages import user
from codetether.models.providers import Provider, Secret
from codetether.protocols import Connection, Wire
from codetether.session.assemble import Assembly
from codetether.testing.playback import Playback, Respond, chunked
from codetether.testing.trials import StreamTrial

STREAM = {"content-type": "text/event-stream"}
BODY = {"content-type": "application/json"}
KEY = "sk-faults-0123456789abcdef"
_BLOCK = 64 * 1024


@frozen(kw_only=True)
class Fault:
    """One fault: how the server answers (None: nobody listens) and the error that it must end as.

    Attributes:
        retry_after: the wait in seconds that the error must carry.
    """

    name: str
    respond: Respond | None
    raises: type[ProviderError]
    retry_after: float | None = None


@frozen(kw_only=True)
class Ending:
    """How a wire took a fault: the error (None: it took the answer for whole), seconds, growth in MiB, chunks."""

    error: ProviderError | None
    seconds: float
    grown: float
    chunks: int


async def endure(wire: Wire, fault: Fault, *, deadline: float = 2.0, name: str = "faulty") -> Ending:
    """Asks a server with the fault once. The key is `KEY`; the provider's timeout is `deadline` seconds."""
    request = CompletionRequest(model=ModelRef(provider=name, model="some"), messages=(user("hello"),))
    async with Playback(fault.respond) as server:
        base_url = server.base_url if fault.respond is not None else "http://127.0.0.1:9/v1"
        secret = Secret(values={"api_key": KEY}, source="faults")
        provider = Provider(name=name, wire="", base_url=base_url, secret=secret, timeout=deadline)
        connection: Any = await wire.connect(provider)
        async with connection:
            return await _measured(connection, request)


async def _measured(connection: Connection, request: CompletionRequest) -> Ending:
    chunks, error, assembly = 0, None, Assembly("faulty", request.model.model)
    before, began = _reset_peak(), time.perf_counter()
    try:
        async with aclosing(connection.stream(request)) as answer:  # type: ignore[type-var]
            async for chunk in answer:
                assembly.feed(chunk)
                chunks += 1
    except ProviderError as raised:
        error = raised
    return Ending(error=error, seconds=time.perf_counter() - began, grown=_peak() - before, chunks=chunks)


def _reset_peak() -> float:
    """Forgets the peak of this process's memory where the system can; the peak or the present use, in MiB."""
    if not sys.platform.startswith("linux"):
        return _peak()
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    if not sys.platform.startswith("linux"):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def faults(stream: StreamTrial | None = None) -> list[Fault]:
    """Faults of HTTP that mean the same on every wire, in streams framed as the wire frames them."""
    shape = stream or StreamTrial()
    return [*_connections(shape), *_statuses(), *_waits(), *_bodies(shape), *_sizes(shape)]


def says(data: bytes) -> Respond:
    """Writes the bytes."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return respond


def streams(*pieces: bytes, media_type: str = "text/event-stream") -> Respond:
    """A whole stream of these pieces."""
    return says(chunked(200, {"content-type": media_type}, pieces))


def _ends(data: bytes, *, abort: bool = False) -> Respond:
    """Writes the bytes and closes the connection, or resets it."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if abort:
            await asyncio.sleep(0.02)
            writer.transport.abort()
        writer.close()

    return respond


def forever(begin: bytes, block: bytes, *, pause: float = 0.0, times: int = 1 << 40) -> Respond:
    """The beginning (see `head`), then the block in chunked encoding, again and again."""
    piece = b"%x\r\n%b\r\n" % (len(block), block)

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        for _ in range(times):
            if writer.is_closing():
                return
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        writer.write(b"0\r\n\r\n")

    return respond


async def _silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


def head(status: int, **headers: str) -> bytes:
    """The head of an answer in chunked encoding; `content_type` means content-type."""
    return chunked(status, {name.replace("_", "-"): value for name, value in headers.items()}, (), end=False)


def _connections(shape: StreamTrial) -> list[Fault]:
    cut = chunked(200, {"content-type": shape.media_type}, [shape.idle], end=False)
    return [
        Fault(name="refused", respond=None, raises=ConnectionFailed),
        Fault(name="closed at once", respond=_ends(b""), raises=ConnectionFailed),
        Fault(name="reset at once", respond=_ends(b"", abort=True), raises=ConnectionFailed),
        Fault(name="no HTTP", respond=_ends(b"220 smtp.example ESMTP\r\n"), raises=ConnectionFailed),
        Fault(name="reset within a stream", respond=_ends(cut, abort=True), raises=IncompleteResponse),
        Fault(name="closed within a stream", respond=_ends(cut), raises=IncompleteResponse),
        Fault(name="a chunk without a size", respond=_ends(cut + b"zz\r\n"), raises=IncompleteResponse),
        Fault(
            name="closed within a body",
            respond=_ends(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"a":'),
            raises=IncompleteResponse,
        ),
        Fault(name="silent", respond=_silence, raises=DeadlineExceeded),
        Fault(name="silent within a stream", respond=says(cut), raises=DeadlineExceeded),
        Fault(
            name="comments for ever",
            respond=forever(head(200, content_type=shape.media_type), shape.idle, pause=0.02),
            raises=DeadlineExceeded,
        ),
    ]


def _statuses() -> list[Fault]:
    kinds: dict[int, type[ProviderError]] = {401: AuthenticationFailed, 402: QuotaExhausted, 403: AuthenticationFailed}
    kinds |= {408: DeadlineExceeded, 409: ServerFailed, 413: ContextOverflow, 425: ServerFailed, 429: RateLimited}
    kinds |= {504: DeadlineExceeded}
    known = (*range(400, 419), 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, *range(500, 512), 520, 529, 599)
    answers = [
        Fault(
            name=f"{status}",
            respond=says(chunked(status, BODY, [b'{"error":{"message":"no"}}'])),
            raises=kinds.get(status, InvalidRequest if status < 500 else ServerFailed),
        )
        for status in known
    ]
    page = [b"<!doctype html><title>Bad gateway</title>"]
    html = {"content-type": "text/html"}
    elsewhere = {"location": "http://127.0.0.1:9/steal"}
    return [
        *answers,
        Fault(name="502 in HTML", respond=says(chunked(502, html, page)), raises=ServerFailed),
        Fault(name="200 in HTML", respond=says(chunked(200, html, page)), raises=MalformedResponse),
        Fault(name="200 of no type", respond=says(chunked(200, {}, page)), raises=MalformedResponse),
        Fault(name="a redirect", respond=says(chunked(307, elsewhere, [])), raises=InvalidRequest),
    ]


def _waits() -> list[Fault]:
    def limited(headers: dict[str, str], wait: float | None, name: str) -> Fault:
        respond = says(chunked(429, {**BODY, **headers}, [b'{"error":{"message":"slow down"}}']))
        return Fault(name=name, respond=respond, raises=RateLimited, retry_after=wait)

    return [
        limited({}, None, "429 without a wait"),
        limited({"retry-after": "7"}, 7.0, "429 with seconds"),
        limited({"retry-after-ms": "1500", "retry-after": "2"}, 1.5, "429 with milliseconds"),
        limited({"retry-after": formatdate(time.time() - 60, usegmt=True)}, 0.0, "429 with a date gone by"),
        limited({"retry-after": "soon"}, None, "429 with nonsense"),
        limited({"retry-after": "-5"}, None, "429 with a wait below zero"),
    ]


def _bodies(shape: StreamTrial) -> list[Fault]:
    deep = b"[" * 10_000 + b"]" * 10_000
    odd = {
        "an event of no JSON": b"ok",
        "an event of a number": b"1",
        "an event of bad UTF-8": b'{"a":"\xff\xfe"}',
        "an event with a NUL": b'{"a":"\0"}',
        "an event of 10,000 levels": deep,
    }

    def streamed(*pieces: bytes) -> Respond:
        return streams(*pieces, media_type=shape.media_type)

    return [
        Fault(name="an empty stream", respond=streamed(), raises=IncompleteResponse),
        Fault(name="an empty body", respond=says(chunked(200, BODY, [])), raises=MalformedResponse),
        Fault(name="a body of no JSON", respond=says(chunked(200, BODY, [b"ok"])), raises=MalformedResponse),
        Fault(name="a body of null", respond=says(chunked(200, BODY, [b"null"])), raises=MalformedResponse),
        Fault(name="a body of 10,000 levels", respond=says(chunked(200, BODY, [deep])), raises=MalformedResponse),
        *(Fault(name=name, respond=streamed(shape.event(d)), raises=MalformedResponse) for name, d in odd.items()),
        Fault(name="half an event", respond=streamed(shape.event(b'{"a":12345}')[:-8]), raises=IncompleteResponse),
    ]


@cache
def _bomb() -> bytes:
    """64 MiB of zeros, packed."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join([*(packer.compress(bytes(_BLOCK)) for _ in range(1024)), packer.flush()])


def _bombs(status: int, kind: str) -> Respond:
    began = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-encoding: gzip\r\n"
    return says(f"{began}content-length: {len(_bomb())}\r\n\r\n".encode() + _bomb())


def _sizes(shape: StreamTrial) -> list[Fault]:
    stream, body = head(200, content_type=shape.media_type), head(200, content_type="application/json")
    began = b"%x\r\n%b\r\n" % (len(shape.opening), shape.opening)
    return [
        Fault(
            name="a line of 64 MB",
            respond=forever(stream + began, b"a" * _BLOCK, times=1024),
            raises=MalformedResponse,
        ),
        Fault(name="an endless body", respond=forever(body, b"[" * _BLOCK), raises=MalformedResponse),
        Fault(name="an endless error", respond=forever(head(500), b"a" * _BLOCK), raises=ServerFailed),
        Fault(name="endless headers", respond=forever(b"HTTP/1.1 200 OK\r\n", b"a" * 99), raises=ConnectionFailed),
        Fault(name="a bomb in a stream", respond=_bombs(200, shape.media_type), raises=MalformedResponse),
        Fault(name="a bomb in a body", respond=_bombs(200, "application/json"), raises=MalformedResponse),
        Fault(name="a bomb in an error", respond=_bombs(500, "application/json"), raises=ServerFailed),
    ]
