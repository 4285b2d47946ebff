"""Whatever servers do differently, the answer is read as they meant it, and nonsense ends named."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from codetether import (
    CompletionResponse,
    IncompleteResponse,
    MalformedResponse,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    Usage,
)
from codetether.session.assemble import Assembly
from codetether_http import Fault, ServerSentEvent
from codetether_provider_responses.parser import ResponsesParser
from codetether_provider_responses.usage import read_usage
from hypothesis import given
from hypothesis import strategies as st

COMPLETED = {"type": "response.completed", "response": {"id": "r1", "model": "m1", "status": "completed", "output": []}}


def event(kind: str, index: int | None = None, **fields: Any) -> dict[str, Any]:
    place = {} if index is None else {"output_index": index}
    return {"type": f"response.{kind}", **place, **fields}


def text(delta: str, index: int | None = 0, **fields: Any) -> dict[str, Any]:
    return event("output_text.delta", index, delta=delta, **fields)


def added(item: dict[str, Any], index: int | None = 0) -> dict[str, Any]:
    return event("output_item.added", index, item=item)


def done(item: dict[str, Any], index: int | None = 0) -> dict[str, Any]:
    return event("output_item.done", index, item=item)


def message(*texts: str, **fields: Any) -> dict[str, Any]:
    return {"type": "message", "content": [{"type": "output_text", "text": t} for t in texts], **fields}


def call(id_: str, name: str = "read", arguments: Any = "{}", **fields: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": id_, "name": name, "arguments": arguments, **fields}


def read(*bodies: Any) -> tuple[ResponsesParser, Assembly]:
    parser, assembly = ResponsesParser("acme"), Assembly("acme", "asked")
    for body in bodies:
        for chunk in parser.feed(ServerSentEvent(orjson.dumps(body))):
            assembly.feed(chunk)
    return parser, assembly


def answer(*bodies: Any, end: dict[str, Any] = COMPLETED) -> CompletionResponse:
    """The response that a stream of these bodies adds up to."""
    parser, assembly = read(*bodies, end)
    assert parser.finish() == []
    return assembly.response()


def parts(*bodies: Any, end: dict[str, Any] = COMPLETED) -> tuple[Any, ...]:
    return answer(*bodies, end=end).message.parts


def ended(*output: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"status": "completed", "output": list(output), **fields}}


def whole(body: Any) -> CompletionResponse:
    assembly = Assembly("acme", "asked")
    for chunk in ResponsesParser("acme").whole(orjson.dumps(body)):
        assembly.feed(chunk)
    return assembly.response()


def noted(note: Any) -> dict[str, Any]:
    return {"acme": note}


def test_an_answer_of_every_kind() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}],
               "encrypted_content": "gA"}  # fmt: skip
    searched = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "q"}}
    usage = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 7,
             "output_tokens_details": {"reasoning_tokens": 3}}  # fmt: skip
    made = answer(
        event("created", response={"id": "r1", "model": "m1"}),
        added({"type": "reasoning", "id": "rs_1", "summary": []}),
        event("reasoning_summary_text.delta", 0, summary_index=0, delta="hm"),
        done(thought),
        added({"type": "web_search_call", "id": "ws_1"}, 1),
        event("web_search_call.searching", 1),
        done(searched, 1),
        added({"type": "message", "id": "msg_1", "phase": "commentary", "content": []}, 2),
        text("Let me", 2),
        text(" see", 2),
        done(message("Let me see", id="msg_1", phase="commentary"), 2),
        added(call("c1", arguments="", id="fc_1"), 3),
        event("function_call_arguments.delta", 3, delta='{"p"'),
        event("function_call_arguments.delta", 3, delta=":1}"),
        event("function_call_arguments.done", 3, arguments='{"p":1}'),
        done(call("c1", arguments='{"p":1}', id="fc_1", status="completed", namespace="n"), 3),
        done(call("c2", "now", "", id="fc_2"), 4),
        end={"type": "response.completed", "response": {"status": "completed", "output": [], "usage": usage}},
    )
    assert made.message.parts == (
        ThinkingPart(text="hm", provider_data=noted({"item": thought})),
        ThinkingPart(provider_data=noted({"item": searched})),
        TextPart(text="Let me see", provider_data=noted({"id": "msg_1", "phase": "commentary"})),
        ToolCallPart(id="c1", name="read", arguments='{"p":1}', provider_data=noted({"id": "fc_1", "namespace": "n"})),
        ToolCallPart(id="c2", name="now", arguments="", provider_data=noted({"id": "fc_2"})),
    )
    assert (made.finish_reason, made.raw_finish_reason, made.response_id, made.model) == (
        "tool_calls",
        "completed",
        "r1",
        "m1",
    )
    assert (made.usage, made.raw_usage) == (
        Usage(input_tokens=9, output_tokens=7, cache_read_tokens=4, reasoning_tokens=3),
        usage,
    )


PIECES = [text("a"), text("b")]
CALLED = [added(call("c1", arguments="")), event("function_call_arguments.delta", 0, delta='{"p":1}')]


@pytest.mark.parametrize(
    ("bodies", "end"),
    [
        (PIECES, COMPLETED),
        ([*PIECES, done(message("ab"))], COMPLETED),
        ([*PIECES, done(message("ab"))], ended(message("ab"))),
        ([*PIECES], ended(message("ab"))),
        ([text("a"), done(message("ab"))], COMPLETED),
        ([done(message("ab"))], ended(message("ab", id="another"))),
        ([done(message("ab")), done(message("ab"))], COMPLETED),
        ([], ended(message("ab"))),
        ([*PIECES, done({"type": "message", "content": []})], COMPLETED),
        ([*PIECES, done({"type": "message", "content": None})], COMPLETED),
        ([*PIECES, done(message("\nab"))], COMPLETED),
        ([text("a"), done(message("ab")), text("b")], COMPLETED),
        ([*PIECES, added({"type": "message"}), done(message("ab"))], COMPLETED),
        ([text("a", None), text("b", None), done(message("ab"), None)], COMPLETED),
        ([text("a", None), text("b", None), done(message("ab"), 0)], ended(message("ab"))),
        ([added(message(id="m"), None), text("ab", None, item_id="m"), done(message("ab", id="m"), None)], COMPLETED),
        ([added(message(id="m")), text("ab", item_id="n"), done(message("ab", id="o"))], ended(message("ab", id="p"))),
        ([text("ab", 7), done(message("ab"), 7)], ended({"type": "reasoning", "summary": []}, message("ab"))),
    ],
)
def test_text_is_there_once_whichever_events_tell_it(bodies: list[Any], end: dict[str, Any]) -> None:
    assert answer(*bodies, end=end).message.text == "ab"


@pytest.mark.parametrize(
    ("bodies", "end"),
    [
        ([*CALLED, done(call("c1", arguments='{"p":1}'))], COMPLETED),
        ([*CALLED, done(call("c1", arguments='{ "p": 1 }'))], COMPLETED),
        ([*CALLED, done(call("c1", arguments=""))], ended(call("c1", arguments='{"p":1}'))),
        ([*CALLED], COMPLETED),
        ([added(call("c1", arguments='{"p":1}')), done(call("c1", arguments='{"p":1}'))], COMPLETED),
        ([added(call("c1", arguments=""))], ended(call("c1", arguments='{"p":1}'))),
        ([done(call("c1", arguments={"p": 1}))], COMPLETED),
        ([CALLED[1], done(call("c1", arguments='{"p":1}'))], COMPLETED),
        ([], ended(call("c1", arguments='{"p":1}'))),
    ],
)
def test_a_call_is_there_once_whichever_events_tell_it(bodies: list[Any], end: dict[str, Any]) -> None:
    made = answer(*bodies, end=end)
    assert [(c.id, c.name, orjson.loads(c.arguments)) for c in made.tool_calls] == [("c1", "read", {"p": 1})]
    assert made.finish_reason == "tool_calls"


def test_calls_that_grow_side_by_side_are_told_apart_by_what_names_them() -> None:
    one, two = call("c1", arguments=""), call("c2", "now", "")
    ends = [done(call("c1", arguments='{"p":1}'), None), done(call("c2", "now", "{}"), None)]
    deltas = [("c1", '{"p"'), ("c2", "{"), ("c1", ":1}"), ("c2", "}")]
    told = [event("function_call_arguments.delta", item_id=id_, delta=delta) for id_, delta in deltas]
    made = answer(added(one, None), added(two, None), *told, *ends)
    assert [(c.id, c.name, c.arguments) for c in made.tool_calls] == [("c1", "read", '{"p":1}'), ("c2", "now", "{}")]
    nameless = [added(one, None), told[0], told[2], added(two, None), told[1], told[3]]
    for body in nameless:
        body.pop("item_id", None)
    made = answer(*nameless, *ends)
    assert [(c.id, c.name, c.arguments) for c in made.tool_calls] == [("c1", "read", '{"p":1}'), ("c2", "now", "{}")]


def test_free_input_is_an_argument_and_a_call_that_was_only_announced_has_none() -> None:
    made = answer(
        added({"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": ""}),
        event("custom_tool_call_input.delta", 0, delta="SELECT"),
        done({"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "sql", "input": "SELECT"}),
        added(call("c2", "now", ""), 1),
    )
    assert made.tool_calls == (
        ToolCallPart(id="c1", name="sql", arguments='{"input":"SELECT"}'),
        ToolCallPart(id="c2", name="now", arguments=""),
    )


def test_items_that_speak_at_once_do_not_mix() -> None:
    made = parts(
        added(message(id="a")),
        added(message(id="b"), 1),
        text("1", 0),
        text("x", 1),
        text("2", 0),
        text("y", 1),
        done(message("12", id="a"), 0),
        text("z", 1),
        done(message("xyz", id="b"), 1),
    )
    assert made == (
        TextPart(text="12", provider_data=noted({"id": "a"})),
        TextPart(text="xyz", provider_data=noted({"id": "b"})),
    )
    assert [p.text for p in parts(text("1", 0), text("x", 1), text("2", 0), text("y", 1))] == ["12", "xy"]


def test_parts_of_a_message_stay_apart_and_a_refusal_is_no_text() -> None:
    refused = {"type": "refusal", "refusal": "no"}
    made = parts(
        text("a", content_index=0),
        text("b", content_index=1),
        event("refusal.delta", 0, content_index=2, delta="n"),
        done({"type": "message", "id": "m", "content": [*message("a", "bc")["content"], refused]}),
    )
    assert [(type(p), p.text) for p in made] == [(TextPart, "a"), (TextPart, "b"), (RefusalPart, "n"),
                                                 (TextPart, "c"), (RefusalPart, "o")]  # fmt: skip
    assert parts(done({"type": "message", "content": [refused]})) == (RefusalPart(text="no"),)


def test_reasoning_comes_in_summaries_and_in_full() -> None:
    item = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}],
        "content": [{"type": "reasoning_text", "text": "all"}],
    }
    made = parts(
        event("reasoning_summary_text.delta", 0, summary_index=0, delta="one"),
        event("reasoning_summary_text.delta", 0, summary_index=1, delta="tw"),
        done(item),
        done({"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "x"}, 1),
    )
    assert [(p.text, sorted(p.provider_data)) for p in made] == [
        ("one", []),
        ("two", []),
        ("all", ["acme"]),
        ("", ["acme"]),
    ]
    assert made[2].provider_data == noted({"item": item})


@pytest.mark.parametrize(
    ("kind", "response", "ending"),
    [
        ("completed", {}, ("stop", "completed")),
        ("incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}, ("length", "max_output_tokens")),
        ("incomplete", {"incomplete_details": {"reason": "content_filter"}}, ("content_filter", "content_filter")),
        ("incomplete", {"incomplete_details": {"reason": "steered"}}, ("length", "steered")),
        ("incomplete", {"incomplete_details": None}, ("length", "incomplete")),
        ("completed", {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
         ("length", "max_output_tokens")),
    ],
)  # fmt: skip
def test_how_answers_end(kind: str, response: dict[str, Any], ending: tuple[str, str]) -> None:
    end = {"type": f"response.{kind}", "response": response}
    made = answer(text("a"), end=end)
    assert (made.finish_reason, made.raw_finish_reason) == ending
    plain = whole({"output": [message("a")], "status": kind, **response})
    assert (plain.finish_reason, plain.raw_finish_reason) == ending


def test_a_call_of_an_answer_that_was_cut_off_is_not_called_one_to_run() -> None:
    end = {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}}
    assert answer(*CALLED, end=end).finish_reason == "length"


OVERLOADED = {"type": "server_error", "code": "overloaded", "message": "busy", "param": None}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"type": "error", "error": OVERLOADED}, Fault(message="busy", type="server_error", code="overloaded")),
        ({"type": "error", "code": "x", "message": "no", "param": "p"}, Fault(message="no", code="x", param="p")),
        ({"error": {"message": "no"}}, Fault(message="no")),
        ({"type": "error"}, Fault(message="an error without words")),
        ({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "wait"}}},
         Fault(message="wait", code="rate_limit_exceeded")),
        ({"type": "response.failed", "response": {"error": None}}, Fault(message="the answer's status is failed")),
        ({"type": "response.failed"}, Fault(message="the answer's status is failed")),
        ({"type": "response.cancelled", "response": {}}, Fault(message="the answer's status is cancelled")),
    ],
)  # fmt: skip
def test_an_error_in_a_stream_ends_it_after_what_came_before(body: Any, fault: Fault) -> None:
    parser, assembly = read(text("a"), body, text("b"), COMPLETED)
    assert (parser.fault, parser.done, parser.finish()) == (fault, True, [])
    assert (assembly.message().text, assembly.finished) == ("a", False)


def test_an_error_is_also_told_by_the_events_name() -> None:
    parser = ResponsesParser("acme")
    parser.feed(ServerSentEvent(b'{"message":"no","code":"server_error"}', b"error"))
    assert parser.fault == Fault(message="no", code="server_error")


def test_a_whole_answer() -> None:
    thought = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "x"}
    usage = {"input_tokens": 1, "output_tokens": 2}
    output = [thought, message("Hi", id="m"), call("c")]
    made = whole({"id": "r1", "model": "m1", "status": "completed", "output": output, "usage": usage})
    assert made.message.parts == (
        ThinkingPart(provider_data=noted({"item": thought})),
        TextPart(text="Hi", provider_data=noted({"id": "m"})),
        ToolCallPart(id="c", name="read", arguments="{}"),
    )
    assert (made.finish_reason, made.usage, made.response_id) == (
        "tool_calls",
        Usage(input_tokens=1, output_tokens=2),
        "r1",
    )


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"error": {"message": "no", "code": "c"}}, Fault(message="no", code="c")),
        ({"error": {"message": "no"}, "output": []}, Fault(message="no")),
        ({"status": "failed", "error": {"message": "no", "code": "c"}, "output": []}, Fault(message="no", code="c")),
        ({"status": "cancelled", "output": []}, Fault(message="the answer's status is cancelled")),
        ({"detail": "no"}, Fault(message="no")),
    ],
)
def test_an_error_in_a_whole_answer_is_an_error(body: Any, fault: Fault) -> None:
    parser = ResponsesParser("acme")
    parser.whole(orjson.dumps(body))
    assert (parser.fault, parser.done) == (fault, True)


@pytest.mark.parametrize("status", ["queued", "in_progress", "another"])
def test_an_answer_that_is_not_there_yet_is_incomplete(status: str) -> None:
    with pytest.raises(IncompleteResponse, match=f"acme: the answer is not there yet, its status is '{status}'"):
        ResponsesParser("acme").whole(orjson.dumps({"status": status, "output": []}))


def test_a_stream_ends_with_its_terminal_event_alone() -> None:
    parser, _ = read(text("a"), done(message("a")), event("in_progress", response={"status": "completed"}))
    parser.feed(ServerSentEvent(b"[DONE]"))
    with pytest.raises(IncompleteResponse, match=r"acme: the stream ended without response\.completed"):
        parser.finish()


DEEP: Any = []
for _ in range(240):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"7",
        b"[" * 100_000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        {"output": "x"},
        {"output": [7]},
        {"output": [{"type": 7}]},
        {"output": [{"type": "mystery", "x": DEEP}]},
        {"output": [], "usage": {"input_tokens": DEEP}},
        {"output": [call("c", arguments=DEEP)]},
    ],
)
def test_a_whole_answer_of_nonsense_ends_named(body: Any) -> None:
    with pytest.raises(MalformedResponse, match="acme: the server sent"):
        ResponsesParser("acme").whole(body if isinstance(body, bytes) else orjson.dumps(body))


@pytest.mark.parametrize(
    "bodies",
    [
        [text(7)],  # type: ignore[arg-type]
        [event("output_text.delta", 0)],
        [event("output_text.delta", 0, delta="a", output_index=[1])],
        [{"type": ["response.completed"]}],
        [event("output_item.added", 0)],
        [event("output_item.added", 0, item=7)],
        [event("output_item.done", 0, item={"type": None})],
        [event("output_item.done", 0, item={"type": "message", "content": 7})],
        [event("output_item.done", 0, item={"type": "message", "content": [7]})],
        [event("output_item.done", 0, item=message(7))],  # type: ignore[arg-type]
        [event("output_item.done", 0, item={"type": "reasoning", "summary": [{"text": 7}]})],
        [event("function_call_arguments.delta", 0, delta={"p": 1})],
        [text("a"), event("function_call_arguments.delta", 0, delta="{}")],
        [text("a"), done(message("b"))],
        [text("ab"), done(message("a"))],
        [*CALLED, done(call("c1", arguments='{"p":2}'))],
        [*CALLED, ended(call("c1", arguments="{"))],
        [{"type": "response.completed", "response": [1]}],
        [{"type": "response.completed", "response": {"output": 7}}],
        [{"type": "response.completed", "response": {"output": [], "usage": {"x": DEEP}}}],
        [{"type": "response.incomplete", "response": {"incomplete_details": "x"}}],
        [event("output_item.done", 0, item={"type": "mystery", "x": DEEP})],
        [event("output_item.done", 0, item=message("a", phase=DEEP))],
    ],
)
def test_nonsense_ends_named(bodies: list[Any]) -> None:
    with pytest.raises(MalformedResponse, match="acme: the server sent"):
        read(*bodies)


JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False)
    | st.sampled_from(["a", "message", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text", "id"]), inner, max_size=2)
    ),
    max_leaves=4,
)
FIELDS = ["output_index", "item_id", "delta", "item", "response", "error", "content_index", "message", "code"]
INNER = ["type", "id", "call_id", "name", "arguments", "content", "summary", "output", "usage", "status", "text"]
KINDS = ["output_text.delta", "output_item.added", "output_item.done", "function_call_arguments.delta", "completed",
         "failed", "incomplete", "refusal.delta", "reasoning_summary_text.delta", "created", "unknown"]  # fmt: skip
INSIDE = st.dictionaries(st.sampled_from(INNER), JSONS, max_size=4)
BODIES = st.builds(
    lambda kind, fields: {**fields, "type": f"response.{kind}"},
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(FIELDS), JSONS | INSIDE, max_size=5),
)


@given(st.lists(BODIES, max_size=6))
def test_any_nonsense_is_read_or_ends_named(bodies: list[Any]) -> None:
    try:
        parser, assembly = read(*bodies)
    except MalformedResponse:
        return
    orjson.dumps([getattr(part, "provider_data", {}) for part in assembly.message().parts])
    assert assembly.finished == (parser.done and parser.fault is None)


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({}, Usage()),
        ({"input_tokens": -1, "output_tokens": 1e300, "input_tokens_details": 7}, Usage()),
        ({"input_tokens": "many", "output_tokens": None, "output_tokens_details": {"reasoning_tokens": []}}, Usage()),
        ({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2}},
         Usage(input_tokens=5, cache_read_tokens=1, cache_write_tokens=2)),
    ],
)  # fmt: skip
def test_usage(raw: dict[str, Any], usage: Usage) -> None:
    assert read_usage(raw) == usage
    assert answer(text("a"), end=ended(usage=raw)).usage == usage


@pytest.mark.parametrize(
    "body",
    [text("a" * 1_000_000), event("function_call_arguments.delta", 0, delta="a" * 1_000_000)],
)
def test_an_answer_has_a_limit(body: Any) -> None:
    parser, sent = ResponsesParser("acme"), ServerSentEvent(orjson.dumps(body))
    with pytest.raises(MalformedResponse, match="acme: the server sent an answer of more than 16 MiB"):
        [parser.feed(sent) for _ in range(17)]


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":%b}',
        b'{"type":"response.created","response":{"id":%b,"model":%b}}',
        b'{"type":"error","error":{"message":%b}}',
        b'{"type":"response.output_item.added","item":{"type":"function_call","name":%b,"call_id":%b}}',
        b'{"type":"response.output_item.done","item":{"type":"function_call","name":%b,"arguments":%b}}',
        b'{"type":"response.output_text.delta","delta":"a","item_id":%b}',
        b'{"type":"response.incomplete","response":{"incomplete_details":{"reason":%b}}}',
        b'{"type":"response.failed","response":{"error":%b}}',
    ],
)
def test_what_is_nested_too_deeply_ends_named_where_it_is_looked_at(body: bytes) -> None:
    deep = b"[" * 1000 + b"]" * 1000
    with contextlib.suppress(MalformedResponse):
        ResponsesParser("acme").feed(ServerSentEvent(body.replace(b"%b", deep)))
