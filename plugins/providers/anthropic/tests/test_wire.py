"""Connections: who is asked, as whom, and under which quirks; and every fault of a server ends named."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import attrs
import orjson
import pytest
from codetether import (
    CompletionRequest,
    ContextOverflow,
    DeadlineExceeded,
    Finished,
    IncompleteResponse,
    InvalidRequest,
    MalformedResponse,
    ModelNotFound,
    ModelRef,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Secret,
    ServerFailed,
    SettingsError,
    TextDelta,
    UsageError,
    user,
)
from codetether.models.providers import Provider
from codetether.testing.faults import KEY, STREAM, Fault, endure, faults, forever, head, says, streams
from codetether.testing.playback import Playback, Respond, chunked
from codetether_provider_anthropic import plugin
from codetether_provider_anthropic.wire import MessagesWire, root

HELLO = CompletionRequest(model=ModelRef(provider="anthropic", model="m"), messages=(user("hello"),))
SECRET = Secret(values={"api_key": "sk-123 \n"}, source="env:ANTHROPIC_API_KEY")
SPECS = {spec.name: spec for spec in plugin.codetether_providers()}


def event(type_: str, **body: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (type_.encode(), orjson.dumps({"type": type_, **body}))


def begun(index: Any, kind: str, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block={"type": kind, **block})


def more(index: Any, kind: str, **delta: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": f"{kind}_delta", **delta})


def over(index: Any) -> bytes:
    return event("content_block_stop", index=index)


def called(index: int, id_: Any, arguments: str) -> bytes:
    return (
        begun(index, "tool_use", id=id_, name="read") + more(index, "input_json", partial_json=arguments) + over(index)
    )


def failed(type_: str, **more: Any) -> bytes:
    return event("error", error={"type": type_, "message": "no", **more}, request_id="r")


START = event("message_start", message={"id": "msg_1", "content": [], "usage": {"input_tokens": 1}})
SAID = more(0, "text", text="Hi")
TEXT = START + begun(0, "text", text="") + SAID
STOP = event("message_delta", delta={"stop_reason": "end_turn"}) + event("message_stop")


def at_once(body: bytes, status: int = 200) -> Respond:
    return says(chunked(status, {"content-type": "application/json"}, [body]))


OWN_FAULTS = [
    Fault(name="overloaded in a stream", respond=streams(TEXT, failed("overloaded_error")), raises=ServerFailed),
    Fault(name="a limit in a stream", respond=streams(TEXT, failed("rate_limit_error")), raises=RateLimited),
    Fault(name="no money in a stream", respond=streams(TEXT, failed("billing_error")), raises=QuotaExhausted),
    Fault(name="MiniMax's error", respond=streams(TEXT, failed("x", http_code="429")), raises=RateLimited),
    Fault(
        name="MiniMax's error in a body",
        respond=at_once(b'{"content":[],"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}'),
        raises=QuotaExhausted,
    ),
    Fault(
        name="MiniMax's error alone",
        respond=at_once(b'{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}'),
        raises=RateLimited,
    ),
    Fault(
        name="an error in a body",
        respond=at_once(b'{"type":"error","error":{"type":"api_error","message":"no"}}'),
        raises=ServerFailed,
    ),
    Fault(
        name="no such model",
        respond=at_once(b'{"type":"error","error":{"type":"not_found_error","message":"model: claude-0"}}', 404),
        raises=ModelNotFound,
    ),
    Fault(
        name="too long",
        respond=at_once(
            b'{"type":"error","error":{"type":"invalid_request_error",'
            b'"message":"prompt is too long: 200251 tokens > 200000 maximum"}}',
            400,
        ),
        raises=ContextOverflow,
    ),
    Fault(
        name="no credit",
        respond=at_once(
            b'{"type":"error","error":{"type":"invalid_request_error",'
            b'"message":"Your credit balance is too low to access the Anthropic API."}}',
            400,
        ),
        raises=QuotaExhausted,
    ),
    Fault(
        name="MiniMax refuses",
        respond=at_once(
            b'{"type":"error","error":{"type":"bad_request_error","message":"invalid params (2013)",'
            b'"http_code":"400"},"request_id":"r"}',
            400,
        ),
        raises=InvalidRequest,
    ),
    Fault(
        name="an endless answer",
        respond=forever(head(200, content_type="text/event-stream"), more(0, "text", text="a" * 1000) * 60),
        raises=MalformedResponse,
    ),
    Fault(name="no end", respond=streams(TEXT, over(0)), raises=IncompleteResponse),
    Fault(
        name="a stop reason and no end",
        respond=streams(TEXT, event("message_delta", delta={"stop_reason": "end_turn"})),
        raises=IncompleteResponse,
    ),
    Fault(name="half an end", respond=streams(TEXT, b'event: message_stop\ndata: {"type":"message_st'),
          raises=IncompleteResponse),
    Fault(name="half a call", respond=streams(begun(0, "tool_use", id="a", name="x"), more(0, "input_json",
          partial_json='{"p')), raises=IncompleteResponse),
    Fault(name="arguments of no call", respond=streams(START, more(3, "input_json", partial_json="{}"), STOP),
          raises=MalformedResponse),
]  # fmt: skip


@pytest.mark.parametrize("fault", [*faults(), *OWN_FAULTS], ids=lambda fault: fault.name)
async def test_every_fault_ends_named_in_time_and_in_little_memory(fault: Fault) -> None:
    deadline = 0.5 if fault.raises is DeadlineExceeded else 8.0
    ending = await endure(MessagesWire(), fault, deadline=deadline)
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
        ("two ends", (TEXT, STOP, STOP, TEXT), 4),
        ("an end without its blank line", (TEXT, b'data: {"type":"message_stop"}'), 4),
        ("no beginning", (SAID, STOP), 2),
        ("1,000 deltas", (TEXT, *[SAID] * 1000, STOP), 1004),
        ("the same id twice", (called(0, "a", "{}"), called(1, "a", "{}"), STOP), 5),
        ("an empty id", (called(0, "", "{}"), STOP), 3),
        ("gaps between the indices", (called(7, "a", "{}"), called(900, "b", "{}"), STOP), 5),
        ("an index twice", (called(0, "a", "{}"), called(0, "b", "{}"), STOP), 5),
        ("arguments that are no object", (called(0, "a", "[1]"), STOP), 3),
        ("arguments of 10,000 levels", (called(0, "a", "[" * 10_000), STOP), 3),
        ("a delta after its block", (TEXT, over(0), SAID, STOP), 5),
        (
            "absurd usage",
            (START, event("message_delta", usage={"input_tokens": -1e300, "output_tokens": "many"}), STOP),
            4,
        ),
        ("a comment, [DONE] and an event of no kind", (b": hi\n\ndata: [DONE]\n\ndata: {}\n\n", TEXT, STOP), 4),
    ],
)
async def test_oddities_are_taken(name: str, pieces: tuple[bytes, ...], chunks: int) -> None:
    ending = await endure(MessagesWire(), Fault(name=name, respond=streams(*pieces), raises=ProviderError))
    assert (ending.error, ending.chunks) == (None, chunks)


async def asked(provider: Provider, server: Playback, path: str = "") -> tuple[str, list[str], dict[str, Any]]:
    """The path, the headers and the body that a server gets at a base URL with that path."""
    server.play(200, STREAM, [SAID, STOP])
    placed = attrs.evolve(provider, base_url=server.base_url.removesuffix("/v1") + path)
    async with await MessagesWire().connect(placed) as connection:
        assert [c async for c in connection.stream(HELLO)] == [TextDelta("Hi"), Finished("stop", "end_turn")]
    first, *headers = server.heads[-1].splitlines()
    return first.split()[1], headers, orjson.loads(server.requests[-1])


def provider(name: str = "anthropic", secret: Secret | None = SECRET, **options: Any) -> Provider:
    spec = SPECS[name]
    return Provider(name=name, wire=spec.wire, base_url="", secret=secret, options={**spec.quirks, **options})


async def test_the_key_and_the_version_are_sent() -> None:
    async with Playback() as server:
        path, headers, body = await asked(provider(beta=["files-api-2025-04-14", "x"]), server)
    assert path == "/v1/messages"
    assert {"x-api-key: sk-123", "anthropic-version: 2023-06-01", "anthropic-beta: files-api-2025-04-14,x"} <= {
        *headers
    }
    assert not any(header.startswith("authorization") for header in headers)
    assert body == {
        "model": "m",
        "max_tokens": 4096,
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}],
            }
        ],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("secret", "options", "sent"),
    [
        (SECRET, {}, {"x-api-key": "sk-123"}),
        (SECRET, {"auth": "bearer"}, {"authorization": "bearer sk-123"}),
        (SECRET, {"auth": "both"}, {"x-api-key": "sk-123", "authorization": "bearer sk-123"}),
        (Secret(values={"api_key": "t"}, source="env:ANTHROPIC_AUTH_TOKEN"), {}, {"authorization": "bearer t"}),
        (Secret(values={"auth_token": "t"}, source="file"), {}, {"authorization": "bearer t"}),
        (
            Secret(values={"api_key": "k", "auth_token": "t"}, source="file"),
            {},
            {"x-api-key": "k", "authorization": "bearer t"},
        ),
        (None, {}, {}),
    ],
)
async def test_as_whom_a_server_is_asked(
    secret: Secret | None, options: Mapping[str, Any], sent: Mapping[str, str]
) -> None:
    async with Playback() as server:
        _, headers, _ = await asked(provider(secret=secret, **options), server)
    found = dict(header.split(": ", 1) for header in headers if header)
    assert {name: found[name] for name in ("x-api-key", "authorization") if name in found} == sent


async def test_headers_of_the_settings_come_first() -> None:
    own = attrs.evolve(provider(), headers={"anthropic-version": "2099-01-01", "x-team": "blue"})
    async with Playback() as server:
        _, headers, _ = await asked(own, server)
    assert {"anthropic-version: 2099-01-01", "x-team: blue"} <= {*headers}


@pytest.mark.parametrize(
    ("base_url", "path", "found"),
    [
        ("https://api.anthropic.com", "", "https://api.anthropic.com"),
        ("https://api.anthropic.com/", "", "https://api.anthropic.com"),
        ("https://api.anthropic.com/v1", "", "https://api.anthropic.com"),
        ("https://api.anthropic.com/v1/", "", "https://api.anthropic.com"),
        ("https://api.anthropic.com/v1/messages", "", "https://api.anthropic.com"),
        ("https://gateway/anthropic", "", "https://gateway/anthropic"),
        ("https://gateway/a/v1?team=1", "", "https://gateway/a?team=1"),
        ("https://api.minimax.io/anthropic", "/anthropic", "https://api.minimax.io/anthropic"),
        ("https://api.minimax.io/anthropic/v1", "/anthropic", "https://api.minimax.io/anthropic"),
        ("https://api.minimax.io/anthropic/v1/messages", "/anthropic", "https://api.minimax.io/anthropic"),
        ("https://api.minimaxi.com/v1", "/anthropic", "https://api.minimaxi.com/anthropic"),
        ("https://api.minimax.io", "/anthropic", "https://api.minimax.io/anthropic"),
        ("https://[::1", "", "https://[::1"),
        ("", "", ""),
    ],
)
def test_a_base_url_may_say_more_or_less(base_url: str, path: str, found: str) -> None:
    assert root(base_url, path) == found
    assert root(found, path) == found


@pytest.mark.parametrize("path", ["", "/v1", "/anthropic", "/anthropic/v1"])
async def test_minimax_is_asked_where_it_speaks_messages(path: str) -> None:
    async with Playback() as server:
        found, headers, body = await asked(provider("minimax"), server, path)
    assert found == "/anthropic/v1/messages"
    assert {"x-api-key: sk-123", "authorization: bearer sk-123"} <= {*headers}
    assert b"cache_control" not in orjson.dumps(body)


async def test_a_base_url_that_is_none_is_a_mistake_of_the_user() -> None:
    with pytest.raises(UsageError, match="the base URL"):
        await MessagesWire().connect(attrs.evolve(provider(), base_url="https://[::1"))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"stream": "no"}, "'stream' must be"),
        ({"auth": "basic"}, "'auth' must be in"),
        ({"cache": True}, "'cache' must be in"),
        ({"beta": "files"}, "'beta' must be"),
        ({"beta": [1]}, "'beta' must be"),
        ({"thinking": "enabled"}, "'thinking' must be"),
        ({"server_tools": ["web_search"]}, "'server_tools' must be"),
        ({"extra_body": ["user"]}, "'extra_body' must be"),
        ({"parallel_tool_calls": 1}, "'parallel_tool_calls' must be"),
        ({"path": "anthropic/"}, "'path' must match"),
    ],
)
async def test_a_quirk_of_a_wrong_kind_is_a_mistake_in_the_settings(options: Mapping[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=f"providers.anthropic.options: {why}"):
        await MessagesWire().connect(provider(**options))


def test_what_the_plugin_offers() -> None:
    assert [spec.name for spec in plugin.codetether_wires()] == ["anthropic-messages"]
    assert {
        name: (spec.wire, spec.base_url, spec.default_model, spec.env, spec.base_url_env)
        for name, spec in SPECS.items()
    } == {
        "anthropic": (
            "anthropic-messages",
            "https://api.anthropic.com",
            "claude-sonnet-4-20250514",
            ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
            ("ANTHROPIC_BASE_URL",),
        ),
        "minimax": (
            "anthropic-messages",
            "https://api.minimax.io/anthropic",
            "MiniMax-M2.5",
            ("MINIMAX_API_KEY",),
            ("MINIMAX_BASE_URL",),
        ),
    }


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        ("anthropic/claude-sonnet-4-20250514", set()),
        ("anthropic/claude-sonnet-4-0", set()),
        ("anthropic/claude-sonnet-4-5", {"top_p"}),
        ("anthropic/claude-haiku-4-5-20251001", {"top_p"}),
        ("anthropic/claude-opus-4-1-20250805", {"top_p"}),
        ("anthropic/claude-opus-4-20250514", set()),
        ("anthropic/claude-opus-4-6", {"top_p"}),
        ("anthropic/claude-haiku-5-5", set()),
        ("anthropic/claude-opus-4-7", {"temperature", "top_p"}),
        ("anthropic/claude-opus-4-8-20260801", {"temperature", "top_p"}),
        ("anthropic/claude-opus-5", {"temperature", "top_p"}),
        ("anthropic/claude-sonnet-5-5", {"temperature", "top_p"}),
        ("anthropic/claude-fable-5", {"temperature", "top_p"}),
        ("minimax/minimax-m2.5", set()),
        ("other/claude-opus-5", set()),
    ],
)
def test_what_models_refuse(model: str, refused: set[str]) -> None:
    fitting = [d for d in plugin.codetether_model_defaults() if fnmatchcase(model, d.match)]
    assert {name for d in fitting for name in d.omit} == refused
