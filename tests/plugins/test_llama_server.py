"""Wires against a server that nobody here wrote: llama.cpp's own, with a small model, speaks three of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from attrs import frozen
from codetether import (
    AuthenticationFailed,
    CompletionRequest,
    CompletionResponse,
    ContextOverflow,
    Message,
    ModelRef,
    Provider,
    SamplingParams,
    Secret,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    user,
)
from codetether.session.assemble import Assembly
from codetether_provider_anthropic.wire import MessagesWire
from codetether_provider_openai.wire import ChatWire
from codetether_provider_responses.wire import ResponsesWire

KEY = "key-of-this-test"
WIRES: Mapping[str, tuple[type[Any], str]] = {
    "openai-chat": (ChatWire, "/v1"),
    "openai-responses": (ResponsesWire, "/v1"),
    "anthropic-messages": (MessagesWire, ""),
}
"""Each with what its base URL ends in."""
LIST = ToolDefinition(
    name="list",
    description="Lists the files of a folder.",
    schema={"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    llama = pytest.importorskip("xllamacpp")
    folder = Path(platformdirs.user_cache_path("codetether")) / "local"
    model = next(iter(sorted(folder.glob("*.gguf"))), None)
    if model is None:
        pytest.skip(f"no model in {folder}: `codetether models pull` fetches one")
    params = llama.CommonParams()
    params.model.path = str(model)
    params.n_ctx = 1024
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.cache_ram_mib = 0
    params.api_keys = [KEY]
    server = llama.Server(params)
    yield server.listening_address
    del server


@frozen
class Line:
    """A wire to the server."""

    wire: str
    address: str

    async def ask(
        self, *messages: Message, key: str = KEY, stream: bool = True, tools: tuple[ToolDefinition, ...] = ()
    ) -> CompletionResponse:
        made, ending = WIRES[self.wire]
        provider = Provider(
            name="llama",
            wire=self.wire,
            base_url=self.address + ending,
            secret=Secret(values={"api_key": key}),
            options={"stream": stream},
        )
        request = CompletionRequest(
            model=ModelRef(provider="llama", model="small"),
            messages=messages,
            tools=tools,
            system="Be brief.",
            sampling=SamplingParams(temperature=0.0, max_output_tokens=8),
        )
        assembly = Assembly("llama", "small")
        async with asyncio.timeout(60), await made().connect(provider) as connection:
            async for chunk in connection.stream(request):
                assembly.feed(chunk)
        return assembly.response()


@pytest.fixture(params=WIRES)
def line(request: pytest.FixtureRequest, address: str) -> Line:
    return Line(request.param, address)


async def test_it_answers_the_same_streamed_or_not(line: Line) -> None:
    streamed = await line.ask(user("Say hello."))
    whole = await line.ask(user("Say hello."), stream=False)
    assert streamed.message.text
    shown = repr(whole.message)  # without the ids that the server makes anew
    assert (repr(streamed.message), streamed.finish_reason) == (shown, whole.finish_reason)
    assert (streamed.usage.input_tokens, streamed.usage.output_tokens) == (
        whole.usage.input_tokens,
        whole.usage.output_tokens,
    )
    assert 0 < streamed.usage.output_tokens <= 8


async def test_it_takes_tools_and_their_results(line: Line) -> None:
    asked = Message(
        role="assistant", provider="llama", parts=(ToolCallPart(id="c1", name="list", arguments='{"path":"."}'),)
    )
    result = ToolResultPart(tool_call_id="c1", name="list", content=(TextPart(text="a.txt"),), success=True)
    told = Message(role="tool", parts=(result,))
    response = await line.ask(user("Which files are there?"), asked, told, tools=(LIST,))
    assert response.finish_reason in ("stop", "length", "tool_calls")
    assert response.message.text or response.tool_calls


async def test_its_errors_are_named(line: Line) -> None:
    with pytest.raises(AuthenticationFailed, match="llama answered 401: Invalid API Key"):
        await line.ask(user("hello"), key="another")
    with pytest.raises(ContextOverflow, match="llama answered 400"):
        await line.ask(user("word " * 3000))
