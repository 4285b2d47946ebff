"""Whatever servers do differently, the answer is read as they meant it."""

from __future__ import annotations

import contextlib
from decimal import Decimal
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
from codetether_provider_openai.parser import ChatParser, read_usage

DONE = ServerSentEvent(b"[DONE]")


def delta(finish: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"id": "r1", "model": "m1", "choices": [{"index": index, "delta": fields, "finish_reason": finish}]}


def call(index: int | None = None, id: str | None = None, name: str | None = None, arguments: Any = None) -> Any:  # noqa: A002
    function = {k: v for k, v in (("name", name), ("arguments", arguments)) if v is not None}
    return {k: v for k, v in (("index", index), ("id", id), ("function", function)) if v is not None}


def answer(*bodies: Any, done: bool = True, name: str = "acme") -> CompletionResponse:
    """The response that a stream of these bodies adds up to."""
    parser, assembly = ChatParser(name), Assembly(name, "asked")
    events = [ServerSentEvent(orjson.dumps(body)) for body in bodies]
    for event in [*events, DONE] if done else events:
        for chunk in parser.feed(event):
            assembly.feed(chunk)
    for chunk in parser.finish():
        assembly.feed(chunk)
    return assembly.response()


def parts(*bodies: Any) -> tuple[Any, ...]:
    return answer(*bodies).message.parts


def calls(*tool_calls: Any) -> list[tuple[str, str, str]]:
    found = answer(*(delta(tool_calls=c if isinstance(c, list) else [c]) for c in tool_calls)).tool_calls
    return [(c.id, c.name, c.arguments) for c in found]


