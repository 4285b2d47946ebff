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
    ResponseStarted,
    Runtime,
    Secret,
    ServerFailed,
    SettingsError,
    TextDelta,
    user,
)
from codetether.models.providers import Provider
from codetether.testing.faults import KEY, STREAM, Fault, endure, faults, forever, head, says, streams
from codetether.testing.playback import Playback, chunked
from codetether_provider_responses import plugin
from codetether_provider_responses.wire import ResponsesWire

HELLO = CompletionRequest(model=ModelRef(provider="openai", model="m"), messages=(user("hello"),))


def event(kind: str, **body: Any) -> bytes:
    return f"event: {kind}\ndata: ".encode() + orjson.dumps({"type": kind, **body}) + b"\n\n"


TEXT = event("response.output_text.delta", output_index=0, delta="Hi")
DONE = event("response.completed", response={"id": "r1", "model": "m", "status": "completed", "output": []})


def called(*calls: tuple[str, str, str]) -> bytes:
    return b"".join(
        event(
            "response.output_item.done",
            output_index=index,
            item={"type": "function_call", "call_id": id_, "name": name, "arguments": arguments},
        )
        for index, (id_, name, arguments) in enumerate(calls)
    )


HALF = event("response.output_item.added", output_index=0, item={"type": "function_call", "call_id": "a", "name": "b"})
NESTED = event("error", error={"message": "no"})
FAILED = event("response.failed", response={"error": {"code": "rate_limit_exceeded", "message": "no"}})
OWN_FAULTS = [
    Fault(name="an error in a stream", respond=streams(TEXT, NESTED), raises=ServerFailed),
    Fault(name="a flat error", respond=streams(TEXT, event("error", message="no", code="x")), raises=ServerFailed),
    Fault(name="a failed answer", respond=streams(TEXT, FAILED), raises=RateLimited),
    Fault(name="an error in a body", respond=says(chunked(200, {"content-type": "application/json"}, [
        b'{"status":"failed","output":[],"error":{"message":"no","code":"server_error"}}'])), raises=ServerFailed),
    Fault(name="a queued answer", respond=says(chunked(200, {"content-type": "application/json"}, [
        b'{"status":"queued","output":[]}'])), raises=IncompleteResponse),
    Fault(
        name="an endless answer",
        respond=forever(head(200, content_type="text/event-stream"),
                        event("response.output_text.delta", output_index=0, delta="a" * 1000) * 60),
        raises=MalformedResponse,
    ),
    Fault(
        name="endless items",
        respond=forever(head(200, content_type="text/event-stream"), called(("a", "b", "c" * 1000)) * 60),
        raises=MalformedResponse,
    ),
    Fault(name="no end", respond=streams(TEXT), raises=IncompleteResponse),
    Fault(name="[DONE] alone", respond=streams(TEXT, b"data: [DONE]\n\n"), raises=IncompleteResponse),
    Fault(name="half an end", respond=streams(TEXT, DONE[:-4]), raises=IncompleteResponse),
    Fault(name="half a call", respond=streams(HALF), raises=IncompleteResponse),
]  # fmt: skip


@pytest.mark.parametrize("fault", [*faults(), *OWN_FAULTS], ids=lambda fault: fault.name)
async def test_every_fault_ends_named_in_time_and_in_little_memory(fault: Fault) -> None:
    deadline = 0.5 if fault.raises is DeadlineExceeded else 8.0
    ending = await endure(ResponsesWire(), fault, deadline=deadline)
    error = ending.error
    assert type(error) is fault.raises, error
    assert isinstance(error, ProviderError)
    assert error.retry_after == pytest.approx(fault.retry_after)
    assert ending.seconds < deadline + 2
    assert ending.grown < 40.0  # 16 MiB of text twice: in its pieces, until its end has said the same, and as shown
    assert error.message.startswith("faulty")
    assert KEY not in repr((str(error), error.details))


@pytest.mark.parametrize(
    ("name", "pieces", "chunks"),
    [
        ("two ends", (TEXT, DONE, DONE, TEXT), 3),
        ("an end without its blank line", (TEXT, DONE[:-2]), 3),
        ("an end with [DONE]", (TEXT, DONE, b"data: [DONE]\n\n"), 3),
        ("1,000 deltas", (*[TEXT] * 1000, DONE), 1002),
        ("events that nobody knows", (event("response.mystery", x=1), TEXT, event("keepalive"), DONE), 3),
        ("the same id twice", (called(("a", "read", "{}"), ("a", "read", "{}")), DONE), 4),
        ("an empty id", (called(("", "read", "{}")), DONE), 3),
        ("arguments that are no object", (called(("a", "read", "[1]")), DONE), 3),
        ("a call of nothing", (called(("a", "", "")), DONE), 3),
        ("absurd usage", (TEXT, event("response.completed", response={"usage": {"input_tokens": -1e300}})), 3),
    ],
)
async def test_oddities_are_taken(name: str, pieces: tuple[bytes, ...], chunks: int) -> None:
    ending = await endure(ResponsesWire(), Fault(name=name, respond=streams(*pieces), raises=ProviderError))
    assert (ending.error, ending.chunks) == (None, chunks)


async def asked(options: Mapping[str, Any], secret: Secret | None, server: Playback) -> tuple[str, dict[str, Any]]:
    """The head and the body that a server gets."""
    server.play(200, STREAM, [TEXT, DONE])
    provider = Provider(name="openai", wire="", base_url=server.base_url, secret=secret, options=options)
    async with await ResponsesWire().connect(provider) as connection:
        assert [c async for c in connection.stream(HELLO)] == [
            TextDelta("Hi"),
            ResponseStarted("r1", "m"),
            Finished("stop", "completed"),
        ]
    return server.heads[-1], orjson.loads(server.requests[-1])


