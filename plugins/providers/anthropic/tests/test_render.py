"""Requests are written as the Messages API takes them, and each message only once."""

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
    MessagePart,
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
from codetether_provider_anthropic.blocks import Blocks, call_id, kept
from codetether_provider_anthropic.quirks import Quirks
from codetether_provider_anthropic.render import Renderer

REF = ModelRef(provider="acme", model="m")
UNCACHED = Quirks(cache="off")
MARK = {"cache_control": {"type": "ephemeral"}}
READ = ToolDefinition(name="read", description="Reads.", schema={"type": "object", "properties": {"p": {}}})
NOW = ToolDefinition(name="now", description="Tells the time.", schema={})
THOUGHT = ThinkingPart(text="hm", provider_data={"acme": {"signature": "sig"}})


def body(*messages: Message, quirks: Quirks = UNCACHED, **request: Any) -> dict[str, Any]:
    asked = CompletionRequest(model=REF, messages=messages, **request)
    made: dict[str, Any] = orjson.loads(Renderer("acme", quirks).render(asked))
    return made


def said(*messages: Message, quirks: Quirks = UNCACHED) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(*messages, quirks=quirks)["messages"]
    return found


def content(*messages: Message) -> list[list[dict[str, Any]]]:
    return [message["content"] for message in said(*messages)]


def assistant(*parts: MessagePart, provider: str = "acme") -> Message:
    return Message(role="assistant", parts=parts, provider=provider, model="m")


def call(id_: str, name: str = "now", arguments: str = "{}") -> ToolCallPart:
    return ToolCallPart(id=id_, name=name, arguments=arguments)


def result(id_: str, *parts: Any, success: bool = True) -> Message:
    part = ToolResultPart(tool_call_id=id_, name="now", content=parts or (TextPart(text="ok"),), success=success)
    return Message(role="tool", parts=(part,))


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_a_request_says_what_it_must_and_no_more() -> None:
    assert body(user("hello")) == {
        "model": "m",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [text("hello")]}],
        "stream": True,
    }


def test_a_request_with_everything() -> None:
    sampling = SamplingParams(temperature=0.5, top_p=0.9, max_output_tokens=99, stop=("END", "\n"), seed=7)
    made = body(user("hi"), system="Be brief.", tools=(READ, NOW), tool_choice="required", sampling=sampling)
    assert made == {
        "model": "m",
        "max_tokens": 99,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "system": "Be brief.",
        "tools": [
            {
                "name": "read",
                "description": "Reads.",
                "input_schema": {"type": "object", "properties": {"p": {}}},
            },
            {"name": "now", "description": "Tells the time.", "input_schema": {"type": "object", "properties": {}}},
        ],
        "tool_choice": {"type": "any"},
        "messages": [{"role": "user", "content": [text("hi")]}],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("choice", "quirks", "sent"),
    [
        ("auto", UNCACHED, None),
        ("none", UNCACHED, {"type": "none"}),
        ("required", UNCACHED, {"type": "any"}),
        ("read", UNCACHED, {"type": "tool", "name": "read"}),
        ("auto", Quirks(parallel_tool_calls=False), {"type": "auto", "disable_parallel_tool_use": True}),
        (
            "read",
            Quirks(parallel_tool_calls=False),
            {"type": "tool", "name": "read", "disable_parallel_tool_use": True},
        ),
        ("required", Quirks(thinking={"type": "adaptive"}), None),
        ("none", Quirks(thinking={"type": "adaptive"}), {"type": "none"}),
    ],
)
def test_which_tool_is_to_be_called(choice: str, quirks: Quirks, sent: Any) -> None:
    assert body(user("a"), tools=(READ,), tool_choice=choice, quirks=quirks).get("tool_choice") == sent
    assert "tool_choice" not in body(user("a"), tool_choice=choice, quirks=quirks)


@pytest.mark.parametrize(
    ("quirks", "asked", "sent"),
    [
        (UNCACHED, 0.0, 0.0),
        (UNCACHED, 1.7, 1.0),
        (Quirks(lowest_temperature=0.01), 0.0, 0.01),
        (UNCACHED, None, None),
        (Quirks(thinking={"type": "enabled", "budget_tokens": 1024}), 0.7, None),
        (Quirks(thinking={"type": "disabled"}), 0.7, 0.7),
    ],
)
def test_the_temperature_stays_where_it_is_taken(quirks: Quirks, asked: float | None, sent: float | None) -> None:
    assert body(user("a"), sampling=SamplingParams(temperature=asked), quirks=quirks).get("temperature") == sent


