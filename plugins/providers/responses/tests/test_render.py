"""Requests are written as servers want them, each message only once, and items go back to who made them."""

from __future__ import annotations

import gc
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
from codetether_provider_responses.quirks import Quirks
from codetether_provider_responses.render import Renderer

REF = ModelRef(provider="acme", model="m/1")
READ = ToolDefinition(name="read", description="Reads.", schema={"type": "object", "properties": {"p": {}}})
NOW = ToolDefinition(name="now", description="The time.", schema={})
THOUGHT: dict[str, Any] = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [],
    "encrypted_content": "gA",
    "status": None,
    "content": [],
}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "q"}}


def body(*messages: Message, quirks: Quirks | None = None, **fields: Any) -> dict[str, Any]:
    request = CompletionRequest(model=REF, messages=messages, **fields)
    made: dict[str, Any] = orjson.loads(Renderer("acme", quirks or Quirks()).render(request))
    return made


def sent(*messages: Message, quirks: Quirks | None = None) -> list[Any]:
    made: list[Any] = body(*messages, quirks=quirks)["input"]
    return made


def assistant(*parts: Any, provider: str | None = "acme") -> Message:
    return Message(role="assistant", parts=parts, provider=provider)


def item(raw: dict[str, Any]) -> ThinkingPart:
    return ThinkingPart(text="shown", provider_data={"acme": {"item": raw}})


def spoken(text: str, **note: str) -> TextPart:
    return TextPart(text=text, provider_data={"acme": note})


def called(id_: str, arguments: str = "{}", **note: str) -> ToolCallPart:
    return ToolCallPart(id=id_, name="read", arguments=arguments, provider_data={"acme": note})


def result(id_: str, *content: Any) -> Message:
    return Message(role="tool", parts=(ToolResultPart(tool_call_id=id_, name="read", content=content, success=True),))


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": text, **more}


def whole(text: str, id_: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "role": "assistant", "id": id_, "status": "completed", "content": content, **more}


