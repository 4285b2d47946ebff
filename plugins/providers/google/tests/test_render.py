"""Requests as Gemini wants them: every part, signature and id in its place."""

from __future__ import annotations

import gc
from base64 import b64encode
from typing import Any

import attrs
import orjson
import pytest
from codetether import (
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    MessagePart,
    ModelRef,
    RefusalPart,
    SamplingParams,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    user,
)
from codetether_provider_google.calls import made_id
from codetether_provider_google.quirks import Quirks
from codetether_provider_google.render import Renderer

GEMINI = ModelRef(provider="google", model="gemini-2.5-pro")
PNG = ImagePart(media_type="image/png", data=b"png")
PNG_SENT = {"inlineData": {"mimeType": "image/png", "data": b64encode(b"png").decode()}}


def sent(*messages: Message, quirks: Quirks | None = None, **more: Any) -> dict[str, Any]:
    request = CompletionRequest(model=more.pop("model", GEMINI), messages=messages, **more)
    body: dict[str, Any] = orjson.loads(Renderer("google", quirks or Quirks()).render(request))
    return body


def contents(*messages: Message, quirks: Quirks | None = None, **more: Any) -> Any:
    return sent(*messages, quirks=quirks, **more)["contents"]


def model(*parts: MessagePart, provider: str = "google", of: str | None = None) -> Message:
    return Message(role="assistant", parts=parts, provider=provider, model=of)


def call(id_: str, name: str = "read", arguments: str = "{}", **own: Any) -> ToolCallPart:
    return ToolCallPart(id=id_, name=name, arguments=arguments, provider_data={"google": own} if own else {})


def result(id_: str, *content: Any, name: str = "read", success: bool = True) -> Message:
    texts = tuple(TextPart(text=c) if isinstance(c, str) else c for c in content)
    return Message(role="tool", parts=(ToolResultPart(tool_call_id=id_, name=name, content=texts, success=success),))


def test_a_request_has_only_what_is_asked_for() -> None:
    assert sent(user("hello")) == {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}


def test_everything_that_can_be_asked_for() -> None:
    tool = ToolDefinition(name="read", description="reads", schema={"properties": {"p": {"const": "a"}}})
    body = sent(
        user("hello"),
        system="be kind",
        tools=(tool,),
        tool_choice="read",
        sampling=SamplingParams(temperature=0.0, top_p=0.5, max_output_tokens=9, stop=("x",), seed=7),
    )
    parameters = {"type": "object", "properties": {"p": {"type": "string", "enum": ["a"]}}}
    assert body == {
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        "systemInstruction": {"parts": [{"text": "be kind"}]},
        "tools": [
            {"functionDeclarations": [{"name": "read", "description": "reads", "parametersJsonSchema": parameters}]}
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["read"]}},
        "generationConfig": {"temperature": 0.0, "topP": 0.5, "maxOutputTokens": 9, "stopSequences": ["x"], "seed": 7},
    }


@pytest.mark.parametrize(
    ("choice", "config"), [("auto", None), ("none", {"mode": "NONE"}), ("required", {"mode": "ANY"})]
)
def test_whether_to_call(choice: str, config: Any) -> None:
    body = sent(user("a"), tools=(ToolDefinition(name="t", description="", schema={}),), tool_choice=choice)
    assert body.get("toolConfig") == (None if config is None else {"functionCallingConfig": config})
    assert "toolConfig" not in sent(user("a"), tool_choice=choice)


def test_results_follow_their_calls_in_one_content_and_ids_made_here_stay_here() -> None:
    made = made_id()
    calls = model(call(made, thoughtSignature="s1"), call("theirs", "list", '{"a": 1.50}'))
    assert contents(
        user("go"), calls, result(made, "one", "two"), result("theirs", "no", name="list", success=False), user("so?")
    ) == [
        {"role": "user", "parts": [{"text": "go"}]},
        {
            "role": "model",
            "parts": [
                {"functionCall": {"name": "read", "args": {}}, "thoughtSignature": "s1"},
                {"functionCall": {"name": "list", "args": {"a": 1.5}, "id": "theirs"}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "read", "response": {"output": "one\ntwo"}}},
                {"functionResponse": {"name": "list", "response": {"error": "no"}, "id": "theirs"}},
            ],
        },
        {"role": "user", "parts": [{"text": "so?"}]},
    ]


