"""How fast streams are read: CPU for each delta and megabytes a second, from the network's bytes to chunks.

python benchmarks/stream_parsing.py            # prints one JSON line for each measurement
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from contextlib import aclosing

from codetether import CompletionRequest, ModelRef, Provider, user
from codetether.session.assemble import Assembly
from codetether.testing.playback import Playback
from codetether_http import EventSplitter
from codetether_provider_openai.parser import ChatParser
from codetether_provider_openai.wire import ChatWire

DELTAS = 20_000
EVENT = {
    "id": "chatcmpl-CtKuMwXDcdTsJJuPNSL2PH1CkZcyp",
    "object": "chat.completion.chunk",
    "created": 1767033750,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "system_fingerprint": "fp_deacdd5f6f",
    "choices": [{"index": 0, "delta": {"content": " word"}, "logprobs": None, "finish_reason": None}],
    "usage": None,
    "obfuscation": "lDPw9X0lQ6",
}
DATA = (b"data: " + json.dumps(EVENT, separators=(",", ":")).encode() + b"\n\n") * DELTAS + b"data: [DONE]\n\n"


def reads(size: int) -> Iterable[bytes]:
    """The stream in network reads of so many bytes."""
    return (DATA[start : start + size] for start in range(0, len(DATA), size))


def codec(size: int) -> None:
    """Bytes to chunks, without a network."""
    splitter, parser = EventSplitter(), ChatParser("openai")
    for data in reads(size):
        for event in splitter.feed(data):
            parser.feed(event)


def assembled(size: int) -> None:
    """Bytes to a whole response, without a network."""
    splitter, parser, assembly = EventSplitter(), ChatParser("openai"), Assembly("openai", "m")
    for data in reads(size):
        for event in splitter.feed(data):
            for chunk in parser.feed(event):
                assembly.feed(chunk)
    assembly.response()


async def connected(size: int) -> float:
    """CPU seconds from a socket on loopback to chunks, the server's own few included."""
    request = CompletionRequest(model=ModelRef(provider="openai", model="m"), messages=(user("hello"),))
    async with Playback() as server:
        server.play(200, {"content-type": "text/event-stream"}, reads(size))
        provider = Provider(name="openai", wire="openai-chat", base_url=server.base_url)
        async with await ChatWire().connect(provider) as connection:
            best = 1e9
            for _ in range(5):
                began = time.process_time()
                async with aclosing(connection.stream(request)) as chunks:
                    async for _ in chunks:
                        pass
                best = min(best, time.process_time() - began)
            return best


def best(call: Callable[[int], None], size: int) -> float:
    """CPU seconds of the best of five runs."""
    times = []
    for _ in range(5):
        began = time.process_time()
        call(size)
        times.append(time.process_time() - began)
    return min(times)


def show(name: str, size: int, seconds: float) -> None:
    """One line of results."""
    result = {"what": name, "read_bytes": size, "us_per_delta": round(seconds / DELTAS * 1e6, 2)}
    print(json.dumps({**result, "mb_per_s": round(len(DATA) / seconds / 1e6, 1)}))


if __name__ == "__main__":
    for read_bytes in (65_536, 1_400, len(DATA) // DELTAS):
        show("codec", read_bytes, best(codec, read_bytes))
        show("codec and assembly", read_bytes, best(assembled, read_bytes))
        show("connection", read_bytes, asyncio.run(connected(read_bytes)))
