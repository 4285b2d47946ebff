"""What is really sent to a vendor, on a loopback server in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from codetether import Runtime, ToolCallPart, Usage
from codetether.testing.playback import Playback
from codetether_provider_openai.render import short_id
from codetether_provider_vendors.plugin import codetether_providers

SPECS = {spec.name: spec for spec in codetether_providers()}
KEY = "key-0123456789"


def stream(*, usage: Mapping[str, Any], **delta: Any) -> list[bytes]:
    """An answer in a stream, with its usage."""
    body = {"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}], "usage": dict(usage)}
    return [b"data: " + orjson.dumps(body) + b"\n\n", b"data: [DONE]\n\n"]


USAGE = {"prompt_tokens": 1_000_000, "completion_tokens": 100_000, "total_tokens": 1_100_000}


async def asked(
    server: Playback, name: str, model: str, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> tuple[dict[str, Any], str, Usage]:
    """The body and the head of one request to the vendor, and the usage of its answer."""
    if SPECS[name].env:
        monkeypatch.setenv(SPECS[name].env[0], KEY)
    made = {"plugins": {"only": ["openai", "vendors"]}, "providers": {name: {"base_url": server.base_url}}, **settings}
    async with Runtime.open(made) as runtime, runtime.session(model=f"{name}/{model}") as session:
        result = await session.prompt("hello")
    return orjson.loads(server.requests[-1]), server.heads[-1], result.usage


@pytest.mark.parametrize(
    ("name", "model", "said", "not_said"),
    [
        ("zai", "glm-5", {"temperature": 1.0, "max_tokens": 8192, "stream": True}, {"top_p", "stop", "seed"}),
        ("moonshotai", "kimi-k2.5", {"temperature": 1.0, "max_tokens": 8192}, {"top_p"}),
        ("moonshotai", "kimi-k3", {"temperature": 1.0}, {"top_p"}),
        ("openrouter", "z-ai/glm-5", {"model": "z-ai/glm-5", "temperature": 1.0, "max_tokens": 8192}, {"top_p"}),
        ("openrouter", "openai/gpt-5.1", {"max_tokens": 8192}, {"temperature", "top_p"}),
        ("openrouter", "openai/o3", {}, {"temperature", "top_p"}),
        ("openrouter", "anthropic/claude-opus-4.7", {}, {"temperature", "top_p"}),
        ("openrouter", "meta-llama/llama-3.3-70b-instruct", {"temperature": 0.7}, set[str]()),
        ("novita", "qwen/qwen3-coder-next", {"model": "qwen/qwen3-coder-next", "temperature": 0.7}, set[str]()),
        ("azure", "gpt-5", {"max_completion_tokens": 8192}, {"max_tokens", "temperature", "top_p"}),
        ("azure", "my-own-name", {"max_completion_tokens": 8192, "temperature": 0.7}, {"max_tokens"}),
        ("azure", "Mistral-Large-3", {"max_tokens": 8192, "temperature": 0.7}, {"max_completion_tokens"}),
        ("groq", "openai/gpt-oss-120b", {"max_completion_tokens": 8192, "temperature": 0.7}, {"max_tokens"}),
        ("mistral", "mistral-medium-latest", {"temperature": 0.7, "max_tokens": 8192}, {"stream_options", "seed"}),
        ("deepseek", "deepseek-chat", {"temperature": 0.7, "stream_options": {"include_usage": True}}, set[str]()),
        ("ollama", "qwen3:8b", {"model": "qwen3:8b", "temperature": 0.7}, set[str]()),
        ("togetherai", "moonshotai/Kimi-K2.5", {"temperature": 1.0}, set[str]()),
    ],
)
async def test_a_model_is_sampled_as_it_takes_it(
    name: str, model: str, said: dict[str, Any], not_said: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Playback() as server:
        server.play(200, {"content-type": "text/event-stream"}, stream(content="Hi", usage={}))
        body, _, _ = await asked(server, name, model, monkeypatch)
    assert {key: body[key] for key in said} == said
    assert not_said & body.keys() == set()


async def test_a_fixed_temperature_is_not_moved_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Playback() as server:
        server.play(200, {"content-type": "text/event-stream"}, stream(content="Hi", usage={}))
        fixed, _, _ = await asked(server, "moonshotai", "kimi-k2.5", monkeypatch, sampling={"temperature": 0.2})
        free, _, _ = await asked(server, "zai", "glm-5", monkeypatch, sampling={"temperature": 0.2})
    assert (fixed["temperature"], free["temperature"]) == (1.0, 0.2)


async def test_the_users_quirks_come_over_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Playback() as server:
        server.play(200, {"content-type": "text/event-stream"}, stream(content="Hi", usage={}))
        own = {"base_url": server.base_url, "options": {"max_tokens_field": "max_tokens"}, "headers": {"X-Title": "me"}}
        body, _, _ = await asked(server, "groq", "m", monkeypatch, providers={"groq": own})
        _, head, _ = await asked(server, "openrouter", "m", monkeypatch, providers={"openrouter": own})
    assert body["max_tokens"] == 8192
    assert "x-title: me\r\n" in head


@pytest.mark.parametrize(
    ("name", "line", "other"),
    [
        ("zai", f"authorization: bearer {KEY}", "api-key:"),
        ("azure", f"api-key: {KEY}", "authorization:"),
        ("openrouter", "x-title: codetether", "api-key:"),
    ],
)
async def test_the_key_and_the_vendors_headers_are_sent(
    name: str, line: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Playback() as server:
        server.play(200, {"content-type": "text/event-stream"}, stream(content="Hi", usage={}))
        _, head, _ = await asked(server, name, "m", monkeypatch)
    assert head.startswith("post /v1/chat/completions ")
    assert f"\r\n{line}\r\n" in f"{head}\r\n"
    assert other not in head


@pytest.mark.parametrize(
    ("name", "model", "usage", "expected", "dollars"),
    [
        ("zai", "glm-5", USAGE, Usage(input_tokens=1_000_000, output_tokens=100_000), "1.32"),
        (
            "zai",
            "glm-5",
            {**USAGE, "prompt_tokens_details": {"cached_tokens": 500_000}},
            Usage(input_tokens=1_000_000, output_tokens=100_000, cache_read_tokens=500_000),
            "0.92",
        ),
        (
            "xai",
            "grok-4.3",  # dearer beyond 199,999 tokens of input
            {"prompt_tokens": 496, "completion_tokens": 77, "completion_tokens_details": {"reasoning_tokens": 121}},
            Usage(input_tokens=496, output_tokens=198, reasoning_tokens=121),
            "0.001115",
        ),
        ("xai", "grok-4.3", USAGE, Usage(input_tokens=1_000_000, output_tokens=100_000), "3"),
        (
            "openrouter",
            "z-ai/glm-5",
            {**USAGE, "cost": 0.5},
            Usage(input_tokens=1_000_000, output_tokens=100_000),
            "0.5",
        ),
        ("stepfun", "of-nobody", USAGE, Usage(input_tokens=1_000_000, output_tokens=100_000), None),
    ],
)
async def test_a_known_model_has_its_cost(
    name: str, model: str, usage: dict[str, Any], expected: Usage, dollars: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Playback() as server:
        server.play(200, {"content-type": "text/event-stream"}, stream(content="Hi", usage=usage))
        _, _, used = await asked(server, name, model, monkeypatch)
    counted = (used.input_tokens, used.output_tokens, used.cache_read_tokens, used.reasoning_tokens)
    assert counted == (
        expected.input_tokens,
        expected.output_tokens,
        expected.cache_read_tokens,
        expected.reasoning_tokens,
    )
    assert (str(used.cost.normalize()) if used.cost is not None else None) == dollars


async def test_mistral_gets_ids_that_it_takes_and_its_own_back(monkeypatch: pytest.MonkeyPatch) -> None:
    call = {"index": 0, "id": "call_0123456789abcdef", "function": {"name": "nothing_like_it", "arguments": "{}"}}
    async with Playback() as server:
        server.play(200, {"content-type": "text/event-stream"}, stream(tool_calls=[call], usage={}))
        monkeypatch.setenv("ZAI_API_KEY", KEY)
        monkeypatch.setenv("MISTRAL_API_KEY", KEY)
        base = {"base_url": server.base_url}
        made = {"plugins": {"only": ["openai", "vendors"]}, "providers": {"zai": base, "mistral": base}}
        async with Runtime.open({**made, "session": {"max_steps": 1}}) as runtime:
            async with runtime.session(model="zai/glm-5") as session:
                await session.prompt("hello")
                kept = session.id
                (part,) = [p for m in session.session.messages for p in m.parts if isinstance(p, ToolCallPart)]
            async with runtime.session(kept, model="mistral/m") as session:
                await session.prompt("again")
    sent = orjson.loads(server.requests[-1])["messages"]
    ids = [c["id"] for m in sent for c in m.get("tool_calls", ())] + [
        m["tool_call_id"] for m in sent if "tool_call_id" in m
    ]
    assert ids == [short_id(part.id)] * 2
    assert len(ids[0]) == 9
