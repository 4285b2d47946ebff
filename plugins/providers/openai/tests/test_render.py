"""Requests are written as servers want them, and each message only once."""

from __future__ import annotations

import gc
import re
from typing import Any

import orjson
import pytest
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
    user,
)
from codetether_provider_openai.quirks import Quirks
from codetether_provider_openai.render import Renderer, short_id

REF = ModelRef(provider="acme", model="m/1")
READ = ToolDefinition(name="read", description="Reads.", schema={"type": "object", "properties": {"p": {}}})
NOW = ToolDefinition(name="now", description="The time.", schema={})


def body(*messages: Message, quirks: Quirks | None = None, **fields: Any) -> dict[str, Any]:
    request = CompletionRequest(model=REF, messages=messages, **fields)
    made: dict[str, Any] = orjson.loads(Renderer("acme", quirks or Quirks()).render(request))
    return made


def said(*messages: Message, quirks: Quirks | None = None) -> list[Any]:
    made: list[Any] = body(*messages, quirks=quirks)["messages"]
    return made


def assistant(*parts: Any, provider: str = "acme") -> Message:
    return Message(role="assistant", parts=parts, provider=provider)


def result(id_: str, *content: Any) -> Message:
    return Message(role="tool", parts=(ToolResultPart(tool_call_id=id_, name="read", content=content, success=True),))


def test_a_plain_request() -> None:
    assert body(user("hello"), system="be good") == {
        "model": "m/1",
        "messages": [{"role": "system", "content": "be good"}, {"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_request_with_everything() -> None:
    sampling = SamplingParams(temperature=0.0, top_p=0.5, max_output_tokens=9, stop=("a", "b"), seed=0)
    quirks = Quirks(
        max_tokens_field="max_completion_tokens",
        stream=False,
        parallel_tool_calls=False,
        extra_body={"user": "me", "reasoning_effort": "low"},
    )
    made = body(user("hi"), quirks=quirks, sampling=sampling, tools=(READ, NOW), tool_choice="read")
    assert made == {
        "model": "m/1",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [
            {"type": "function", "function": {"name": "read", "description": "Reads.", "parameters": READ.schema}},
            {
                "type": "function",
                "function": {
                    "name": "now",
                    "description": "The time.",
                    "parameters": {"type": "object", "properties": {}},
                },
            },
        ],
        "tool_choice": {"type": "function", "function": {"name": "read"}},
        "parallel_tool_calls": False,
        "temperature": 0.0,
        "top_p": 0.5,
        "max_completion_tokens": 9,
        "stop": ["a", "b"],
        "seed": 0,
        "stream": False,
        "user": "me",
        "reasoning_effort": "low",
    }


@pytest.mark.parametrize(("choice", "sent"), [("auto", None), ("none", "none"), ("required", "required")])
def test_tool_choice(choice: str, sent: str | None) -> None:
    assert body(user("hi"), tools=(READ,), tool_choice=choice).get("tool_choice") == sent
    assert "tool_choice" not in body(user("hi"), tool_choice=choice)


def test_images_and_files_stand_beside_the_text() -> None:
    parts = (
        ImagePart(media_type="image/png", data=b"\x89PNG"),
        ImagePart(media_type="image/*", url="https://x/y.png"),
        FilePart(media_type="application/pdf", name="a.pdf", data=b"%PDF"),
        FilePart(media_type="", provider_data={"acme": {"file_id": "file-1"}}),
        FilePart(media_type="text/plain", name="a.txt", data=b"one"),
    )
    assert said(user("look", parts)) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
                {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "text", "text": "a.txt:\none"},
            ],
        }
    ]


def test_calls_and_their_results() -> None:
    calls = (ToolCallPart(id="a", name="read", arguments='{"p":1}'), ToolCallPart(id="b", name="now", arguments=""))
    assert said(assistant(TextPart(text="so"), *calls), result("a", TextPart(text="x"), TextPart(text="y"))) == [
        {
            "role": "assistant",
            "content": "so",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "read", "arguments": '{"p":1}'}},
                {"id": "b", "type": "function", "function": {"name": "now", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "x\ny"},
    ]


def test_ids_of_another_providers_calls_are_shortened_where_they_must_be() -> None:
    quirks = Quirks(short_tool_ids=True)
    own, short, foreign, odd = "call_own", "a1B2c3D4e", "call_0123456789", "\ud800"
    messages = [
        assistant(ToolCallPart(id=own, name="now", arguments="{}")),
        assistant(*(ToolCallPart(id=i, name="now", arguments="{}") for i in (short, foreign, odd)), provider="other"),
        *(result(id_, TextPart(text="x")) for id_ in (own, short, foreign, odd)),
    ]
    sent = said(*messages, quirks=quirks)
    called = [call["id"] for message in sent for call in message.get("tool_calls", ())]
    assert called == [own, short, short_id(foreign), short_id(odd)]
    assert called == [message["tool_call_id"] for message in sent if message["role"] == "tool"]
    assert all(re.fullmatch("[A-Za-z0-9]{9}", id_) for id_ in called[1:])
    assert len(set(called)) == 4