def call(id_: str, arguments: str = "{}", **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": id_, "name": "read", "arguments": arguments, **more}


HELLO = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
BACK = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gA"}


def test_a_plain_request() -> None:
    assert body(user("hello"), system="be good") == {
        "model": "m/1",
        "instructions": "be good",
        "input": [HELLO],
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "stream": True,
    }


def test_a_request_with_everything() -> None:
    sampling = SamplingParams(temperature=0.0, top_p=0.5, max_output_tokens=9, stop=("a",), seed=0)
    quirks = Quirks(
        stream=False,
        store=None,
        include=(),
        system_as="developer",
        parallel_tool_calls=False,
        extra_body={"reasoning": {"effort": "low"}},
    )
    made = body(user("hello"), quirks=quirks, sampling=sampling, tools=(READ, NOW), tool_choice="read", system="be")
    assert made == {
        "model": "m/1",
        "input": [{"type": "message", "role": "developer", "content": "be"}, HELLO],
        "tools": [
            {"type": "function", "name": "read", "description": "Reads.", "parameters": READ.schema, "strict": False},
            {
                "type": "function",
                "name": "now",
                "description": "The time.",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            },
        ],
        "tool_choice": {"type": "function", "name": "read"},
        "parallel_tool_calls": False,
        "temperature": 0.0,
        "top_p": 0.5,
        "max_output_tokens": 9,
        "stream": False,
        "reasoning": {"effort": "low"},
    }


def test_a_limit_that_a_server_refuses_is_left_out() -> None:
    made = body(user("hi"), quirks=Quirks(max_output_tokens=False), sampling=SamplingParams(max_output_tokens=9))
    assert "max_output_tokens" not in made


@pytest.mark.parametrize(("choice", "sent"), [("auto", None), ("none", "none"), ("required", "required")])
def test_tool_choice(choice: str, sent: str | None) -> None:
    assert body(user("hi"), tools=(READ,), tool_choice=choice).get("tool_choice") == sent
    assert "tool_choice" not in body(user("hi"), tool_choice=choice)


PICTURE = ImagePart(media_type="image/png", data=b"\x89PNG")
SHOWN = {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,iVBORw=="}


def test_images_and_files_stand_beside_the_text() -> None:
    parts = (
        PICTURE,
        ImagePart(media_type="image/*", url="https://x/y.png"),
        ImagePart(media_type="", provider_data={"acme": {"file_id": "file-1"}}),
        FilePart(media_type="application/pdf", name="a.pdf", data=b"%PDF"),
        FilePart(media_type="application/pdf", url="https://x/a.pdf"),
        FilePart(media_type="", provider_data={"acme": {"file_id": "file-2"}}),
        FilePart(media_type="text/plain", name="a.txt", data=b"one"),
    )
    (message,) = sent(user("look", parts))
    assert message["content"] == [
        {"type": "input_text", "text": "look"},
        SHOWN,
        {"type": "input_image", "detail": "auto", "image_url": "https://x/y.png"},
        {"type": "input_image", "detail": "auto", "file_id": "file-1"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        {"type": "input_file", "file_url": "https://x/a.pdf"},
        {"type": "input_file", "file_id": "file-2"},
        {"type": "input_text", "text": "a.txt:\none"},
    ]


def test_results_go_back_under_the_calls_id_with_their_images() -> None:
    assert sent(
        result("c1", TextPart(text="one"), TextPart(text="two")),
        result("c2", TextPart(text="see"), PICTURE),
        result("c3"),
    ) == [
        {"type": "function_call_output", "call_id": "c1", "output": "one\ntwo"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "see"}, SHOWN]},
        {"type": "function_call_output", "call_id": "c3", "output": ""},
    ]


def test_an_id_that_is_too_long_is_shortened_alike_for_call_and_result() -> None:
    long = "functions." + "x" * 70
    made = sent(assistant(called(long), provider="other"), result(long))
    assert made[0]["call_id"] == made[1]["call_id"]
    assert len(made[0]["call_id"]) <= 64
    assert sent(result("x" * 64))[0]["call_id"] == "x" * 64


def test_items_go_back_whole_and_in_their_order() -> None:
    message = assistant(
        item(THOUGHT),
        item(SEARCH),
        spoken("Let me ", id="msg_1", phase="commentary"),
        spoken("see", id="msg_1", phase="commentary"),
        called("c1", '{"p":1}', id="fc_1", namespace="n"),
        called("c2", ""),
        spoken("then", id="msg_2", phase="final_answer"),
    )
    first = whole("", "msg_1", phase="commentary")
    first["content"] = [{"type": "output_text", "text": t, "annotations": []} for t in ("Let me ", "see")]
    assert sent(message) == [
        BACK,
        SEARCH,
        first,
        call("c1", '{"p":1}', id="fc_1", namespace="n"),
        call("c2"),
        whole("then", "msg_2", phase="final_answer"),
    ]


def test_another_providers_message_keeps_its_texts_and_calls_alone() -> None:
    parts = (
        ThinkingPart(text="hm", provider_data={"other": {"signature": "s"}}),
        item(THOUGHT),
        item(SEARCH),
        spoken("a", id="msg_1"),
        TextPart(text="b"),
        RefusalPart(text="no"),
        called("c1", id="fc_1"),
    )
    assert sent(assistant(*parts, provider="other")) == [said("abno"), call("c1")]
    assert sent(assistant(*parts, provider=None)) == [said("abno"), call("c1")]


@pytest.mark.parametrize(
    ("parts", "items"),
    [
        ((item(THOUGHT), called("c1", id="fc_1")), [BACK, call("c1", id="fc_1")]),
        ((spoken("a", id="m"), item(THOUGHT)), [said("a")]),
        ((item(THOUGHT), item(THOUGHT)), []),
        ((item(THOUGHT), spoken("", id="m")), []),
        ((item(THOUGHT), item({"type": "reasoning", "id": "rs_2", "summary": []}), spoken("a", id="m")),
         [{k: v for k, v in BACK.items() if k != "id"}, said("a")]),
        ((item({**THOUGHT, "encrypted_content": None}), spoken("a", id="m", phase="final_answer")),
         [said("a", phase="final_answer")]),
        ((item({"type": "reasoning", "content": [{"type": "reasoning_text", "text": "t"}]}), spoken("a", id="m")),
         [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "t"}], "summary": []}, whole("a", "m")]),
    ],
)  # fmt: skip
def test_reasoning_goes_back_with_what_followed_it_or_not_at_all(parts: tuple[Any, ...], items: list[Any]) -> None:
    assert sent(assistant(*parts)) == items


