"""Connections: who is asked, as whom, and under which quirks; and every fault of a server ends named."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from codetether import (
    AuthenticationFailed,
    CompletionRequest,
    DeadlineExceeded,
    Finished,
    IncompleteResponse,
    InvalidRequest,
    MalformedResponse,
    ModelRef,
    ProviderError,
    RateLimited,
    Secret,
    ServerFailed,
    SettingsError,
    TextDelta,
    Usage,
    UsageReported,
    user,
)
from codetether.models.providers import Provider
from codetether.testing.faults import BODY, KEY, Fault, endure, faults, forever, head, says, streams
from codetether.testing.playback import Playback, chunked
from codetether_provider_bedrock import plugin
from codetether_provider_bedrock.quirks import Quirks
from codetether_provider_bedrock.trials import TRIALS, framed
from codetether_provider_bedrock.wire import ConverseWire

MEDIA_TYPE = "application/vnd.amazon.eventstream"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0"
STATIC = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "hidden-0123456789", "session_token": "token-0123456789"}


def event(name: str, **body: Any) -> bytes:
    return framed(orjson.dumps(body), name)


TEXT = event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Hi"})
STOP = event("messageStop", stopReason="end_turn")
META = event("metadata", usage={"inputTokens": 1, "outputTokens": 2})
USED = UsageReported(Usage(input_tokens=1, output_tokens=2), {"inputTokens": 1, "outputTokens": 2})
ANSWER = [TextDelta("Hi", 0), USED, Finished("stop", "end_turn")]
THROTTLED = framed(b'{"message":"slow down"}', "throttlingException", "exception")
DAMAGED = TEXT[:-1] + bytes([TEXT[-1] ^ 1])


def streamed(*pieces: bytes) -> Any:
    return streams(*pieces, media_type=MEDIA_TYPE)


def failed(status: int, name: str) -> Any:
    headers = {**BODY, "x-amzn-errortype": f"{name}:http://internal.amazon.com/"}
    return says(chunked(status, headers, [b'{"message":"no"}']))


OWN_FAULTS = [
    Fault(name="an exception in a stream", respond=streamed(TEXT, THROTTLED), raises=RateLimited),
    Fault(name="an exception after the end", respond=streamed(TEXT, STOP, THROTTLED), raises=RateLimited),
    Fault(name="a damaged frame", respond=streamed(TEXT, DAMAGED, STOP), raises=MalformedResponse),
    Fault(name="server-sent events", respond=streams(b"data: {}\n\n"), raises=MalformedResponse),
    Fault(name="no end", respond=streamed(TEXT), raises=IncompleteResponse),
    Fault(name="usage, and no end", respond=streamed(TEXT, META), raises=IncompleteResponse),
    Fault(name="half an end", respond=streamed(TEXT, STOP[:-1]), raises=IncompleteResponse),
    Fault(name="400 by its header", respond=failed(400, "ThrottlingException"), raises=RateLimited),
    Fault(name="424 by its header", respond=failed(424, "ModelErrorException"), raises=ServerFailed),
    Fault(name="403 by its header", respond=failed(403, "ExpiredTokenException"), raises=AuthenticationFailed),
    Fault(name="400 of another name", respond=failed(400, "ValidationException"), raises=InvalidRequest),
    Fault(
        name="an endless answer",
        respond=forever(
            head(200, content_type=MEDIA_TYPE), event("contentBlockDelta", delta={"text": "a" * 1000}) * 60
        ),
        raises=MalformedResponse,
    ),
]


@pytest.mark.parametrize("fault", [*faults(TRIALS.stream), *OWN_FAULTS], ids=lambda fault: fault.name)
async def test_every_fault_ends_named_in_time_and_in_little_memory(fault: Fault) -> None:
    deadline = 0.5 if fault.raises is DeadlineExceeded else 8.0
    ending = await endure(ConverseWire(), fault, deadline=deadline)
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
        ("two ends", (TEXT, STOP, STOP, META, META), 3),
        ("an end without its usage", (TEXT, STOP), 2),
        ("usage that is torn", (TEXT, STOP, META[:-1]), 2),
        ("1,000 deltas", (*[TEXT] * 1000, STOP, META), 1002),
        ("events of a later version", (event("messageStart", role="assistant"), event("holo", a=1), STOP, META), 2),
        ("absurd usage", (STOP, event("metadata", usage={"inputTokens": -1e300, "outputTokens": "many"})), 2),
    ],
)
async def test_oddities_are_taken(name: str, pieces: tuple[bytes, ...], chunks: int) -> None:
    ending = await endure(ConverseWire(), Fault(name=name, respond=streamed(*pieces), raises=ProviderError))
    assert (ending.error, ending.chunks) == (None, chunks)


class Listener:
    """A server that keeps the very bytes that it is sent, and gives one answer."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.line, self.body = "", b""
        self.headers: dict[str, str] = {}

    async def __aenter__(self) -> Listener:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines if line)}
        self.body = await reader.readexactly(int(self.headers["content-length"]))
        writer.write(self._answer)
        await writer.drain()
        writer.close()