def test_what_a_parameter_is_called_is_a_quirk() -> None:
    quirks = Quirks(seed_field="random_seed", max_tokens_field="max_completion_tokens")
    sent = body(user("x"), quirks=quirks, sampling=SamplingParams(seed=7, max_output_tokens=9))
    assert {"random_seed": 7, "max_completion_tokens": 9}.items() <= sent.items()
    assert not {"seed", "max_tokens"} & sent.keys()


def test_a_call_without_words_has_null_for_content() -> None:
    (message,) = said(assistant(ToolCallPart(id="a", name="now", arguments="{}")))
    assert message["content"] is None


def test_an_image_that_a_tool_gave_follows_as_the_users() -> None:
    image = ImagePart(media_type="image/png", url="https://x/y.png")
    assert said(result("a", TextPart(text="here"), image)) == [
        {"role": "tool", "tool_call_id": "a", "content": "here"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]},
    ]


DETAILS = [{"type": "reasoning.encrypted", "data": "xyz", "index": 0}]
CALL = ToolCallPart(id="a", name="now", arguments="{}")


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ({"field": "reasoning_content"}, {"reasoning_content": "hm", "content": None}),
        ({"field": "reasoning"}, {"reasoning": "hm", "content": None}),
        ({"reasoning_details": DETAILS}, {"reasoning_details": DETAILS, "content": None}),
        (
            {"field": "content"},
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        ),
        ({"signature": "of another wire"}, {"content": None}),
    ],
)
def test_reasoning_goes_back_as_it_came(data: dict[str, Any], fields: dict[str, Any]) -> None:
    message = assistant(ThinkingPart(text="hm", provider_data={"acme": data}), CALL)
    call = {"id": "a", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    assert said(message) == [{"role": "assistant", **fields, "tool_calls": [call]}]


@pytest.mark.parametrize("quirks", [Quirks(), Quirks(echo_thinking=False)])
def test_reasoning_never_goes_to_somebody_else(quirks: Quirks) -> None:
    writer = "acme" if not quirks.echo_thinking else "other"
    part = ThinkingPart(text="hm", provider_data={"acme": {"field": "reasoning"}, "other": {"field": "reasoning"}})
    assert said(assistant(part, TextPart(text="Hi"), provider=writer), quirks=quirks) == [
        {"role": "assistant", "content": "Hi"}
    ]


def test_a_refusal_goes_back_as_one_and_to_others_as_text() -> None:
    refusal = RefusalPart(text="no")
    assert said(assistant(refusal)) == [{"role": "assistant", "content": None, "refusal": "no"}]
    assert said(assistant(refusal, provider="other")) == [{"role": "assistant", "content": "no"}]


def test_a_message_of_nothing_is_left_out() -> None:
    assert said(user("a"), assistant(ThinkingPart(text="hm")), user(""), user("b")) == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]


def test_text_that_utf8_cannot_hold_is_sent_all_the_same() -> None:
    assert said(user("a\ud800b")) == [{"role": "user", "content": "a\ufffdb"}]


def test_a_message_is_rendered_once_and_forgotten_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = Renderer("acme", Quirks())
    rendered = []
    plain = Renderer._bodies

    def noted(self: Renderer, message: Message) -> list[dict[str, Any]]:
        rendered.append(message.text)
        return plain(self, message)

    monkeypatch.setattr(Renderer, "_bodies", noted)
    messages = tuple(user(str(n)) for n in range(5))
    for n in range(1, 6):
        renderer.render(CompletionRequest(model=REF, messages=messages[:n]))
    assert rendered == ["0", "1", "2", "3", "4"]
    assert len(renderer._kept) == 5
    del messages
    gc.collect()
    assert len(renderer._kept) == 0


def test_equal_messages_of_different_writers_are_not_confused() -> None:
    renderer = Renderer("acme", Quirks())
    part = ThinkingPart(text="hm", provider_data={"acme": {"field": "reasoning"}})
    for provider, sent in (("acme", "hm"), ("other", None), ("acme", "hm")):
        request = CompletionRequest(model=REF, messages=(assistant(part, TextPart(text="x"), provider=provider),))
        assert orjson.loads(renderer.render(request))["messages"][0].get("reasoning") == sent


def test_other_tools_are_offered_from_then_on() -> None:
    renderer = Renderer("acme", Quirks())
    names = []
    for tools in ((READ,), (READ,), (READ, NOW), ()):
        made = orjson.loads(renderer.render(CompletionRequest(model=REF, messages=(), tools=tools)))
        names.append([t["function"]["name"] for t in made.get("tools", ())])
    assert names == [["read"], ["read"], ["read", "now"], []]


def test_a_schema_for_the_answer_is_enforced_and_strict_where_it_may_be() -> None:
    open_ = {"type": "object", "properties": {"n": {"type": "integer"}}}
    closed = {**open_, "required": ["n"], "additionalProperties": False}
    made = [body(user("hi"), schema=schema)["response_format"] for schema in (open_, closed)]
    assert made == [
        {"type": "json_schema", "json_schema": {"name": "answer", "schema": open_, "strict": False}},
        {"type": "json_schema", "json_schema": {"name": "answer", "schema": closed, "strict": True}},
    ]