def test_reasoning_that_the_server_stores_goes_back_by_its_id() -> None:
    stored = {"type": "reasoning", "id": "rs_2", "summary": []}
    assert sent(assistant(item(stored), spoken("a", id="m")), quirks=Quirks(store=True)) == [stored, whole("a", "m")]


def test_a_model_that_does_not_reason_gets_no_reasoning_and_no_id_that_asks_for_it() -> None:
    message = assistant(item(THOUGHT), spoken("a", id="m", phase="commentary"), called("c1", id="fc_1"))
    assert sent(message, quirks=Quirks(echo_thinking=False)) == [said("a", phase="commentary"), call("c1")]


@pytest.mark.parametrize("quirks", [Quirks(echo_ids=False), None])
def test_ids_that_a_server_does_not_take_back_are_left_out(quirks: Quirks | None) -> None:
    own = "x" if quirks else "x" * 65
    message = assistant(item({**THOUGHT, "id": own}), spoken("a", id=own), called("c1", id=own))
    assert sent(message, quirks=quirks) == [
        {"type": "reasoning", "summary": [], "encrypted_content": "gA"},
        said("a"),
        call("c1"),
    ]


def test_an_id_stands_in_a_message_only_once() -> None:
    assert sent(assistant(called("c1", id="fc"), called("c2", id="fc"))) == [call("c1", id="fc"), call("c2")]


SHELL = {"type": "local_shell_call", "call_id": "s1", "action": {}}
SHELL_OUTPUT = {"type": "local_shell_call_output", "call_id": "s1", "output": "ok"}


@pytest.mark.parametrize(
    ("raw", "returned"),
    [
        ([SEARCH], [SEARCH]),
        ([{"type": "mystery", "x": 1}], [{"type": "mystery", "x": 1}]),
        (
            [{"type": "code_interpreter_call", "id": "ci", "outputs": None}],
            [{"type": "code_interpreter_call", "id": "ci"}],
        ),
        ([SHELL], []),
        ([SHELL, SHELL_OUTPUT], [SHELL, SHELL_OUTPUT]),
        ([SHELL_OUTPUT], []),
        ([{**SEARCH, "status": "in_progress"}], []),
        ([{"type": "mcp_approval_request", "id": "a"}], []),
        ([{**SHELL, "call_id": [1]}], []),
    ],
)
def test_what_the_server_ran_goes_back_unless_something_is_owed_for_it(raw: list[Any], returned: list[Any]) -> None:
    found = sent(assistant(*(item(each) for each in raw), spoken("a")))
    assert found == [*returned, said("a")]


def test_what_the_server_ran_stays_away_where_its_id_must() -> None:
    parts = (item(THOUGHT), item(SEARCH), item(THOUGHT), spoken("a", id="m"))
    assert sent(assistant(*parts), quirks=Quirks(echo_ids=False)) == [
        {k: v for k, v in BACK.items() if k != "id"},
        said("a"),
    ]


def test_reasoning_before_an_item_that_stays_away_stays_away_too() -> None:
    assert sent(assistant(item(THOUGHT), item(SHELL), spoken("a", id="m"))) == [said("a")]


def test_messages_that_leave_nothing_to_send_are_left_out() -> None:
    assert sent(assistant(TextPart(text="")), user(""), assistant(), user("hello")) == [HELLO]


def test_each_message_is_rendered_once_and_forgotten_with_it() -> None:
    renderer = Renderer("acme", Quirks())
    messages = [user(f"m{n}") for n in range(50)]
    request = CompletionRequest(model=REF, messages=tuple(messages))
    first = renderer.render(request)
    kept = renderer._kept.of(messages)
    assert renderer.render(request) == first
    assert all(one is other for one, other in zip(renderer._kept.of(messages), kept, strict=True))
    assert len(renderer._kept) == 50
    del messages, request
    gc.collect()
    assert len(renderer._kept) == 0


def test_lone_surrogates_are_sent_as_something() -> None:
    (message,) = sent(user("a\ud800b"))
    assert message["content"][0]["text"].startswith("a")


def test_a_schema_for_the_answer_is_enforced() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    made = body(user("hi"), schema=schema)["text"]
    assert made == {"format": {"type": "json_schema", "name": "answer", "schema": schema, "strict": False}}