@pytest.mark.parametrize(("limit", "sent"), [(None, 4096), (1000, 3000), (2000, 4000), (2001, 2001), (64_000, 64_000)])
def test_the_limit_holds_the_budget_for_thinking(limit: int | None, sent: int) -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    for quirks in (Quirks(thinking=thinking), Quirks(extra_body={"thinking": thinking})):
        made = body(user("a"), sampling=SamplingParams(max_output_tokens=limit), quirks=quirks)
        assert (made["max_tokens"], made["thinking"]) == (sent, thinking)


def test_thinking_pauses_amid_calls_that_began_without_a_thought() -> None:
    quirks = Quirks(thinking={"type": "enabled", "budget_tokens": 1024})
    foreign = [user("a"), assistant(call("x"), provider="other"), result("x")]
    assert "thinking" not in body(*foreign, quirks=quirks)
    assert "thinking" in body(*foreign, assistant(TextPart(text="so")), user("b"), quirks=quirks)
    own = [user("a"), assistant(THOUGHT, call("x")), result("x"), assistant(call("y")), result("y")]
    assert "thinking" in body(*own, quirks=quirks)
    adaptive = Quirks(thinking={"type": "adaptive"})
    assert "thinking" in body(*foreign, quirks=adaptive)


def test_fields_of_the_settings_come_last_and_tools_of_the_provider_after_ours() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    quirks = Quirks(cache="off", extra_body={"service_tier": "standard_only"}, server_tools=(search,), stream=False)
    made = body(user("a"), tools=(NOW,), quirks=quirks)
    assert [tool["name"] for tool in made["tools"]] == ["now", "web_search"]
    assert (made["service_tier"], made["stream"]) == ("standard_only", False)
    assert body(user("a"), quirks=quirks)["tools"] == [search]


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        (
            {"type": "object", "properties": {"a": {}}, "anyOf": [{"required": ["a"]}, {"properties": {"b": {}}}]},
            {"type": "object", "properties": {"b": {}, "a": {}}},
        ),
        (
            {"type": "object", "properties": {"a": {"anyOf": []}}},
            {"type": "object", "properties": {"a": {"anyOf": []}}},
        ),
    ],
)
def test_schemas_are_objects_at_their_top(schema: dict[str, Any], sent: dict[str, Any]) -> None:
    (tool,) = body(user("a"), tools=(ToolDefinition(name="t", description="", schema=schema),))["tools"]
    assert tool["input_schema"] == sent


def test_images_and_documents() -> None:
    parts = (
        ImagePart(media_type="image/png", data=b"\x89PNG"),
        ImagePart(media_type="image/jpg", data=b"x"),
        ImagePart(media_type="image/png", url="https://x/y.png"),
        ImagePart(media_type="image/png", url="data:image/gif;base64,R0lG"),
        ImagePart(media_type="image/png", provider_data={"acme": {"file_id": "file_1"}}),
        ImagePart(media_type="image/svg+xml", data=b"<svg/>"),
        FilePart(media_type="application/pdf", name="a.pdf", data=b"%PDF"),
        FilePart(media_type="application/pdf", url="https://x/a.pdf"),
        FilePart(media_type="", provider_data={"acme": {"file_id": "file_2"}}),
        FilePart(media_type="text/plain", name="a.txt", data=b"one"),
        FilePart(media_type="application/json", data=b"{}"),
        FilePart(media_type="text/plain", name="b.txt", data=b""),
        FilePart(media_type="application/zip", name="a.zip", data=b"PK"),
    )
    base64: dict[str, Any] = {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}
    assert content(user("look", parts)) == [
        [
            text("look"),
            {"type": "image", "source": base64},
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "eA=="}},
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lG"}},
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            text("[an image: image/svg+xml cannot be read here]"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                "title": "a.pdf",
            },
            {"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}},
            {"type": "document", "source": {"type": "file", "file_id": "file_2"}},
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "one"},
                "title": "a.txt",
            },
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "{}"}},
            text("[the file b.txt is empty]"),
            text("[a.zip: application/zip cannot be read here]"),
        ]
    ]


def test_all_results_of_a_turn_stand_in_one_message_before_what_the_user_says() -> None:
    history = [
        user("go"),
        assistant(TextPart(text="so"), call("a", "read", '{"p": 1}'), call("b")),
        result("a", TextPart(text="x"), ImagePart(media_type="image/png", data=b"x")),
        user("stop it"),
        result("b", TextPart(text="no"), success=False),
        user("really"),
    ]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}}
    assert said(*history) == [
        {"role": "user", "content": [text("go")]},
        {
            "role": "assistant",
            "content": [
                text("so"),
                {"type": "tool_use", "id": "a", "name": "read", "input": {"p": 1}},
                {"type": "tool_use", "id": "b", "name": "now", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [text("x"), image]},
                {"type": "tool_result", "tool_use_id": "b", "is_error": True, "content": [text("no")]},
                text("stop it"),
                text("really"),
            ],
        },
    ]