def whole(message: Any, finish: str | None = "stop", **more: Any) -> CompletionResponse:
    parser, assembly = ChatParser("acme"), Assembly("acme", "asked")
    body = {"id": "r1", "choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}
    for chunk in parser.whole(orjson.dumps(body)):
        assembly.feed(chunk)
    return assembly.response()


def test_text_comes_in_pieces_of_any_kind() -> None:
    bodies = [
        delta(role="assistant", content=None),
        delta(content="a", tool_calls=None, refusal=None),
        delta(content=""),
        delta(),
        delta(content=[{"type": "text", "text": "b"}, "c", {"type": "reference", "ids": [1]}]),
        {"choices": [], "usage": {"prompt_tokens": 1}},
        delta("stop", content="d"),
    ]
    made = answer(*bodies)
    assert made.message.parts == (TextPart(text="abcd"),)
    assert (made.finish_reason, made.raw_finish_reason, made.response_id, made.model) == ("stop", "stop", "r1", "m1")


def test_other_choices_are_not_mixed_in() -> None:
    assert parts(delta(content="a"), delta(index=1, content="X"), delta(content="b")) == (TextPart(text="ab"),)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_remembers_the_field_it_came_in(field: str) -> None:
    thought = ThinkingPart(text="hm, yes", provider_data={"acme": {"field": field}})
    told: list[dict[str, Any]] = [{field: "hm"}, {field: ", yes", "content": ""}, {field: None, "content": "Hi"}]
    bodies = [delta(**fields) for fields in told]
    assert parts(*bodies) == (thought, TextPart(text="Hi"))


def test_reasoning_in_two_fields_is_told_once() -> None:
    assert parts(delta(reasoning_content="a", reasoning="a"))[0].text == "a"


def test_reasoning_details_are_kept_for_the_way_back() -> None:
    pieces = [
        {"type": "reasoning.text", "text": "I ", "index": 0, "format": "anthropic"},
        {"type": "reasoning.text", "text": "see", "index": 0},
        {"type": "reasoning.text", "signature": "sig", "index": 0},
    ]
    sealed = {"type": "reasoning.encrypted", "data": "xyz", "index": 1}
    bodies = [delta(reasoning=p.get("text"), reasoning_details=[p]) for p in pieces]
    told, text, hidden = parts(*bodies, delta(content="Hi"), delta(reasoning_details=[sealed]))
    joined = {"type": "reasoning.text", "text": "I see", "index": 0, "format": "anthropic", "signature": "sig"}
    assert told == ThinkingPart(text="I see", provider_data={"acme": {"reasoning_details": [joined]}})
    assert text == TextPart(text="Hi")
    assert hidden == ThinkingPart(text="", provider_data={"acme": {"reasoning_details": [sealed]}})


def test_reasoning_that_comes_in_details_only_is_shown() -> None:
    (thought,) = parts(delta(reasoning_details=[{"type": "reasoning.text", "text": "hm"}]))
    assert thought.text == "hm"


def test_reasoning_inside_a_list_of_content_is_no_text() -> None:
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Hi"}]
    thought = ThinkingPart(text="hm", provider_data={"acme": {"field": "content"}})
    assert parts(delta(content=content)) == (thought, TextPart(text="Hi"))
    assert whole({"content": content}).message.parts == (thought, TextPart(text="Hi"))


def test_a_refusal_is_no_text() -> None:
    assert parts(delta(refusal="I can"), delta(refusal="not"), delta("stop")) == (RefusalPart(text="I cannot"),)


def test_calls_come_in_pieces_by_index() -> None:
    found = calls(
        [call(0, "a", "read", ""), call(1, "b", "list")],
        call(1, None, None, '{"x"'),
        call(0, None, None, '{"p":'),
        [call(1, None, None, ":1}"), call(0, "", "", "2}")],
    )
    assert found == [("a", "read", '{"p":2}'), ("b", "list", '{"x":1}')]


def test_the_first_id_and_name_of_a_call_count() -> None:
    assert calls(call(0, "a", "read", "{"), call(0, "b", "write", "}")) == [("a", "read", "{}")]


def test_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    found = calls(call(None, "a", "read", "{"), call(None, None, None, "}"), call(None, "b", "list", "{}"))
    assert found == [("a", "read", "{}"), ("b", "list", "{}")]


def test_calls_without_an_id_get_one_and_twins_are_told_apart() -> None:
    found = calls(call(0, None, "read", "{}"), call(1, "", "read", "{}"), call(2, "x", "a"), call(3, "x", "b"))
    ids = [id_ for id_, _, _ in found]
    assert len(set(ids)) == 4
    assert all(ids)
    assert ids[2] == "x"


def test_odd_ids_stay_as_they_are() -> None:
    assert [id_ for id_, _, _ in calls(call(0, "functions.add:0", "add"), call(1, "call_-820", "add"))] == [
        "functions.add:0",
        "call_-820",
    ]


@pytest.mark.parametrize(
    ("arguments", "text"), [({"a": [1]}, '{"a":[1]}'), (None, ""), ("null", "null"), ("[1]", "[1]"), ("{", "{")]
)
def test_arguments_are_kept_as_the_model_wrote_them(arguments: Any, text: str) -> None:
    assert calls(call(0, "a", "read", arguments)) == [("a", "read", text)]


@pytest.mark.parametrize(
    ("raw", "with_call", "reason"),
    [
        ("stop", False, "stop"),
        ("stop", True, "tool_calls"),
        ("tool_calls", True, "tool_calls"),
        ("function_call", True, "tool_calls"),
        ("length", True, "length"),
        ("model_length", False, "length"),
        ("content_filter", False, "content_filter"),
        ("sensitive", True, "content_filter"),
        ("network_error", False, "error"),
        ("something new", False, "unknown"),
        (None, False, "unknown"),
        (None, True, "tool_calls"),
    ],
)
def test_finish_reasons(raw: str | None, with_call: bool, reason: str) -> None:
    made = answer(delta(raw, tool_calls=[call(0, "a", "read", "{}")] if with_call else None))
    assert (made.finish_reason, made.raw_finish_reason) == (reason, raw)


@pytest.mark.parametrize(
    "bodies",
    [
        [{"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}],
        [{"choices": [{"index": 0, "delta": {}, "usage": {"prompt_tokens": 7, "completion_tokens": 2}}]}],
        [{"choices": [], "x_groq": {"usage": {"prompt_tokens": 7, "completion_tokens": 2}}}],
        [
            {"choices": [], "usage": {"prompt_tokens": 1}},
            delta(usage=1),
            {"usage": {"prompt_tokens": 7, "completion_tokens": 2}},
        ],
        [{"choices": None, "usage": {"prompt_tokens": 7, "completion_tokens": 2}}, {"choices": [], "usage": None}],
    ],
)
def test_usage_is_found_anywhere_and_the_last_counts(bodies: list[Any]) -> None:
    assert answer(delta("stop", content="a"), *bodies).usage == Usage(input_tokens=7, output_tokens=2)


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 2},
                "cost": 0.0012,
            },
            Usage(
                input_tokens=10,
                output_tokens=5,
                cache_read_tokens=4,
                cache_write_tokens=3,
                reasoning_tokens=2,
                cost=Decimal("0.0012"),
            ),
        ),
        ({"prompt_tokens": 10, "prompt_cache_hit_tokens": 4}, Usage(input_tokens=10, cache_read_tokens=4)),
        ({"prompt_tokens": 10, "cached_tokens": 4}, Usage(input_tokens=10, cache_read_tokens=4)),
        (
            {  # reasoning beside the output, as its total shows
                "prompt_tokens": 496,
                "completion_tokens": 77,
                "total_tokens": 694,
                "completion_tokens_details": {"reasoning_tokens": 121},
            },
            Usage(input_tokens=496, output_tokens=198, reasoning_tokens=121),
        ),
        (
            {"prompt_tokens": -1, "completion_tokens": 1e300, "prompt_tokens_details": [], "cost": "free"},
            Usage(),
        ),
        ({"prompt_tokens": "12", "completion_tokens": None, "completion_tokens_details": None}, Usage()),
        ({"prompt_tokens": 3.0, "completion_tokens": 1e30}, Usage(input_tokens=3)),
    ],
)
def test_usage_is_counted_in_one_way(raw: dict[str, Any], usage: Usage) -> None:
    assert read_usage(raw) == usage


