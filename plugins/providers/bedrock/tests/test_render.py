"""Requests are written as Converse wants them, and each message only once."""

from __future__ import annotations

import gc
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.session import Session  # type: ignore[import-untyped]
from codetether import (
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    ModelRef,
    RefusalPart,
    SamplingParams,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    Unknown,
    user,
)
from codetether_provider_bedrock.blocks import kept
from codetether_provider_bedrock.quirks import Quirks
from codetether_provider_bedrock.render import Renderer
from codetether_provider_bedrock.wire import ConverseCodec

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
READ = ToolDefinition(name="read", description="Reads.", schema={"type": "object", "properties": {"p": {}}})
NOW = ToolDefinition(name="now", description="", schema={})
POINT = {"cachePoint": {"type": "default"}}
PNG = b"\x89PNG"


def body(*messages: Message, quirks: Quirks | None = None, model: str = CLAUDE, **fields: Any) -> dict[str, Any]:
    request = CompletionRequest(model=ModelRef(provider="acme", model=model), messages=messages, **fields)
    made: dict[str, Any] = orjson.loads(Renderer("acme", quirks or Quirks()).render(request))
    return made


def said(*messages: Message, quirks: Quirks | None = None, model: str = CLAUDE) -> list[Any]:
    made: list[Any] = body(*messages, quirks=quirks, model=model)["messages"]
    return made


def assistant(*parts: Any, provider: str = "acme", model: str = CLAUDE) -> Message:
    return Message(role="assistant", parts=parts, provider=provider, model=model)


def result(id_: str, *content: Any, success: bool = True) -> Message:
    part = ToolResultPart(tool_call_id=id_, name="read", content=content, success=success)
    return Message(role="tool", parts=(part,))


def text(words: str) -> dict[str, Any]:
    return {"text": words}


def test_a_plain_request() -> None:
    assert body(user("hello"), system="be good") == {
        "messages": [{"role": "user", "content": [text("hello")]}],
        "system": [text("be good")],
    }


def test_a_request_with_everything() -> None:
    quirks = Quirks(
        cache_points={"*nova*": ["system"], "*claude*": ["system", "tools", "messages"], "*": []},
        system_tools=["nova_grounding"],
        additional_model_request_fields={"top_k": 5},
        extra_body={"serviceTier": {"type": "flex"}},
    )
    sampling = SamplingParams(temperature=0.0, top_p=0.5, max_output_tokens=9, stop=("a", "b"), seed=7)
    made = body(user("hi"), quirks=quirks, sampling=sampling, tools=(READ, NOW), tool_choice="read", system="s")
    assert made == {
        "messages": [{"role": "user", "content": [text("hi"), POINT]}],
        "system": [text("s"), POINT],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.0, "topP": 0.5, "stopSequences": ["a", "b"]},
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "read", "inputSchema": {"json": READ.schema}, "description": "Reads."}},
                {"toolSpec": {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
                {"systemTool": {"name": "nova_grounding"}},
                POINT,
            ],
            "toolChoice": {"tool": {"name": "read"}},
        },
        "additionalModelRequestFields": {"top_k": 5},
        "serviceTier": {"type": "flex"},
    }
    assert body(user("hi"), quirks=quirks, model="amazon.nova-pro-v1:0", system="s")["system"] == [text("s"), POINT]
    assert said(user("hi"), quirks=quirks, model="amazon.nova-pro-v1:0")[0]["content"] == [text("hi")]


@pytest.mark.parametrize(
    ("choice", "sent"), [("auto", None), ("required", {"any": {}}), ("now", {"tool": {"name": "now"}})]
)
def test_tool_choice(choice: str, sent: Any) -> None:
    assert body(user("hi"), tools=(READ, NOW), tool_choice=choice)["toolConfig"].get("toolChoice") == sent
    assert "toolConfig" not in body(user("hi"), tool_choice=choice)


def test_cache_points_stand_where_the_last_two_questions_end() -> None:
    history = (user("a"), assistant(TextPart(text="b")), user("c"), assistant(TextPart(text="d")), user("e"))
    made = said(*history, quirks=Quirks(cache_points={"*": ["messages"]}))
    assert [message["content"][-1] == POINT for message in made] == [False, False, True, False, True]


