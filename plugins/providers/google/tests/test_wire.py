"""Connections: who is asked, as whom, and under which quirks; and every fault of a server ends named."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import orjson
import pytest
from codetether import (
    AuthenticationFailed,
    CompletionRequest,
    DeadlineExceeded,
    Finished,
    IncompleteResponse,
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
    UsageReported,
    user,
)
from codetether.models.providers import Provider
from codetether.testing.faults import KEY, STREAM, Fault, endure, faults, forever, head, says, streams
from codetether.testing.playback import Playback, chunked
from codetether_provider_google import plugin
from codetether_provider_google.wire import GenerateWire, with_version

BODY = {"content-type": "application/json; charset=UTF-8"}


def event(body: Any) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\r\n\r\n"


def said(*parts: dict[str, Any], **more: Any) -> bytes:
    return event({"candidates": [{"content": {"parts": list(parts), "role": "model"}, **more}]})


def called(*calls: dict[str, Any]) -> bytes:
    return said(*({"functionCall": call} for call in calls))


TEXT = said({"text": "Hi"})
DONE = said(finishReason="STOP")


def failed(status: int, word: str, message: str, *details: dict[str, Any], **headers: str) -> Any:
    error = {"code": status, "message": message, "status": word, "details": list(details)}
    return says(chunked(status, {**BODY, **headers}, [orjson.dumps({"error": error})]))


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
DAILY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}
NO_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
NO_MODEL = {"code": 404, "message": "models/x is not found for API version v1beta", "status": "NOT_FOUND"}
OVERLOADED = {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
OWN_FAULTS = [
    Fault(name="an error in a stream", respond=streams(TEXT, event(OVERLOADED)), raises=ServerFailed),
    Fault(name="an error in a list", respond=streams(TEXT, event([OVERLOADED])), raises=ServerFailed),
    Fault(
        name="a limit in a stream",
        respond=streams(TEXT, event({"error": {"code": 429, "message": "no", "details": [RETRY]}})),
        raises=RateLimited,
        retry_after=34.5,
    ),
    Fault(name="an error in a body", respond=says(chunked(200, BODY, [orjson.dumps(OVERLOADED)])), raises=ServerFailed),
    Fault(
        name="an error as a list", respond=says(chunked(503, BODY, [orjson.dumps([OVERLOADED])])), raises=ServerFailed
    ),
    Fault(
        name="a wait in the body",
        respond=failed(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", RETRY),
        raises=RateLimited,
        retry_after=34.5,
    ),
    Fault(
        name="a quota of a day",
        respond=failed(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", DAILY, RETRY),
        raises=QuotaExhausted,
        retry_after=34.5,
    ),
    Fault(name="a wrong key", respond=failed(400, "INVALID_ARGUMENT", "no", NO_KEY), raises=AuthenticationFailed),
    Fault(
        name="no such model, as a stream",
        respond=says(chunked(404, STREAM, [orjson.dumps({"error": NO_MODEL})])),
        raises=ModelNotFound,
    ),
    Fault(
        name="an endless answer",
        respond=forever(head(200, content_type="text/event-stream"), said({"text": "a" * 1000}) * 60),
        raises=MalformedResponse,
    ),
    Fault(name="no end", respond=streams(TEXT, said()), raises=IncompleteResponse),
    Fault(name="an end in the midst", respond=streams(TEXT, DONE, TEXT), raises=IncompleteResponse),
    Fault(name="half an end", respond=streams(TEXT, DONE[:-6]), raises=IncompleteResponse),
    Fault(
        name="closed after the end, in HTTP's midst",
        respond=says(chunked(200, {**STREAM, "connection": "close"}, [TEXT, DONE], end=False)),
        raises=DeadlineExceeded,
    ),
    Fault(name="no candidates", respond=says(chunked(200, BODY, [b'{"candidates":[]}'])), raises=MalformedResponse),
    Fault(name="half an array", respond=says(chunked(200, BODY, [b'[{"candidates":[]},'])), raises=MalformedResponse),
    Fault(
        name="an array without an end",
        respond=says(chunked(200, BODY, [b'[{"candidates":[]}]'])),
        raises=IncompleteResponse,
    ),
]


@pytest.mark.parametrize("fault", [*faults(), *OWN_FAULTS], ids=lambda fault: fault.name)
async def test_every_fault_ends_named_in_time_and_in_little_memory(fault: Fault) -> None:
    deadline = 0.5 if fault.raises is DeadlineExceeded else 8.0
    ending = await endure(GenerateWire(), fault, deadline=deadline)
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
        ("two ends", (TEXT, DONE, DONE), 2),
        ("an end without its blank line", (TEXT, DONE.rstrip()), 2),
        ("1,000 deltas", (*[TEXT] * 1000, DONE), 1001),
        ("the same id twice", (called({"name": "a", "id": "x"}, {"name": "a", "id": "x"}), DONE), 3),
        ("an empty id", (called({"name": "a", "id": ""}), DONE), 2),
        ("arguments that are no object", (called({"name": "a", "args": [1]}), DONE), 2),
        ("a call of nothing", (called({}), DONE), 2),
        (
            "absurd usage",
            (TEXT, DONE, event({"usageMetadata": {"promptTokenCount": -1e300, "totalTokenCount": ""}})),
            3,
        ),
        ("a part of a later day", (said({"hologram": {"x": 1}}), DONE), 2),
        ("a blocked prompt", (event({"promptFeedback": {"blockReason": "SAFETY"}}),), 1),
    ],
)
async def test_oddities_are_taken(name: str, pieces: tuple[bytes, ...], chunks: int) -> None:
    ending = await endure(GenerateWire(), Fault(name=name, respond=streams(*pieces), raises=ProviderError))
    assert (ending.error, ending.chunks) == (None, chunks)


async def asked(
    options: Mapping[str, Any], secret: Secret | None, *, model: str = "gemini-2.5-pro", below: str = ""
) -> tuple[str, dict[str, Any]]:
    """The head and the body that a server gets."""
    request = CompletionRequest(model=ModelRef(provider="google", model=model), messages=(user("hello"),))
    async with Playback() as server:
        server.play(200, STREAM, [TEXT, DONE])
        base_url = server.base_url.removesuffix("/v1") + below
        provider = Provider(name="google", wire="", base_url=base_url, secret=secret, options=options)
        async with await GenerateWire().connect(provider) as connection:
            assert [c async for c in connection.stream(request)] == [TextDelta("Hi"), Finished("stop", "STOP")]
        return server.heads[-1], orjson.loads(server.requests[-1])


@pytest.mark.parametrize(
    ("below", "model", "path"),
    [
        ("", "gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro"),
        ("/", "gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro"),
        ("/v1beta/", "gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro"),
        ("/v1", "models/gemini-2.5-pro", "/v1/models/gemini-2.5-pro"),
        ("/proxy", "tunedModels/mine", "/proxy/v1beta/tunedmodels/mine"),
        ("/v1beta1/projects/p/publishers/google", "m", "/v1beta1/projects/p/publishers/google/models/m"),
        ("/v1beta", "what?key=1#2", "/v1beta/models/what%3fkey%3d1%232"),
    ],
)
async def test_the_model_is_asked_below_a_version_of_the_api(below: str, model: str, path: str) -> None:
    began, body = await asked({}, Secret(values={"api_key": "k-123 \n"}), model=model, below=below)
    assert began.startswith(f"post {path}:streamgeneratecontent?alt=sse http")
    assert "x-goog-api-key: k-123" in began.splitlines()
    assert "k-123" not in began.splitlines()[0]
    assert body == {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}


async def test_a_base_url_keeps_its_query() -> None:
    began, _ = await asked({}, None, below="/v1beta?tenant=a")
    assert began.startswith("post /v1beta/models/gemini-2.5-pro:streamgeneratecontent?tenant=a&alt=sse ")
    assert "x-goog-api-key" not in began


async def test_a_token_may_stand_for_the_key() -> None:
    began, _ = await asked({"key": "bearer"}, Secret(values={"api_key": "ya29.token"}))
    assert "authorization: bearer ya29.token" in began.splitlines()
    assert "x-goog-api-key" not in began


async def test_an_answer_in_one_piece() -> None:
    request = CompletionRequest(model=ModelRef(provider="google", model="m"), messages=(user("hello"),))
    body = {
        "candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "MAX_TOKENS"}],
        "usageMetadata": {"promptTokenCount": 2, "candidatesTokenCount": 1},
    }
    async with Playback() as server:
        server.play(200, BODY, [orjson.dumps(body)])
        provider = Provider(name="google", wire="", base_url=server.base_url, options={"stream": False})
        async with await GenerateWire().connect(provider) as connection:
            chunks = [c async for c in connection.stream(request)]
    assert server.heads[-1].startswith("post /v1/models/m:generatecontent http")
    assert chunks[0] == TextDelta("Hi")
    assert chunks[-1] == Finished("length", "MAX_TOKENS")
    assert [c.usage.total_tokens for c in chunks if isinstance(c, UsageReported)] == [3]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"stream": "no"}, "'stream' must be"),
        ({"key": "query"}, "'key' must be in"),
        ({"extra_body": ["user"]}, "'extra_body' must be"),
        ({"generation_config": 1}, "'generation_config' must be"),
        ({"stand_in_signature": 1}, "'stand_in_signature' must be"),
    ],
)
async def test_a_quirk_of_a_wrong_kind_is_a_mistake_in_the_settings(options: Mapping[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=f"providers.google.options: {why}"):
        await GenerateWire().connect(Provider(name="google", wire="", base_url="", options=options))


@pytest.mark.parametrize("odd", ["", "http://[", "no address", "/v1beta"])
def test_what_is_no_address_stays_for_the_transport_to_refuse(odd: str) -> None:
    assert with_version(odd) == odd


def test_what_the_plugin_offers() -> None:
    assert [spec.name for spec in plugin.codetether_wires()] == ["google-generate-content"]
    (spec,) = plugin.codetether_providers()
    assert (spec.name, spec.wire, spec.base_url, spec.default_model, spec.aliases) == (
        "google",
        "google-generate-content",
        "https://generativelanguage.googleapis.com/v1beta",
        "gemini-2.5-pro",
        ("gemini",),
    )
    assert spec.env == ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY")


@pytest.mark.parametrize(
    ("model", "output", "quirks"),
    [
        ("gemini-2.0-flash", 8_192, set()),
        ("gemini-2.5-pro", 65_536, {"generation_config"}),
        ("gemini-2.5-flash", 65_536, {"generation_config"}),
        ("gemini-2.5-flash-lite", 65_536, set()),
        ("gemini-2.5-flash-image", 65_536, set()),
        ("gemini-3-pro-preview", 65_536, {"generation_config", "media_in_results", "stand_in_signature"}),
    ],
)
def test_what_is_known_of_the_models(model: str, output: int, quirks: set[str]) -> None:
    fitting = [d for d in plugin.codetether_model_defaults() if fnmatchcase(f"google/{model}", d.match)]
    assert {d.limits.output for d in fitting} - {None} == {output}
    assert any(d.capabilities.get("structured_output") for d in fitting)
    assert {name for d in fitting for name in d.quirks} == quirks