@pytest.mark.parametrize(("total", "output"), [({}, 198), ({"total_tokens": 694}, 198), ({"total_tokens": 573}, 77)])
def test_reasoning_that_is_counted_apart_is_added_unless_the_total_says_otherwise(
    total: dict[str, int], output: int
) -> None:
    raw = {"prompt_tokens": 496, "completion_tokens": 77, "completion_tokens_details": {"reasoning_tokens": 121}}
    assert read_usage({**raw, **total}, apart=True).output_tokens == output
    assert read_usage(raw).output_tokens == 77


def test_an_answer_in_one_piece_reads_like_a_stream() -> None:
    message = {"content": "Hi", "reasoning_content": "hm", "tool_calls": [{"id": "a", "function": {"name": "read"}}]}
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    made = whole(message, usage=usage)
    assert made.message.parts == (
        ThinkingPart(text="hm", provider_data={"acme": {"field": "reasoning_content"}}),
        TextPart(text="Hi"),
        ToolCallPart(id="a", name="read", arguments=""),
    )
    assert (made.finish_reason, made.usage, made.raw_usage) == (
        "tool_calls",
        Usage(input_tokens=1, output_tokens=2),
        usage,
    )


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"error": {"message": "no", "code": 400}}, Fault(message="no", code=400)),
        ({"error": "no"}, Fault(message="no")),
        ({"base_resp": {"status_code": 1008, "status_msg": "poor"}}, Fault(message="poor", code=1008)),
        ({"choices": [{"error": {"message": "no", "code": 502}, "message": {}}]}, Fault(message="no", code=502)),
    ],
)
def test_an_error_in_a_whole_answer_is_an_error(body: Any, fault: Fault) -> None:
    parser = ChatParser("acme")
    parser.whole(orjson.dumps(body))
    assert (parser.fault, parser.done) == (fault, True)


