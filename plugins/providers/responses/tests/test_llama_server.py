"""The wire against a server that nobody here wrote: llama.cpp's own, with a small model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs
import pytest
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
from codetether_provider_responses.wire import ResponsesWire

KEY = "key-of-this-test"
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
    yield f"{server.listening_address}/v1"
    del server


async def ask(
    address: str, *messages: Message, key: str = KEY, stream: bool = True, **fields: Any
) -> CompletionResponse:
    provider = Provider(
        name="llama",
        wire="openai-responses",
        base_url=address,
        secret=Secret(values={"api_key": key}),
        options={"stream": stream},
    )
    sampling = SamplingParams(temperature=0.0, max_output_tokens=8)
    ref = ModelRef(provider="llama", model="small")
    request = CompletionRequest(model=ref, messages=messages, system="Be brief.", sampling=sampling, **fields)
    assembly = Assembly("llama", "small")
    async with asyncio.timeout(60), await ResponsesWire().connect(provider) as connection:
        async for chunk in connection.stream(request):
            assembly.feed(chunk)
    return assembly.response()


async def test_it_answers_the_same_streamed_or_not(address: str) -> None:
    streamed = await ask(address, user("Say hello."))
    whole = await ask(address, user("Say hello."), stream=False)
    assert streamed.message.text
    assert (streamed.message.text, streamed.finish_reason) == (whole.message.text, whole.finish_reason)
    assert (streamed.usage.input_tokens, streamed.usage.output_tokens) == (
        whole.usage.input_tokens,
        whole.usage.output_tokens,
    )
    assert 0 < streamed.usage.output_tokens <= 8


async def test_it_takes_tools_and_their_results(address: str) -> None:
    asked = Message(
        role="assistant", provider="llama", parts=(ToolCallPart(id="c1", name="list", arguments='{"path":"."}'),)
    )
    result = ToolResultPart(tool_call_id="c1", name="list", content=(TextPart(text="a.txt"),), success=True)
    told = Message(role="tool", parts=(result,))
    response = await ask(address, user("Which files are there?"), asked, told, tools=(LIST,))
    assert response.finish_reason in ("stop", "length", "tool_calls")
    assert response.message.text or response.tool_calls


async def test_its_errors_are_named(address: str) -> None:
    with pytest.raises(AuthenticationFailed, match="llama answered 401: Invalid API Key"):
        await ask(address, user("hello"), key="another")
    with pytest.raises(ContextOverflow, match="llama answered 400"):
        await ask(address, user("word " * 3000))
