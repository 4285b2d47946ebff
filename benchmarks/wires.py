"""What reading a streamed answer costs on each wire, beside the vendors' own clients and beside httpx alone."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import Any

import httpx
from attrs import frozen
from codetether import CompletionRequest, ModelRef, Provider, Secret, TextDelta, user
from codetether.testing.playback import Playback

from benchmarks.figures import Figure
from benchmarks.yardsticks import Yardsticks

DELTAS = 2000
ASKED = 20
"""Answers of which the time to the first text is taken, in one round."""
KEY = "sk-0123456789abcdef"
SSE = {"content-type": "text/event-stream"}

Read = Callable[[str], Awaitable[None]]
"""Reads one answer to its end from a server at this base URL."""


def _event(body: Mapping[str, Any], name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(body, separators=(',', ':'))}\n\n".encode()


def _chat() -> Iterator[bytes]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    for _ in range(DELTAS):
        yield _event({**head, "choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield b"data: [DONE]\n\n"


def _responses() -> Iterator[bytes]:
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    content = {"type": "output_text", "text": " word" * DELTAS, "annotations": [], "logprobs": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [content]}
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    bodies: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**response, "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {**place, "type": "response.content_part.added", "part": {**content, "text": ""}},
        *({**place, "type": "response.output_text.delta", "delta": " word", "logprobs": []} for _ in range(DELTAS)),
        {**place, "type": "response.output_text.done", "text": content["text"], "logprobs": []},
        {**place, "type": "response.content_part.done", "part": content},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {**response, "status": "completed", "output": [item]}},
    ]
    for number, body in enumerate(bodies):
        yield _event({**body, "sequence_number": number}, body["type"])


def _messages() -> Iterator[bytes]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    delta = {"type": "text_delta", "text": " word"}
    bodies: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for _ in range(DELTAS)),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return (_event(body, body["type"]) for body in bodies)


def _generated() -> Iterator[bytes]:
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    content = {"parts": [{"text": " word"}], "role": "model"}
    for _ in range(DELTAS):
        yield _event({"candidates": [{"content": content, "index": 0}], "usageMetadata": usage, "modelVersion": "m"})
    last = {"candidates": [{"content": content, "index": 0, "finishReason": "STOP"}], "usageMetadata": usage}
    yield _event({**last, "modelVersion": "m"})


async def _read_openai(url: str) -> None:
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key=KEY) as client:
        messages: Any = [{"role": "user", "content": "hello"}]
        async for _ in await client.chat.completions.create(model="m", messages=messages, stream=True):
            pass


async def _read_responses(url: str) -> None:
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key=KEY) as client:
        async for _ in await client.responses.create(model="m", input="hello", stream=True):
            pass


async def _read_anthropic(url: str) -> None:
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(base_url=url, api_key=KEY) as client:
        messages: Any = [{"role": "user", "content": "hello"}]
        async for _ in await client.messages.create(model="m", messages=messages, max_tokens=10, stream=True):
            pass


async def _read_google(url: str) -> None:
    from google import genai
    from google.genai import types

    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url)).aio
    async for _ in await client.models.generate_content_stream(model="m", contents="hello"):
        pass
    await client.aclose()


@frozen(kw_only=True)
class Case:
    """A wire, a stream that it reads, and the vendor's own client that reads the same one."""

    name: str
    made_by: str
    stream: Callable[[], Iterable[bytes]]
    client: str
    read: Read


CASES = (
    Case(
        name="openai-chat",
        made_by="codetether_provider_openai.wire:ChatWire",
        stream=_chat,
        client="openai",
        read=_read_openai,
    ),
    Case(
        name="openai-responses",
        made_by="codetether_provider_responses.wire:ResponsesWire",
        stream=_responses,
        client="openai",
        read=_read_responses,
    ),
    Case(
        name="anthropic-messages",
        made_by="codetether_provider_anthropic.wire:MessagesWire",
        stream=_messages,
        client="anthropic",
        read=_read_anthropic,
    ),
    Case(
        name="google-generate-content",
        made_by="codetether_provider_google.wire:GenerateWire",
        stream=_generated,
        client="google.genai",
        read=_read_google,
    ),
)


def wires(_: Yardsticks, rounds: int) -> Iterator[Figure]:
    """CPU for each streamed delta, and the time to the first text."""
    for case in CASES:
        ours, theirs, size = asyncio.run(_deltas(case, rounds))
        speed = size / (min(ours) * DELTAS)
        yield Figure(
            name=f"delta, {case.name} ({speed:.0f} MB/s) and {case.client}",
            unit="us CPU",
            ours=ours,
            floor=theirs,
            bar=1,
        )
    for case in CASES:
        waited, bare = asyncio.run(_first_text(case, rounds))
        yield Figure(name=f"first text, {case.name} and httpx", unit="ms", ours=waited, floor=bare, bar=2)


async def _deltas(case: Case, rounds: int) -> tuple[list[float], list[float], int]:
    """Microseconds a delta for our wire and for the vendor's client, and the bytes of the stream."""
    data = b"".join(case.stream())
    ours, theirs = [], []
    async with Playback() as server:
        server.play(200, SSE, [data[at : at + 16384] for at in range(0, len(data), 16384)])
        for number in range(rounds + 1):
            began = time.process_time()
            await _read(case, server.base_url)
            between = time.process_time()
            await case.read(server.base_url)
            if number:  # the first one imports
                ours.append((between - began) / DELTAS * 1e6)
                theirs.append((time.process_time() - between) / DELTAS * 1e6)
    return ours, theirs, len(data)


async def _first_text(case: Case, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds until the first text, on a line that is there already, and until httpx alone has read its bytes."""
    waited, bare = [], []
    async with Playback() as server:
        server.play(200, SSE, case.stream())
        wire = _wire(case)
        async with await wire.connect(_provider(case, server.base_url)) as line, httpx.AsyncClient() as client:
            for number in range(rounds + 1):
                times = [await _until_text(line.stream(_request(case))) for _ in range(ASKED)]
                floors = [await _until_bytes(client, server.base_url) for _ in range(ASKED)]
                if number:
                    waited.append(min(times) * 1000)
                    bare.append(min(floors) * 1000)
    return waited, bare


async def _until_text(chunks: AsyncIterator[Any]) -> float:
    began, first = time.perf_counter(), 0.0
    async with aclosing(chunks) as stream:  # type: ignore[type-var]
        async for chunk in stream:
            if isinstance(chunk, TextDelta) and not first:
                first = time.perf_counter() - began
    return first


async def _until_bytes(client: httpx.AsyncClient, url: str) -> float:
    began, first = time.perf_counter(), 0.0
    async with client.stream("POST", url, json={"model": "m", "messages": []}) as answer:
        async for _ in answer.aiter_raw():
            first = first or time.perf_counter() - began
    return first


async def _read(case: Case, url: str) -> None:
    async with await _wire(case).connect(_provider(case, url)) as line:
        await _until_text(line.stream(_request(case)))


def _wire(case: Case) -> Any:
    module, _, name = case.made_by.partition(":")
    return getattr(importlib.import_module(module), name)()


def _provider(case: Case, url: str) -> Provider:
    return Provider(name="bench", wire=case.name, base_url=url, secret=Secret(values={"api_key": KEY}))


def _request(case: Case) -> CompletionRequest:
    return CompletionRequest(model=ModelRef(provider="bench", model="m"), messages=(user("hello"),))