@pytest.mark.parametrize("event", [b"", b"error"])
def test_an_error_in_a_stream_ends_it_after_what_came_before(event: bytes) -> None:
    parser = ChatParser("acme")
    body = {"error": {"message": "no", "type": "server_error"}, "choices": [{"index": 0, "delta": {"content": "a"}}]}
    chunks = parser.feed(ServerSentEvent(orjson.dumps(body), event))
    assert (len(chunks), parser.fault, parser.feed(DONE), parser.finish()) == (
        1,
        Fault(message="no", type="server_error"),
        [],
        [],
    )


@pytest.mark.parametrize("body", [b"{}", b'{"choices":[]}', b'{"choices":null}', b'{"choices":"x"}', b"[]", b"7"])
def test_an_answer_without_choices_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedResponse, match="acme: the server sent"):
        ChatParser("acme").whole(body)


DEEP: Any = []
for _ in range(240):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices":[],"model":%b}',
        b'{"choices":[{"delta":{"tool_calls":[{"id":%b,"function":{}}]}}]}',
        b'{"choices":[{"delta":{},"finish_reason":%b}]}',
    ],
)
def test_what_is_nested_too_deeply_ends_named_where_it_is_looked_at(body: bytes) -> None:
    with contextlib.suppress(MalformedResponse):
        ChatParser("acme").feed(ServerSentEvent(body % (b"[" * 1000 + b"]" * 1000)))


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [7]},
        {"choices": 7},
        {"choices": [{"delta": 7}]},
        {"choices": [{"delta": {"content": 7}}]},
        {"choices": [{"delta": {"refusal": 7}}]},
        {"choices": [{"delta": {"reasoning": 7}}]},
        {"choices": [{"delta": {"reasoning_details": [7]}}]},
        {"choices": [{"delta": {"tool_calls": [7]}}]},
        {"choices": [{"delta": {"tool_calls": 7}}]},
        {"choices": [{"delta": {"tool_calls": [{"function": 7}]}}]},
        {"choices": [{"delta": {"reasoning_content": ["a", "b"]}}]},
        {"choices": [{"delta": {"content": {"text": 7}, "refusal": [7]}}]},
        {"choices": [], "x_groq": 7},
        {"choices": [], "usage": {"prompt_tokens": DEEP}},
        {"choices": [{"delta": {"reasoning_details": [{"type": "reasoning.text", "data": DEEP}]}}]},
    ],
)
def test_nonsense_ends_named(body: Any) -> None:
    with pytest.raises(MalformedResponse, match="acme: the server sent an event of an unknown shape"):
        ChatParser("acme").feed(ServerSentEvent(orjson.dumps(body)))


def test_a_stream_ends_with_done_alone() -> None:
    with pytest.raises(IncompleteResponse, match=r"acme: the stream ended without \[DONE\]"):
        answer(delta("stop", content="a"), done=False)


def test_nothing_counts_after_the_end() -> None:
    parser = ChatParser("acme")
    assert len(parser.feed(DONE)) == 1
    assert parser.feed(DONE) + parser.feed(ServerSentEvent(orjson.dumps(delta(content="a")))) + parser.finish() == []


def test_a_server_that_never_says_done_is_taken_at_its_finish_reason_where_that_is_allowed() -> None:
    parser = ChatParser("acme", done_optional=True)
    parser.feed(ServerSentEvent(orjson.dumps(delta(content="a"))))
    with pytest.raises(IncompleteResponse):
        parser.finish()
    parser.feed(ServerSentEvent(orjson.dumps(delta("stop"))))
    assert len(parser.finish()) == 1


@pytest.mark.parametrize(
    ("fields", "events"),
    [
        ({"content": "a" * 1_000_000}, 17),
        ({"reasoning": "a" * 1_000_000}, 17),
        ({"tool_calls": [call(0, "a", "b", "c" * 1_000_000)]}, 17),
    ],
)
def test_an_answer_has_a_limit(fields: dict[str, Any], events: int) -> None:
    parser = ChatParser("acme")
    event = ServerSentEvent(orjson.dumps(delta(**fields)))
    with pytest.raises(MalformedResponse, match="acme: the server sent an answer of more than 16 MiB"):
        [parser.feed(event) for _ in range(events)]