def test_a_server_that_takes_no_ids_gets_none() -> None:
    turns = contents(model(call("a")), result("a", "one"), quirks=Quirks(send_ids=False))
    assert "id" not in turns[0]["parts"][0]["functionCall"]
    assert "id" not in turns[1]["parts"][0]["functionResponse"]


def test_images_of_a_tool_follow_all_results_or_stand_within() -> None:
    gif = ImagePart(media_type="image/gif", data=b"gif")
    note = FilePart(media_type="text/plain", name="a.txt", data=b"a")
    messages = (model(call("a"), call("b")), result("a", "see", PNG, gif, note), result("b", "ok"))
    after = contents(*messages)[1]["parts"]
    kinds = ["functionResponse", "functionResponse", "inlineData", "inlineData", "text"]
    assert [next(iter(part)) for part in after] == kinds
    within = contents(*messages, quirks=Quirks(media_in_results=True))[1]["parts"]
    assert [part["functionResponse"].get("parts") for part in within[:2]] == [[PNG_SENT], None]
    assert within[2:] == after[3:]


def test_signatures_go_back_on_the_part_they_came_with() -> None:
    signed = {"google": {"thoughtSignature": "s"}}
    code = {"executableCode": {"code": "1", "language": "PYTHON"}, "thoughtSignature": "c"}
    turn = model(
        ThinkingPart(text="hm"),
        ThinkingPart(text="so", provider_data=signed),
        ThinkingPart(provider_data={"google": {"part": code}}),
        TextPart(text="a"),
        TextPart(text="b", provider_data=signed),
        ImagePart(media_type="image/png", data=b"png", provider_data={"google": {"thought": True}}),
        TextPart(text="", provider_data=signed),
        TextPart(text=""),
    )
    parts = [
        {"text": "hm", "thought": True},
        {"text": "so", "thought": True, "thoughtSignature": "s"},
        code,
        {"text": "a"},
        {"text": "b", "thoughtSignature": "s"},
        {**PNG_SENT, "thought": True},
        {"text": "", "thoughtSignature": "s"},
    ]
    assert contents(turn) == [{"role": "model", "parts": parts}]
    silent = contents(turn, quirks=Quirks(echo_thinking=False))
    assert silent == [{"role": "model", "parts": parts[1:]}]


def test_what_one_provider_signed_no_other_gets() -> None:
    turn = model(
        ThinkingPart(text="hm", provider_data={"google": {"thoughtSignature": "s"}}),
        TextPart(text="a", provider_data={"google": {"thoughtSignature": "s"}}),
        call("x", thoughtSignature="s"),
        provider="google-vertex",
    )
    expected = [{"text": "a"}, {"functionCall": {"name": "read", "args": {}, "id": "x"}}]
    assert contents(turn) == [{"role": "model", "parts": expected}]


@pytest.mark.parametrize(
    ("turn", "signatures"),
    [
        (model(call("a"), call("b"), provider="openai"), ["stand-in", None]),
        (model(TextPart(text="t"), call("a"), provider="openai"), [None, "stand-in"]),
        (model(call("a"), call("b"), of="gemini-2.0-flash"), ["stand-in", None]),
        (model(call("a", thoughtSignature="s"), call("b"), of="gemini-2.5-flash"), ["s", None]),
        (model(call("a"), call("b"), of="gemini-2.5-pro"), [None, None]),
        (model(call("a"), call("b")), [None, None]),
    ],
)
def test_calls_of_other_models_get_a_signature_where_one_is_wanted(turn: Message, signatures: list[str]) -> None:
    (content,) = contents(turn, quirks=Quirks(stand_in_signature="stand-in"))
    assert [part.get("thoughtSignature") for part in content["parts"]] == signatures


@pytest.mark.parametrize(
    ("arguments", "args"),
    [
        ("", b"{}"),
        ('{"big": 12345678901234567890123}', b'{"big": 12345678901234567890123}'),
        ('{"deep": ' + "[" * 500 + "]" * 500 + "}", b'{"deep": ' + b"[" * 500 + b"]" * 500 + b"}"),
        ('{"a": ', b'{"arguments":"{\\"a\\": "}'),
        ("[1]", b'{"arguments":"[1]"}'),
    ],
)
def test_arguments_are_an_object_whatever_a_model_wrote(arguments: str, args: bytes) -> None:
    request = CompletionRequest(model=GEMINI, messages=(model(call("a", arguments=arguments)),))
    assert b'{"name":"read","args":%b,"id":"a"}' % args in Renderer("google", Quirks()).render(request)