async def test_the_key_and_the_organisation_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-env")
    monkeypatch.setenv("OPENAI_PROJECT", "proj-env")
    variables = {"openai-organization": ("OPENAI_ORG_ID",), "openai-project": ("OPENAI_PROJECT_ID", "OPENAI_PROJECT")}
    secret = Secret(values={"api_key": "sk-123 \n", "organization": "org-own"})
    async with Playback() as server:
        began, body = await asked({"environment_headers": variables}, secret, server)
    assert began.startswith("post /v1/responses ")
    assert {"authorization: bearer sk-123", "openai-organization: org-own", "openai-project: proj-env"} <= {
        *began.splitlines()
    }
    assert body == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}],
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "stream": True,
    }


async def test_a_server_without_a_key_gets_none() -> None:
    async with Playback() as server:
        began, _ = await asked({}, None, server)
    assert "authorization" not in began


async def test_an_answer_in_one_piece_is_read_too() -> None:
    answer = {"id": "r1", "model": "m", "status": "completed", "output": [
        {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]}  # fmt: skip
    async with Playback() as server:
        server.play(200, {"content-type": "application/json"}, [orjson.dumps(answer)])
        provider = Provider(name="openai", wire="", base_url=server.base_url, options={"stream": False})
        async with await ResponsesWire().connect(provider) as connection:
            chunks = [c async for c in connection.stream(HELLO)]
    assert chunks == [ResponseStarted("r1", "m"), TextDelta("Hi"), Finished("stop", "completed")]
    assert orjson.loads(server.requests[-1])["stream"] is False


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"stream": "no"}, "'stream' must be"),
        ({"store": "no"}, "'store' must be"),
        ({"include": "reasoning"}, "'include' must be a list of texts"),
        ({"include": [1]}, "'include' must be a list of texts"),
        ({"system_as": "user"}, "'system_as' must be in"),
        ({"extra_body": ["user"]}, "'extra_body' must be"),
        ({"parallel_tool_calls": 1}, "'parallel_tool_calls' must be"),
    ],
)
async def test_a_quirk_of_a_wrong_kind_is_a_mistake_in_the_settings(options: Mapping[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=f"providers.openai.options: {why}"):
        await ResponsesWire().connect(Provider(name="openai", wire="", base_url="", options=options))


def test_what_the_plugin_offers() -> None:
    assert [spec.name for spec in plugin.codetether_wires()] == ["openai-responses"]


@pytest.mark.parametrize(
    ("model", "only_here", "asked_for_reasoning"),
    [
        ("gpt-5-codex", True, True),
        ("gpt-5.1-codex-max", True, True),
        ("gpt-5.3-codex", True, True),
        ("codex-mini-latest", True, True),
        ("gpt-5-pro", True, True),
        ("gpt-5.2-pro-2025-12-11", True, True),
        ("o1-pro", True, True),
        ("o3-pro-2025-06-10", True, True),
        ("o4-mini-deep-research", True, True),
        ("o3", False, True),
        ("gpt-5", False, True),
        ("gpt-5-mini", False, True),
        ("gpt-4o", False, False),
        ("gpt-4.1-mini", False, False),
        ("gpt-5-chat-latest", False, False),
        ("ft:gpt-4o-mini:acme", False, False),
    ],
)
def test_which_models_speak_nothing_else_and_which_do_not_reason(
    model: str, only_here: bool, asked_for_reasoning: bool
) -> None:
    fitting = [d for d in plugin.codetether_model_defaults() if fnmatchcase(f"openai/{model}", d.match)]
    assert any(d.wire == "openai-responses" for d in fitting) is only_here
    assert ("include" not in {name for d in fitting for name in d.quirks}) is asked_for_reasoning


@pytest.mark.parametrize(
    ("model", "providers", "path", "fields"),
    [
        ("gpt-5.3-codex", {}, "/v1/responses", {"include", "store", "max_output_tokens"}),
        ("gpt-4o", {}, "/v1/chat/completions", {"temperature", "max_completion_tokens", "stream_options"}),
        ("gpt-4o", {"wire": "openai-responses"}, "/v1/responses", {"store", "temperature", "max_output_tokens"}),
        ("o3", {"wire": "openai-responses"}, "/v1/responses", {"include", "store", "max_output_tokens"}),
        ("gpt-5", {"wire": "openai-responses", "options": {"include": [], "store": True}}, "/v1/responses",
         {"store", "max_output_tokens"}),
    ],
)  # fmt: skip
async def test_a_session_speaks_the_models_wire_or_the_one_that_the_user_names(
    model: str, providers: dict[str, Any], path: str, fields: set[str]
) -> None:
    async with Playback() as server:
        chat = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        server.play(200, STREAM, [TEXT, DONE] if path == "/v1/responses" else [chat])
        settings = {
            "providers": {"openai": {"base_url": server.base_url, **providers}},
            "plugins": {"only": ["openai", "openai-responses", "selection", "agents", "prompts", "executor", "policy"]},
        }
        async with Runtime.open(settings) as runtime, runtime.session(model=f"openai/{model}") as session:
            answered = await session.prompt("hello")
    assert (answered.text, server.heads[-1].split()[1]) == ("Hi", path)
    assert (
        set(orjson.loads(server.requests[-1])) - {"model", "input", "messages", "stream", "instructions", "tools"}
        == fields
    )