def test_no_tools_are_offered_where_none_may_be_called() -> None:
    assert "toolConfig" not in body(user("hi"), tools=(READ,), tool_choice="none")


def test_a_history_of_calls_is_sent_with_the_tools_that_were_called() -> None:
    call = ToolCallPart(id="a", name="read", arguments="{}")
    made = body(user("hi"), assistant(call), result("a", TextPart(text="x")), tools=(NOW,), tool_choice="none")
    (tool,) = made["toolConfig"]["tools"]
    assert tool["toolSpec"]["name"] == "read"
    assert "toolChoice" not in made["toolConfig"]


def test_calls_and_all_their_results_in_one_message() -> None:
    calls = (ToolCallPart(id="a", name="read", arguments='{"p":1}'), ToolCallPart(id="b", name="now", arguments=""))
    image = ImagePart(media_type="image/png", data=PNG)
    history = (
        user("go"),
        assistant(TextPart(text="so"), *calls),
        result("a", TextPart(text="x"), image),
        result("b", success=False),
        user("and?"),
    )
    assert said(*history)[1:] == [
        {
            "role": "assistant",
            "content": [
                text("so"),
                {"toolUse": {"toolUseId": "a", "name": "read", "input": {"p": 1}}},
                {"toolUse": {"toolUseId": "b", "name": "now", "input": {}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "toolResult": {
                        "toolUseId": "a",
                        "content": [text("x"), {"image": {"format": "png", "source": {"bytes": "iVBORw=="}}}],
                    }
                },
                {"toolResult": {"toolUseId": "b", "content": [text("(no output)")], "status": "error"}},
                text("and?"),
            ],
        },
    ]
    plain = said(*history, quirks=Quirks(failed_status=["*anthropic*"]), model="mistral.large")[2]["content"][1]
    assert "status" not in plain["toolResult"]


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ('{"a": 1.0}', {"a": 1.0}),
        ("", {}),
        ("  ", {}),
        ("{}", {}),
        ('{"a": ', {"arguments": '{"a": '}),
        ("[1]", {"arguments": [1]}),
        ("null", {"arguments": None}),
        ('"\ud800"', {"arguments": '"�"'}),
    ],
)
def test_arguments_are_always_an_object(arguments: str, sent: Any) -> None:
    (message,) = said(user("go"), assistant(ToolCallPart(id="a", name="read", arguments=arguments)))[1:]
    assert message["content"][0]["toolUse"]["input"] == sent


def test_arguments_go_back_as_they_were_written() -> None:
    written = '{"a": 18446744073709551617, "b": 1.10}'
    call = assistant(ToolCallPart(id="a", name="read", arguments=written))
    request = CompletionRequest(model=ModelRef(provider="acme", model=CLAUDE), messages=(user("go"), call))
    assert written.encode() in Renderer("acme", Quirks()).render(request)


def test_ids_and_names_of_others_become_what_converse_takes() -> None:
    odd = "call/" + "x" * 80
    (first, second) = said(
        user("go"), assistant(ToolCallPart(id=odd, name="a.b c", arguments="{}")), result(odd, TextPart(text="x"))
    )[1:]
    call = first["content"][0]["toolUse"]
    assert call["name"] == "a_b_c"
    assert call["toolUseId"].startswith("tooluse_")
    assert second["content"][0]["toolResult"]["toolUseId"] == call["toolUseId"]
    (message,) = said(user("go"), assistant(ToolCallPart(id="functions.add:0", name="", arguments="{}")))[1:]
    assert message["content"][0]["toolUse"] == {"toolUseId": "functions.add:0", "name": "unnamed", "input": {}}