def inline(media_type: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": media_type, "data": "YQ=="}}


def at(media_type: str, address: str) -> dict[str, Any]:
    return {"fileData": {"mimeType": media_type, "fileUri": address}}


@pytest.mark.parametrize(
    ("part", "as_sent"),
    [
        (PNG, PNG_SENT),
        (ImagePart(media_type="image/png", url="data:image/gif;base64,YQ=="), inline("image/gif")),
        (ImagePart(media_type="image/*", url="https://x/a.webp?b"), at("image/webp", "https://x/a.webp?b")),
        (FilePart(media_type="application/pdf", url="gs://b/a"), at("application/pdf", "gs://b/a")),
        (FilePart(media_type="application/pdf", name="a.pdf", data=b"a"), inline("application/pdf")),
        (FilePart(media_type="text/plain", data=b"a"), inline("text/plain")),
        (FilePart(media_type="text/plain", name="a.txt", data=b"a"), {"text": "a.txt:\na"}),
        (FilePart(media_type="application/json", name="a.json", data=b"{}"), {"text": "a.json:\n{}"}),
        (FilePart(media_type="", url="https://video/1"), {"fileData": {"fileUri": "https://video/1"}}),
    ],
)
def test_images_and_files(part: Any, as_sent: dict[str, Any]) -> None:
    assert contents(user("see", [part])) == [{"role": "user", "parts": [{"text": "see"}, as_sent]}]


def test_empty_messages_are_left_out() -> None:
    empty = [user(""), model(), model(TextPart(text="")), model(ThinkingPart(text="hm"), provider="openai")]
    assert contents(*empty, user("a")) == [{"role": "user", "parts": [{"text": "a"}]}]


def test_a_refusal_is_text() -> None:
    assert contents(model(RefusalPart(text="no"), provider="openai")) == [{"role": "model", "parts": [{"text": "no"}]}]


def test_lone_surrogates_are_sent_as_something_else() -> None:
    (content,) = contents(user("a\ud800b"))
    assert content["parts"][0]["text"].startswith("a")


def test_settings_are_laid_over_the_request() -> None:
    quirks = Quirks(
        generation_config={"temperature": 0.1, "thinkingConfig": {"thinkingBudget": 5}},
        extra_body={
            "tools": [{"codeExecution": {}}],
            "safetySettings": [],
            "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
        },
    )
    tool = ToolDefinition(name="t", description="", schema={})
    body = sent(user("a"), quirks=quirks, tools=(tool,), sampling=SamplingParams(temperature=1.0, seed=3))
    assert [list(entry) for entry in body["tools"]] == [["functionDeclarations"], ["codeExecution"]]
    assert body["safetySettings"] == []
    assert body["generationConfig"] == {
        "temperature": 0.1,
        "seed": 3,
        "thinkingConfig": {"thinkingBudget": 5, "includeThoughts": True},
    }


def test_a_message_is_rendered_once_and_forgotten_with_it() -> None:
    renderer = Renderer("google", Quirks(stand_in_signature="s"))
    messages = [user("a"), model(call("x"), of="gemini-2.5-pro"), result("x", "one")]
    request = CompletionRequest(model=GEMINI, messages=tuple(messages))
    first = renderer.render(request)
    kept = renderer._kept.of(messages)
    assert renderer.render(request) == first
    assert all(one is other for one, other in zip(renderer._kept.of(messages), kept, strict=True))
    assert len(renderer._kept) == 3
    other = attrs.evolve(request, model=ModelRef(provider="google", model="gemini-3-pro"))
    assert b'"thoughtSignature":"s"' in renderer.render(other)
    assert renderer.render(request) == first
    del request, other, messages
    gc.collect()
    assert len(renderer._kept) == 0


def test_a_schema_for_the_answer_is_enforced_where_no_tools_are_offered() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    config = sent(user("hi"), schema=schema)["generationConfig"]
    assert config == {"responseMimeType": "application/json", "responseJsonSchema": schema}
    tool = ToolDefinition(name="read", description="Reads.", schema={"type": "object", "properties": {}})
    assert "generationConfig" not in sent(user("hi"), schema=schema, tools=(tool,))