async def asked(
    values: Mapping[str, Any], *, model: str = "m", options: Mapping[str, Any] | None = None, answer: bytes = b""
) -> Listener:
    """What a server gets that is asked once."""
    said = answer or chunked(200, {"content-type": MEDIA_TYPE}, [TEXT, STOP, META])
    async with Listener(said) as server:
        provider = Provider(
            name="bedrock",
            wire="bedrock-converse",
            base_url=server.base_url,
            secret=Secret(values=values, source="test"),
            options=options or {},
        )
        request = CompletionRequest(model=ModelRef(provider="bedrock", model=model), messages=(user("hello ü"),))
        async with await ConverseWire().connect(provider) as connection:
            assert [c async for c in connection.stream(request)] == ANSWER
    return server


async def test_a_bearer_key_is_sent() -> None:
    server = await asked({"api_key": "bedrock-api-key-0123"})
    assert server.line == "POST /model/m/converse-stream HTTP/1.1"
    assert (server.headers["authorization"], server.headers["accept"]) == ("Bearer bedrock-api-key-0123", MEDIA_TYPE)
    assert orjson.loads(server.body) == {"messages": [{"role": "user", "content": [{"text": "hello ü"}]}]}


async def test_an_answer_in_one_piece_is_asked_for_and_read() -> None:
    body = orjson.dumps(
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 2},
        }
    )
    server = await asked({"api_key": "k"}, options={"stream": False}, answer=chunked(200, BODY, [body]))
    assert server.line == "POST /model/m/converse HTTP/1.1"
    assert server.headers["accept"] == "application/json"


@pytest.mark.parametrize("model", ["anthropic.claude-3-sonnet-20240229-v1:0", ARN, "odd model/ü+%"])
async def test_the_signature_is_the_one_that_amazon_computes(model: str) -> None:
    server = await asked({**STATIC, "region": "eu-west-1"}, model=model)
    target = server.line.split()[1]
    assert target == f"/model/{quote(model, safe='')}/converse-stream"
    algorithm, _, rest = server.headers["authorization"].partition(" ")
    said = dict(pair.split("=", 1) for pair in rest.split(", "))
    assert algorithm == "AWS4-HMAC-SHA256"
    assert {"host", "x-amz-date", "x-amz-security-token"} <= {*said["SignedHeaders"].split(";")}

    signer = SigV4Auth(Credentials(STATIC["access_key_id"], STATIC["secret_access_key"]), "bedrock", "eu-west-1")
    received = AWSRequest(
        "POST",
        f"http://{server.headers['host']}{target}",
        headers={name: server.headers[name] for name in said["SignedHeaders"].split(";")},
        data=server.body,
    )
    received.context["timestamp"] = server.headers["x-amz-date"]
    canonical = signer.canonical_request(received)
    assert signer.signature(signer.string_to_sign(received, canonical), received) == said["Signature"]
    assert said["Credential"].startswith("AKIDEXAMPLE/")
    assert said["Credential"].endswith("/eu-west-1/bedrock/aws4_request")