def test_images() -> None:
    parts = (
        ImagePart(media_type="image/jpg", data=PNG),
        ImagePart(media_type="image/*", url="s3://bucket/a.JPG"),
        ImagePart(media_type="image/*", url="data:image/webp;base64,iVBORw=="),
        ImagePart(media_type="image/*", url="https://x/y.png"),
        ImagePart(media_type="image/bmp", data=PNG),
        ImagePart(media_type="image/png", url="data:image/png;base64,?"),
    )
    assert said(user("look", parts))[0]["content"] == [
        text("look"),
        {"image": {"format": "jpeg", "source": {"bytes": "iVBORw=="}}},
        {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://bucket/a.JPG"}}}},
        {"image": {"format": "webp", "source": {"bytes": "iVBORw=="}}},
        text("(an image https://x/y.png of type image/* that could not be sent)"),
        text("(an image of type image/bmp that could not be sent)"),
        text("(an image data:image/png;base64,? of type image/png that could not be sent)"),
    ]


def document(name: str, format_: str, data: str = "JVBERg==") -> dict[str, Any]:
    return {"document": {"format": format_, "name": name, "source": {"bytes": data}}}


def test_documents_have_names_of_their_own() -> None:
    pdf = b"%PDF"
    parts = (
        FilePart(media_type="application/pdf", name="Q1_report (v2).pdf", data=pdf),
        FilePart(media_type="application/pdf", name="q1 report (v2).pdf", data=pdf),
        FilePart(media_type="application/octet-stream", name="a.DOCX", data=pdf),
        FilePart(media_type="application/json", name="x.json", data=pdf),
        FilePart(media_type="text/x-python", name="ünï.py", data=pdf),
        FilePart(media_type="application/zip", name="a.zip", data=pdf),
        FilePart(media_type="text/csv", url="s3://bucket/t.csv"),
    )
    assert said(user("read", parts))[0]["content"] == [
        text("read"),
        document("Q1 report (v2)", "pdf"),
        document("q1 report (v2) 2", "pdf"),
        document("a", "docx"),
        document("x", "txt"),
        document("n", "txt"),
        text("(a file a.zip of type application/zip that could not be sent)"),
        {"document": {"format": "csv", "name": "document", "source": {"s3Location": {"uri": "s3://bucket/t.csv"}}}},
    ]
    long = said(user("a", [FilePart(media_type="application/pdf", name="x" * 300, data=pdf)]))[0]["content"][1]
    assert len(long["document"]["name"]) < 200


def test_a_document_never_comes_without_words() -> None:
    part = FilePart(media_type="application/pdf", name="a_b.pdf", data=b"%PDF")
    assert said(user("", [part]))[0]["content"] == [text("a_b.pdf"), document("a b", "pdf")]


def test_thinking_goes_back_to_its_maker_alone() -> None:
    parts = (
        ThinkingPart(text="so", provider_data={"acme": {"signature": "x"}}),
        ThinkingPart(provider_data={"acme": {"redacted": "AAEC"}}),
        ThinkingPart(text="unsigned"),
        TextPart(text="a"),
        kept({"toolUse": {"type": "server_tool_use", "toolUseId": "s", "name": "n", "input": {}}}),
        Unknown(raw={"type": "of another"}),
    )
    own = [
        {"reasoningContent": {"reasoningText": {"text": "so", "signature": "x"}}},
        {"reasoningContent": {"redactedContent": "AAEC"}},
        text("a"),
        {"toolUse": {"type": "server_tool_use", "toolUseId": "s", "name": "n", "input": {}}},
    ]
    haiku = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
    assert said(user("q"), assistant(*parts))[1]["content"] == own
    assert said(user("q"), assistant(*parts, model=haiku))[1]["content"] == own
    assert said(user("q"), assistant(*parts, provider="openai"))[1]["content"] == [text("a")]
    assert said(user("q"), assistant(*parts), model="us.amazon.nova-pro-v1:0")[1]["content"] == [text("a")]
    assert said(user("q"), assistant(*parts), quirks=Quirks(echo_thinking=False))[1]["content"] == own[2:]


def test_what_says_nothing_is_left_out() -> None:
    history = (user(" "), assistant(TextPart(text="\n")), user("a"), user("b"), assistant(RefusalPart(text="no")))
    assert said(*history) == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": [text("no")]},
    ]


def test_the_user_always_begins() -> None:
    began = said(assistant(TextPart(text="a")), user("b"))
    assert [m["role"] for m in began] == ["user", "assistant", "user"]


def test_lone_surrogates_can_be_sent() -> None:
    made = body(user("a\ud800"), system="b\ud800", tools=(ToolDefinition(name="t", description="\ud800", schema={}),))
    assert made["messages"][0]["content"] == [text("a�")]
    assert made["system"] == [text("b�")]