def test_a_failed_result_holds_nothing_but_text() -> None:
    image = ImagePart(media_type="image/png", url="https://x/y.png")
    assert content(result("a", TextPart(text="no"), image, success=False)) == [
        [
            {"type": "tool_result", "tool_use_id": "a", "is_error": True, "content": [text("no")]},
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        ]
    ]


def test_a_result_of_nothing_has_no_content_unless_it_failed() -> None:
    assert content(result("a", TextPart(text=" "))) == [[{"type": "tool_result", "tool_use_id": "a"}]]
    ((failed,),) = content(result("a", TextPart(text=" "), success=False))
    assert failed["content"] == [text("It failed, without a word.")]


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ('{"p": 1}', {"p": 1}),
        ("", {}),
        ("  ", {}),
        ('{"p":', {"INVALID_JSON": '{"p":'}),
        ("[1]", {"INVALID_JSON": "[1]"}),
        ("null", {"INVALID_JSON": "null"}),
        ("[" * 10_000, {"INVALID_JSON": "[" * 10_000}),
        ('{"p":"\ud800"}', {"INVALID_JSON": '{"p":"\ufffd"}'}),
    ],
)
def test_arguments_go_back_as_an_object(arguments: str, sent: Any) -> None:
    _, (block,) = content(user("a"), assistant(call("x", arguments=arguments)))
    assert block["input"] == sent


def test_ids_and_names_of_other_vendors_are_written_anew_and_still_pair() -> None:
    ids = ("functions.read:0", "functions.read:1", "", "call_-82", "é")
    sent = [call_id(id_) for id_ in ids]
    assert len(set(sent)) == 5
    assert all(id_.isascii() and id_.replace("_", "").replace("-", "").isalnum() for id_ in sent)
    assert sent[3] == "call_-82"
    _, (asked,), (answered,) = content(user("a"), assistant(call(ids[0], "functions.read")), result(ids[0]))
    assert (asked["id"], asked["name"], answered["tool_use_id"]) == (sent[0], "functions_read", sent[0])


def test_thoughts_go_back_to_their_provider_alone() -> None:
    thoughts = (
        THOUGHT,
        ThinkingPart(provider_data={"acme": {"redacted": "sealed"}}),
        ThinkingPart(text="never signed"),
        ThinkingPart(text="of another wire", provider_data={"acme": {"field": "reasoning"}}),
    )
    _, sent = content(user("a"), assistant(*thoughts, TextPart(text="Hi")))
    assert sent == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sealed"},
        text("Hi"),
    ]
    _, elsewhere = content(user("a"), assistant(*thoughts, TextPart(text="Hi"), provider="other"))
    assert elsewhere == [text("Hi")]


def test_what_the_provider_ran_goes_back_to_it_alone() -> None:
    block = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
    mine, foreign = Unknown(raw=kept("acme", block)), Unknown(raw=kept("other", block))
    future = Unknown(raw={"type": "from_the_future"})
    _, sent = content(user("a"), assistant(mine, foreign, future, TextPart(text="Hi")))
    assert sent == [block, text("Hi")]
    _, elsewhere = content(user("a"), assistant(mine, TextPart(text="Hi"), provider="other"))
    assert elsewhere == [text("Hi")]


def test_citations_and_callers_go_back_where_they_belong() -> None:
    citation = {"type": "web_search_result_location", "encrypted_index": "x"}
    caller = {"type": "code_execution_20260120", "tool_id": "srv_1"}
    parts = (
        TextPart(text="Blue"),
        TextPart(text="", provider_data={"acme": {"citations": [citation]}}),
        ToolCallPart(id="a", name="now", arguments="{}", provider_data={"acme": {"caller": caller}}),
    )
    _, sent = content(user("a"), assistant(*parts))
    assert sent == [
        {**text("Blue"), "citations": [citation]},
        {"type": "tool_use", "id": "a", "name": "now", "input": {}, "caller": caller},
    ]
    _, elsewhere = content(user("a"), assistant(*parts, provider="other"))
    assert elsewhere == [text("Blue"), {"type": "tool_use", "id": "a", "name": "now", "input": {}}]


def test_roles_alternate_and_nothing_is_empty() -> None:
    history = [
        user("a"),
        user(" \n"),
        user("b"),
        assistant(ThinkingPart(text="hm")),
        assistant(TextPart(text=""), RefusalPart(text="no")),
        assistant(TextPart(text="yes ")),
        user("c"),
    ]
    assert said(*history) == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": [text("no"), text("yes ")]},
        {"role": "user", "content": [text("c")]},
    ]


