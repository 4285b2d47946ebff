"""Connections: who is asked, as whom, and under which quirks; and every fault of a server ends named."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import orjson
import pytest
from codetether import (
    CompletionRequest,
    DeadlineExceeded,
    Finished,
    IncompleteResponse,
    MalformedResponse,
    ModelRef,
    ProviderError,
    RateLimited,
    Secret,
    ServerFailed,
    SettingsError,
    TextDelta,
    user,
)
from codetether.models.providers import Provider
from codetether.testing.faults import KEY, STREAM, Fault, endure, faults, forever, head, says, streams
from codetether.testing.playback import Playback, chunked
from codetether_provider_openai import plugin
from codetether_provider_openai.wire import ChatWire

HELLO = CompletionRequest(model=ModelRef(provider="openai", model="m"), messages=(user("hello"),))


def event(**body: Any) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def said(**delta: Any) -> bytes:
    return event(choices=[{"index": 0, "delta": delta}])


DONE = b"data: [DONE]\n\n"
TEXT = said(content="Hi")


def called(*calls: tuple[str, str, str]) -> bytes:
    made = [
        {"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}
        for index, (id_, name, arguments) in enumerate(calls)
    ]
    return said(tool_calls=made)


OWN_FAULTS = [
    Fault(name="an error in a stream", respond=streams(TEXT, event(error={"message": "no"})), raises=ServerFailed),
    Fault(
        name="a limit in a stream",
        respond=streams(TEXT, event(error={"message": "no", "code": 429}, choices=[])),
        raises=RateLimited,
    ),
    Fault(name="an error in a body", respond=says(chunked(200, {"content-type": "application/json"}, [
        b'{"error":{"message":"no","type":"server_error"}}'])), raises=ServerFailed),
    Fault(
        name="an endless answer",
        respond=forever(head(200, content_type="text/event-stream"), said(content="a" * 1000) * 60),
        raises=MalformedResponse,
    ),
    Fault(name="no end", respond=streams(TEXT, said()), raises=IncompleteResponse),
    Fault(name="half an end", respond=streams(TEXT, b"data: [DON"), raises=IncompleteResponse),
    Fault(name="half a call", respond=streams(called(("a", "read", '{"p'))), raises=IncompleteResponse),
]  # fmt: skip


@pytest.mark.parametrize("fault", [*faults(), *OWN_FAULTS], ids=lambda fault: fault.name)
async def test_every_fault_ends_named_in_time_and_in_little_memory(fault: Fault) -> None:
    deadline = 0.5 if fault.raises is DeadlineExceeded else 8.0
    ending = await endure(ChatWire(), fault, deadline=deadline)
    error = ending.error
    assert type(error) is fault.raises, error
    assert isinstance(error, ProviderError)
    assert error.retry_after == pytest.approx(fault.retry_after)
    assert ending.seconds < deadline + 2
    assert ending.grown < 32.0
    assert error.message.startswith("faulty")
    assert KEY not in repr((str(error), error.details))


@pytest.mark.parametrize(
    ("name", "pieces", "chunks"),
    [
        ("two ends", (TEXT, DONE, DONE, TEXT), 2),
        ("an end without its blank line", (TEXT, b"data: [DONE]"), 2),
        ("1,000 deltas", (*[TEXT] * 1000, DONE), 1001),
        ("the same id twice", (called(("a", "read", "{}"), ("a", "read", "{}")), DONE), 3),
        ("an empty id", (called(("", "read", "{}")), DONE), 3),
        ("arguments that are no object", (called(("a", "read", "[1]")), DONE), 2),
        ("a call of nothing", (called(("a", "", "")), DONE), 2),
        ("absurd usage", (TEXT, event(choices=[], usage={"prompt_tokens": -1e300, "total_tokens": "many"}), DONE), 3),
    ],
)
async def test_oddities_are_taken(name: str, pieces: tuple[bytes, ...], chunks: int) -> None:
    ending = await endure(ChatWire(), Fault(name=name, respond=streams(*pieces), raises=ProviderError))
    assert (ending.error, ending.chunks) == (None, chunks)


async def asked(options: Mapping[str, Any], secret: Secret | None, server: Playback) -> tuple[str, dict[str, Any]]:
    """The head and the body that a server gets."""
    server.play(200, STREAM, [TEXT, DONE])
    provider = Provider(name="openai", wire="openai-chat", base_url=server.base_url, secret=secret, options=options)
    async with await ChatWire().connect(provider) as connection:
        assert [c async for c in connection.stream(HELLO)] == [TextDelta("Hi"), Finished("unknown")]
    return server.heads[-1], orjson.loads(server.requests[-1])


async def test_the_key_and_the_organisation_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-env")
    monkeypatch.setenv("OPENAI_PROJECT", "proj-env")
    (spec,) = plugin.codetether_providers()
    async with Playback() as server:
        began, body = await asked(
            spec.quirks, Secret(values={"api_key": "sk-123 \n", "organization": "org-own"}), server
        )
    assert began.startswith("post /v1/chat/completions ")
    assert {"authorization: bearer sk-123", "openai-organization: org-own", "openai-project: proj-env"} <= {
        *began.splitlines()
    }
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_the_key_may_have_a_header_of_its_own_and_others_beside_it() -> None:
    quirks = {"key_header": "api-key", "headers": {"X-Title": "me"}}
    async with Playback() as server:
        began, _ = await asked(quirks, Secret(values={"api_key": "sk-123 \n"}), server)
    assert {"api-key: sk-123", "x-title: me"} <= {*began.splitlines()}
    assert "authorization" not in began


async def test_a_server_without_a_key_gets_none() -> None:
    async with Playback() as server:
        began, _ = await asked({}, None, server)
    assert "authorization" not in began


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"stream": "no"}, "'stream' must be"),
        ({"max_tokens_field": "tokens"}, "'max_tokens_field' must be in"),
        ({"extra_body": ["user"]}, "'extra_body' must be"),
        ({"parallel_tool_calls": 1}, "'parallel_tool_calls' must be"),
        ({"key_header": None}, "'key_header' must be"),
        ({"headers": "x-title: me"}, "'headers' must be"),
    ],
)
async def test_a_quirk_of_a_wrong_kind_is_a_mistake_in_the_settings(options: Mapping[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=f"providers.openai.options: {why}"):
        await ChatWire().connect(Provider(name="openai", wire="", base_url="", options=options))


def test_what_the_plugin_offers() -> None:
    assert [spec.name for spec in plugin.codetether_wires()] == ["openai-chat"]
    (spec,) = plugin.codetether_providers()
    assert (spec.name, spec.base_url, spec.default_model, spec.env, spec.base_url_env) == (
        "openai",
        "https://api.openai.com/v1",
        "gpt-4o",
        ("OPENAI_API_KEY",),
        ("OPENAI_BASE_URL",),
    )


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        ("gpt-4o", set()),
        ("gpt-4.1-mini", set()),
        ("o3-mini", {"temperature", "top_p", "stop"}),
        ("o4-mini", {"temperature", "top_p", "stop"}),
        ("gpt-5-mini", {"temperature", "top_p", "stop"}),
    ],
)
def test_reasoning_models_are_not_sampled(model: str, refused: set[str]) -> None:
    fitting = [d for d in plugin.codetether_model_defaults() if fnmatchcase(f"openai/{model}", d.match)]
    assert {name for d in fitting for name in d.omit} == refused
    assert any(d.capabilities.get("structured_output") for d in fitting)