def test_a_message_is_rendered_once() -> None:
    renderer = Renderer("acme", Quirks())
    history = [user(f"message {i}") for i in range(3)]
    ref = ModelRef(provider="acme", model=CLAUDE)
    first = renderer.render(CompletionRequest(model=ref, messages=tuple(history)))
    rendered = renderer._kept.of(history)
    assert renderer.render(CompletionRequest(model=ref, messages=tuple(history))) == first
    assert all(one is other for one, other in zip(renderer._kept.of(history), rendered, strict=True))
    del history[0]
    gc.collect()
    assert len(renderer._kept) == 2


class Sent:
    """What botocore's own client would send: it validates the parameters, serializes them, and gets no further."""

    def __init__(self) -> None:
        session = Session()
        session.set_credentials("AKIDEXAMPLE", "secret")
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=1)
        self._client = session.create_client("bedrock-runtime", "us-east-1", config=config)
        self._client.meta.events.register("before-send.bedrock-runtime.*", self._keep)
        self.url = ""
        self.body: Any = None

    def _keep(self, request: Any, **_: Any) -> AWSResponse:
        self.url, self.body = request.url, orjson.loads(request.body)
        answer = b'{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"end_turn"}'
        return AWSResponse(request.url, 200, {"content-type": "application/json"}, _Raw(answer))

    def converse(self, model: str, body: dict[str, Any]) -> None:
        """Asks with the very parameters of a body of ours."""
        self._client.converse(modelId=model, **_with_bytes(body))


class _Raw:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._data


def _with_bytes(value: Any) -> Any:
    """JSON's base64 as the bytes that botocore takes."""
    if isinstance(value, list):
        return [_with_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        k: b64decode(v) if k in ("bytes", "redactedContent") and isinstance(v, str) else _with_bytes(v)
        for k, v in value.items()
    }


@pytest.fixture(scope="module")
def botocores() -> Sent:
    return Sent()


def test_botocore_would_send_the_same(botocores: Sent) -> None:
    history = (
        user("look", [ImagePart(media_type="image/png", data=PNG), ImagePart(media_type="image/*", url="s3://buck/a.png")]),
        assistant(
            ThinkingPart(text="so", provider_data={"acme": {"signature": "x"}}),
            ThinkingPart(provider_data={"acme": {"redacted": "AAEC"}}),
            TextPart(text="ü"),
            ToolCallPart(id="a", name="read", arguments='{"p": [1, {"q": null}]}'),
            ToolCallPart(id="b", name="now", arguments=""),
        ),
        result("a", TextPart(text="x"), ImagePart(media_type="image/gif", data=PNG)),
        result("b", FilePart(media_type="application/pdf", name="a_b.pdf", data=b"%PDF"), success=False),
        user("", [FilePart(media_type="text/plain", name="a.txt", data=b"one")]),
    )  # fmt: skip
    made = body(
        *history,
        system="be good",
        tools=(READ, NOW),
        tool_choice="required",
        sampling=SamplingParams(temperature=0.5, top_p=0.5, max_output_tokens=9, stop=("a",)),
        quirks=Quirks(
            cache_points={"*": ["system", "tools", "messages"]},
            system_tools=["nova_grounding"],
            additional_model_request_fields={"thinking": {"type": "enabled", "budget_tokens": 1024}},
            extra_body={"guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "1", "trace": "enabled"}},
        ),
    )
    botocores.converse(CLAUDE, made)
    assert botocores.body == made


@pytest.mark.parametrize(
    "model",
    [
        CLAUDE,
        "anthropic.claude-v2",
        "amazon.nova-micro-v1:0:24k",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456",
        "arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-2-1b-instruct-v1:0",
    ],
)
def test_models_stand_in_the_address_as_botocore_writes_them(model: str, botocores: Sent) -> None:
    request = CompletionRequest(model=ModelRef(provider="acme", model=model), messages=(user("hi"),))
    codec = ConverseCodec("acme", Quirks(stream=False))
    botocores.converse(model, orjson.loads(codec.render(request)))
    assert botocores.url == f"https://bedrock-runtime.us-east-1.amazonaws.com{codec.address(request)}"
    assert ConverseCodec("acme", Quirks()).address(request) == f"{codec.address(request)}-stream"