def test_a_history_begins_with_the_user_and_an_answer_to_go_on_with_ends_in_no_space() -> None:
    assert said(assistant(TextPart(text="so")), user("a"), assistant(TextPart(text="x "), TextPart(text="The \n"))) == [
        {"role": "user", "content": [text("Go on.")]},
        {"role": "assistant", "content": [text("so")]},
        {"role": "user", "content": [text("a")]},
        {"role": "assistant", "content": [text("x "), text("The")]},
    ]
    assert content(user("a"), assistant(call("x")))[-1] == [{"type": "tool_use", "id": "x", "name": "now", "input": {}}]


def test_text_that_utf8_cannot_hold_is_sent_all_the_same() -> None:
    made = body(user("a\ud800b"), system="s\ud800")
    assert (made["system"], made["messages"]) == ("s\ufffd", [{"role": "user", "content": [text("a\ufffdb")]}])


def test_the_cache_ends_with_the_tools_the_system_prompt_and_the_last_two_things_said() -> None:
    history = (user("a"), assistant(call("x"), call("y")), result("x"), result("y"))
    made = body(*history, system="Be brief.", tools=(READ, NOW), quirks=Quirks())
    assert [tool.get("cache_control") for tool in made["tools"]] == [None, MARK["cache_control"]]
    assert made["system"] == [{**text("Be brief."), **MARK}]
    assert [[MARK.items() <= b.items() for b in m["content"]] for m in made["messages"]] == [
        [True],
        [False, False],
        [False, True],
    ]
    assert orjson.dumps(made).count(b"cache_control") == 4


@pytest.mark.parametrize(
    ("cache", "mark"),
    [("5m", {"type": "ephemeral"}), ("1h", {"type": "ephemeral", "ttl": "1h"}), ("off", None)],
)
def test_how_long_the_cache_keeps_a_prompt(cache: Any, mark: Any) -> None:
    made = body(user("a"), system="s", quirks=Quirks(cache=cache))
    assert made["messages"][0]["content"][0].get("cache_control") == mark


def test_the_end_of_the_cache_moves_on_and_leaves_nothing_behind() -> None:
    renderer = Renderer("acme", Quirks())
    history = tuple(m for n in range(4) for m in (user(f"q{n}"), assistant(TextPart(text=f"a{n}"))))
    for length in (1, 3, 5, 7):
        asked = CompletionRequest(model=REF, messages=history[:length])
        made = orjson.loads(renderer.render(asked))
        fresh = orjson.loads(Renderer("acme", Quirks()).render(asked))
        marked = [m["content"][-1]["text"] for m in made["messages"] if "cache_control" in m["content"][-1]]
        assert made == fresh
        assert marked == [m.text for m in history[:length] if m.role == "user"][-2:]


def test_a_message_is_rendered_once_and_forgotten_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = Renderer("acme", Quirks())
    rendered = []
    plain = Blocks.of_user

    def noted(self: Blocks, message: Message) -> Any:
        rendered.append(message.text)
        return plain(self, message)

    monkeypatch.setattr(Blocks, "of_user", noted)
    messages = tuple(user(str(n)) for n in range(5))
    for n in range(1, 6):
        renderer.render(CompletionRequest(model=REF, messages=messages[:n]))
    renderer.render(CompletionRequest(model=REF, messages=messages[2:]))
    assert rendered == ["0", "1", "2", "3", "4"]
    assert len(renderer._kept) == 5
    del messages
    gc.collect()
    assert len(renderer._kept) == 0


def test_whatever_history_is_chosen_is_rendered_as_if_it_were_the_first() -> None:
    renderer = Renderer("acme", Quirks())
    a, b, c, d = user("a"), assistant(call("x")), result("x"), assistant(TextPart(text="d"))
    for history in ((a,), (a, b, c), (a, b, c, d, user("e")), (a,), (a, d), (b, c), (), (a, b, c, d), (a, user("f"))):
        asked = CompletionRequest(model=REF, messages=history)
        assert renderer.render(asked) == Renderer("acme", Quirks()).render(asked)


def test_equal_messages_of_different_writers_are_not_confused() -> None:
    renderer = Renderer("acme", Quirks())
    for provider, blocks in (("acme", 2), ("other", 1), ("acme", 2)):
        history = (user("a"), assistant(THOUGHT, TextPart(text="x"), provider=provider))
        made = orjson.loads(renderer.render(CompletionRequest(model=REF, messages=history)))
        assert len(made["messages"][1]["content"]) == blocks


def test_other_tools_are_offered_from_then_on() -> None:
    renderer = Renderer("acme", Quirks())
    names = []
    for tools in ((READ,), (READ,), (READ, NOW), ()):
        made = orjson.loads(renderer.render(CompletionRequest(model=REF, messages=(user("a"),), tools=tools)))
        names.append([t["name"] for t in made.get("tools", ())])
    assert names == [["read"], ["read"], ["read", "now"], []]