async def test_a_server_that_echoes_credentials_shows_none() -> None:
    body = orjson.dumps({"message": f"bad token {STATIC['session_token']} of {STATIC['secret_access_key']}"})
    async with Playback(says(chunked(403, BODY, [body]))) as server:
        secret = Secret(values={**STATIC, "region": "us-east-1"}, source="test")
        provider = Provider(name="bedrock", wire="bedrock-converse", base_url=server.base_url, secret=secret)
        request = CompletionRequest(model=ModelRef(provider="bedrock", model="m"), messages=(user("hi"),))
        async with await ConverseWire().connect(provider) as connection:
            with pytest.raises(AuthenticationFailed, match=r"bad token \[redacted\] of \[redacted\]"):
                _ = [c async for c in connection.stream(request)]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"stream": "no"}, "'stream' must be"),
        ({"region": 1}, "'region' must be"),
        ({"extra_body": ["user"]}, "'extra_body' must be"),
        ({"system_tools": "nova_grounding"}, "'system_tools' must be a list of names"),
        ({"cache_points": ["*"]}, "'cache_points' must be globs"),
        ({"cache_points": {"*": ["everywhere"]}}, "'cache_points' must be globs"),
        ({"failed_status": [1]}, "'failed_status' must be a list of names"),
    ],
)
async def test_a_quirk_of_a_wrong_kind_is_a_mistake_in_the_settings(options: Mapping[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=f"providers.bedrock.options: {why}"):
        await ConverseWire().connect(Provider(name="bedrock", wire="", base_url="", options=options))


def test_what_the_plugin_offers() -> None:
    assert [spec.name for spec in plugin.codetether_wires()] == ["bedrock-converse"]
    assert [(spec.name, spec.place) for spec in plugin.codetether_credential_sources()] == [("aws", 150)]
    (spec,) = plugin.codetether_providers()
    assert (spec.name, spec.aliases, spec.default_model, spec.env) == (
        "bedrock",
        ("amazon-bedrock",),
        None,
        ("AWS_BEARER_TOKEN_BEDROCK",),
    )
    assert len(spec.models) > 5


@pytest.mark.parametrize(
    ("model", "cached", "status"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", {"system", "tools", "messages"}, True),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", {"system", "tools", "messages"}, True),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", {"system", "tools", "messages"}, True),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", set(), True),
        ("anthropic.claude-3-haiku-20240307-v1:0", set(), True),
        ("anthropic.claude-v2:1", set(), True),
        ("us.amazon.nova-pro-v1:0", {"system"}, True),
        ("mistral.mistral-large-3-675b-instruct", set(), False),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", set(), False),
    ],
)
def test_which_models_take_cache_points_and_the_status_of_results(model: str, cached: set[str], status: bool) -> None:
    (spec,) = plugin.codetether_providers()
    quirks = Quirks(**spec.quirks)
    assert (set(quirks.cached(model)), quirks.takes_status(model)) == (cached, status)


@pytest.mark.parametrize(
    ("model", "limit", "refused"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, set()),
        ("us.anthropic.claude-opus-4-7-v1", None, {"temperature", "top_p"}),
        ("anthropic.claude-3-haiku-20240307-v1:0", 4096, set()),
        ("us.amazon.nova-micro-v1:0", 5120, set()),
        ("us.amazon.nova-2-lite-v1:0", None, set()),
    ],
)
def test_what_models_refuse(model: str, limit: int | None, refused: set[str]) -> None:
    fitting = [d for d in plugin.codetether_model_defaults() if fnmatchcase(f"bedrock/{model}", d.match)]
    assert {name for d in fitting for name in d.omit} == refused
    assert next((n for d in fitting if (n := d.sampling.max_output_tokens)), None) == limit
