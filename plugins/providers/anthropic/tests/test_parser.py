"""Whatever servers do differently, the answer is read as they meant it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from codetether import (
    CompletionResponse,
    IncompleteResponse,
    MalformedResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    Unknown,
    Usage,
)
from codetether.session.assemble import Assembly
from codetether_http import Fault, ServerSentEvent
from codetether_provider_anthropic.parser import MessagesParser, read_usage
from hypothesis import given
from hypothesis import strategies as st

STOP = {"type": "message_stop"}


def start(**message: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "msg_1", "model": "m1", "content": [], **message}}


def begin(index: Any, kind: str, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **block}}


def delta(index: Any, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", **fields}}


def stop(index: Any) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ended(reason: Any, **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    return [begin(index, "text", text=""), *(delta(index, "text", text=p) for p in pieces), stop(index)]


def called(index: int, id_: Any, name: Any, *pieces: str, **block: Any) -> list[dict[str, Any]]:
    first = begin(index, "tool_use", **{"id": id_, "name": name, "input": {}, **block})
    return [first, *(delta(index, "input_json", partial_json=p) for p in pieces), stop(index)]


def answer(*bodies: Any, name: str = "acme") -> CompletionResponse:
    """The response that a stream of these bodies adds up to, `message_stop` after them."""
    parser, assembly = MessagesParser(name), Assembly(name, "asked")
    for body in (*bodies, STOP):
        for chunk in parser.feed(ServerSentEvent(orjson.dumps(body), str(body.get("type")).encode())):
            assembly.feed(chunk)
    for chunk in parser.finish():
        assembly.feed(chunk)
    return assembly.response()


def parts(*bodies: Any) -> tuple[Any, ...]:
    return answer(*bodies).message.parts


def calls(*bodies: Any) -> list[tuple[str, str, str]]:
    return [(c.id, c.name, c.arguments) for c in answer(*bodies).tool_calls]


def whole(content: Any, reason: Any = "end_turn", **more: Any) -> CompletionResponse:
    parser, assembly = MessagesParser("acme"), Assembly("acme", "asked")
    body = {"id": "msg_1", "type": "message", "model": "m1", "content": content, "stop_reason": reason, **more}
    for chunk in parser.whole(orjson.dumps(body)):
        assembly.feed(chunk)
    return assembly.response()


def kept(block: dict[str, Any]) -> Unknown:
    return Unknown(raw={"type": "anthropic_block", "provider": "acme", "block": block})


def test_an_answer_from_its_first_event_to_its_last() -> None:
    ping = {"type": "ping"}
    made = answer(
        ping,
        start(usage={"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}),
        ping,
        *text(0, "I ", "", "see"),
        ping,
        *text(1, "."),
        *called(2, "toolu_1", "read", "", '{"p"', ":1}"),
        ended("tool_use", output_tokens=9),
        ping,
    )
    assert made.message.parts == (
        TextPart(text="I see"),
        TextPart(text="."),
        ToolCallPart(id="toolu_1", name="read", arguments='{"p":1}'),
    )
    assert (made.response_id, made.model, made.finish_reason, made.raw_finish_reason) == (
        "msg_1",
        "m1",
        "tool_calls",
        "tool_use",
    )
    assert made.usage == Usage(input_tokens=15, cache_read_tokens=5, output_tokens=9)
    assert made.raw_usage == {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 9}


def test_thoughts_keep_their_signatures() -> None:
    bodies = [
        begin(0, "thinking", thinking="", signature=""),
        delta(0, "thinking", thinking="hm"),
        delta(0, "thinking", thinking=", yes"),
        delta(0, "signature", signature="sig"),
        stop(0),
        begin(1, "redacted_thinking", data="sealed"),
        stop(1),
        begin(2, "thinking", thinking="", signature=""),
        delta(2, "signature", signature="of nothing shown"),
        stop(2),
        *text(3, "Hi"),
    ]
    streamed = (
        ThinkingPart(text="hm, yes", provider_data={"acme": {"signature": "sig"}}),
        ThinkingPart(provider_data={"acme": {"redacted": "sealed"}}),
        ThinkingPart(provider_data={"acme": {"signature": "of nothing shown"}}),
        TextPart(text="Hi"),
    )
    assert parts(*bodies) == streamed
    content = [
        {"type": "thinking", "thinking": "hm, yes", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sealed"},
        {"type": "thinking", "thinking": "", "signature": "of nothing shown"},
        {"type": "text", "text": "Hi"},
    ]
    assert whole(content).message.parts == streamed


def test_what_the_provider_ran_itself_is_kept_and_never_called() -> None:
    search = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [{"type": "web_search_result"}]}
    compacted = {"type": "compaction", "content": None}
    made = answer(
        begin(0, **_named(search)),
        delta(0, "input_json", partial_json='{"query":'),
        delta(0, "input_json", partial_json='"sky"}'),
        stop(0),
        begin(1, **_named(found)),
        stop(1),
        begin(2, **_named(compacted)),
        delta(2, "compaction", content="They said "),
        delta(2, "compaction", content="hello."),
        stop(2),
        *text(3, "Blue."),
        ended("end_turn"),
    )
    blocks: tuple[dict[str, Any], ...] = (
        {**search, "input": {"query": "sky"}},
        found,
        {**compacted, "content": "They said hello."},
    )
    assert made.message.parts == (*map(kept, blocks), TextPart(text="Blue."))
    assert (made.tool_calls, made.finish_reason) == ((), "stop")
    assert whole([*blocks, {"type": "text", "text": "Blue."}]).message.parts == made.message.parts


def _named(block: dict[str, Any]) -> dict[str, Any]:
    return {"kind" if name == "type" else name: value for name, value in block.items()}


def test_citations_follow_the_text_that_they_belong_to() -> None:
    citation = {"type": "web_search_result_location", "encrypted_index": "x"}
    noted = TextPart(text="", provider_data={"acme": {"citations": [citation]}})
    bodies = [
        begin(0, "text", text="", citations=[]),
        delta(0, "text", text="Blue"),
        delta(0, "citations", citation=citation),
        stop(0),
    ]
    assert parts(*bodies, *text(1, ".")) == (TextPart(text="Blue"), noted, TextPart(text="."))
    assert whole([{"type": "text", "text": "Blue", "citations": [citation]}]).message.parts == (
        TextPart(text="Blue"),
        noted,
    )


@pytest.mark.parametrize(
    ("bodies", "found"),
    [
        (called(0, "a", "now"), [("a", "now", "{}")]),
        (called(0, "a", "now", ""), [("a", "now", "{}")]),
        (called(0, "a", "read", input={"p": 1}), [("a", "read", '{"p":1}')]),
        (called(0, "a", "read", '{"p":2}', input={"p": 1}), [("a", "read", '{"p":2}')]),
        (called(0, "a", "read", "[1]"), [("a", "read", "[1]")]),
        (called(0, "a", "read", '{"p":'), [("a", "read", '{"p":')]),
        (called(0, "a", None), [("a", "", "{}")]),
        ([*called(7, "a", "x"), *called(3, "b", "y")], [("a", "x", "{}"), ("b", "y", "{}")]),
        ([*called(0, "a", "x", '{"p":1}'), *called(0, "b", "y")], [("a", "x", '{"p":1}'), ("b", "y", "{}")]),
        (
            [begin(0, "tool_use", id="a", name="x"), begin(1, "tool_use", id="b", name="y"), *text(2, "so")],
            [("a", "x", "{}"), ("b", "y", "{}")],
        ),
    ],
)
def test_calls_are_told_apart(bodies: list[Any], found: list[tuple[str, str, str]]) -> None:
    assert calls(*bodies) == found


@pytest.mark.parametrize("ids", [("a", "a"), ("", None)])
def test_calls_without_an_id_of_their_own_are_given_one(ids: tuple[Any, Any]) -> None:
    first, second = calls(*called(0, ids[0], "x"), *called(1, ids[1], "y"))
    assert first[0] != second[0]
    assert all((first[0], second[0]))


def test_who_else_calls_is_noted() -> None:
    caller = {"type": "code_execution_20260120", "tool_id": "srv_1"}
    (direct, indirect) = answer(
        *called(0, "a", "x", caller={"type": "direct"}), *called(1, "b", "y", caller=caller)
    ).tool_calls
    assert (direct.provider_data, indirect.provider_data) == ({}, {"acme": {"caller": caller}})


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("refusal", "content_filter"),
        ("of_the_future", "unknown"),
        (None, "unknown"),
    ],
)
def test_every_stop_reason_has_its_meaning(raw: str | None, reason: str) -> None:
    streamed, at_once = answer(ended(raw)), whole([], raw)
    assert (streamed.finish_reason, streamed.raw_finish_reason) == (reason, raw)
    assert (at_once.finish_reason, at_once.raw_finish_reason) == (reason, raw)


def test_a_model_that_takes_over_is_named() -> None:
    hop = {"from": {"model": "m1"}, "to": {"model": "m2"}}
    assert answer(start(), begin(0, "fallback", **hop), stop(0), *text(1, "Hi")).model == "m2"


def test_events_are_known_by_their_name_where_they_hold_no_type() -> None:
    parser, assembly = MessagesParser("acme"), Assembly("acme", "asked")
    for name, body in (
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": "H"}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "i"}}),
        ("message_stop", {}),
    ):
        for chunk in parser.feed(ServerSentEvent(orjson.dumps(body), name.encode())):
            assembly.feed(chunk)
    assert assembly.response().message.parts == (TextPart(text="Hi"),)


def test_what_nobody_knows_is_passed_over() -> None:
    odd = [{"type": "message_annotation", "message": "no error"}, {"type": "ping", "cost": 1}]
    assert parts(*odd, *text(0, "Hi"), delta(0, "text", text="!")) == (TextPart(text="Hi"), TextPart(text="!"))
    assert MessagesParser("acme").feed(ServerSentEvent(b"[DONE]")) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "r"},
            Fault(message="Overloaded", type="overloaded_error"),
        ),
        (
            {"type": "error", "error": {"type": "bad_request_error", "message": "no (2013)", "http_code": "400"}},
            Fault(message="no (2013)", type="bad_request_error", more={"http_code": "400"}),
        ),
        ({"type": "error", "error": "text"}, Fault(message="text")),
        ({"type": "error"}, Fault(message='{"type":"error"}')),
        ({"base_resp": {"status_code": 1008, "status_msg": "poor"}}, Fault(message="poor", code=1008)),
        (
            {"type": "message_delta", "delta": {}, "base_resp": {"status_code": 1002, "status_msg": "slow"}},
            Fault(message="slow", code=1002),
        ),
    ],
)
def test_an_error_in_place_of_the_rest_ends_the_answer(body: dict[str, Any], fault: Fault) -> None:
    parser = MessagesParser("acme")
    parser.feed(ServerSentEvent(orjson.dumps(begin(0, "text", text="Hi"))))
    assert parser.feed(ServerSentEvent(orjson.dumps(body))) == []
    assert (parser.done, parser.fault, list(parser.finish())) == (True, fault, [])
    assert parser.feed(ServerSentEvent(orjson.dumps(STOP))) == []
    at_once = MessagesParser("acme")
    assert at_once.whole(orjson.dumps({**body, "content": []})) == []
    assert at_once.fault is not None
    assert at_once.fault.message in (fault.message, '{"type":"error","content":[]}')


def test_a_code_of_zero_is_no_error() -> None:
    assert whole([{"type": "text", "text": "Hi"}], base_resp={"status_code": 0, "status_msg": ""}).message.text == "Hi"


def test_an_answer_without_its_end_is_incomplete() -> None:
    parser = MessagesParser("acme")
    for body in (start(), *text(0, "Hi"), ended("end_turn")):
        parser.feed(ServerSentEvent(orjson.dumps(body)))
    with pytest.raises(IncompleteResponse, match="acme: the stream ended without message_stop"):
        parser.finish()


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"null",
        b"[]",
        b"\xff",
        b"[" * 10_000,
        b'{"type":"message_start"}',
        b'{"type":"message_start","message":[]}',
        b'{"type":"content_block_start","index":0,"content_block":null}',
        b'{"type":"content_block_start","index":{},"content_block":{"type":"text","text":"a"}}',
        b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":7}}',
        b'{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking"}}',
        b'{"type":"content_block_delta","index":0,"delta":null}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":["a"]}}',
        b'{"type":"content_block_delta","index":5,"delta":{"type":"input_json_delta","partial_json":"{"}}',
        b'{"type":"message_delta","delta":{"stop_reason":["end_turn"]}}',
    ],
)
def test_nonsense_is_named(data: bytes) -> None:
    with pytest.raises(MalformedResponse, match="acme: the server sent "):
        MessagesParser("acme").feed(ServerSentEvent(data))


@pytest.mark.parametrize(
    "data", [b"null", b"{}", b'{"content":"x"}', b'{"content":[null]}', b'{"content":[{"type":"text","text":1}]}', b""]
)
def test_a_body_of_nonsense_is_named(data: bytes) -> None:
    with pytest.raises(MalformedResponse, match="acme: the server sent "):
        MessagesParser("acme").whole(data)


def test_an_endless_answer_is_cut_off() -> None:
    parser = MessagesParser("acme")
    parser.feed(ServerSentEvent(orjson.dumps(begin(0, "text", text=""))))
    piece = ServerSentEvent(orjson.dumps(delta(0, "text", text="a" * (1 << 20))))
    with pytest.raises(MalformedResponse, match="more than 16 MiB"):
        [parser.feed(piece) for _ in range(20)]


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({}, Usage()),
        (
            {"input_tokens": 3, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 7, "output_tokens": 5},
            Usage(input_tokens=30, cache_read_tokens=20, cache_write_tokens=7, output_tokens=5),
        ),
        (
            {"input_tokens": 1, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}},
            Usage(input_tokens=1, output_tokens=9, reasoning_tokens=4),
        ),
        ({"input_tokens": -5, "output_tokens": 1e300, "cache_read_input_tokens": "many"}, Usage()),
        ({"input_tokens": None, "output_tokens": [1], "output_tokens_details": 7}, Usage()),
    ],
)
def test_tokens_are_counted_as_we_count(raw: dict[str, Any], usage: Usage) -> None:
    assert read_usage(raw) == usage


def test_later_counts_stand_in_place_of_earlier_ones_and_nulls_do_not() -> None:
    made = answer(
        start(usage={"input_tokens": 10, "service_tier": "standard", "output_tokens": 1}),
        ended(None, input_tokens=12, output_tokens=2),
        ended("end_turn", input_tokens=None, output_tokens=8),
    )
    assert made.raw_usage == {"input_tokens": 12, "service_tier": "standard", "output_tokens": 8}


def test_an_answer_without_usage_counts_nothing() -> None:
    made = answer(start(), *text(0, "Hi"), {"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
    assert (made.usage, made.raw_usage) == (Usage(), {})


SCALARS = (
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | st.floats(allow_nan=False) | st.text(max_size=8)
)
WORDS = st.sampled_from(
    [
        *(
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "error",
        ),
        *("text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "fallback"),
        *("text_delta", "thinking_delta", "signature_delta", "input_json_delta", "citations_delta", "end_turn"),
    ]
)
NAMES = st.sampled_from(
    [
        *("type", "index", "message", "content_block", "delta", "usage", "error", "base_resp", "content", "id", "name"),
        *("text", "thinking", "signature", "data", "input", "partial_json", "citations", "citation", "stop_reason"),
        *("input_tokens", "output_tokens", "output_tokens_details", "caller", "to", "status_code"),
    ]
)
ANYTHING = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
EVENTS = st.fixed_dictionaries({"type": WORDS}, optional={"index": ANYTHING, "delta": ANYTHING, "usage": ANYTHING}) | (
    st.builds(
        begin,
        st.integers(0, 2),
        WORDS,
        text=ANYTHING,
        input=ANYTHING,
        id=ANYTHING,
        name=ANYTHING,
        data=ANYTHING,
        to=ANYTHING,
    )
    | st.builds(delta, st.integers(0, 2), WORDS, text=ANYTHING, partial_json=ANYTHING, citation=ANYTHING)
    | st.builds(stop, ANYTHING)
    | ANYTHING
)


@given(st.lists(EVENTS, max_size=8))
def test_whatever_a_server_sends_ends_typed(events: list[Any]) -> None:
    parser, assembly = MessagesParser("acme"), Assembly("acme", "asked")
    try:
        for event in [*events, STOP]:
            for chunk in parser.feed(ServerSentEvent(orjson.dumps(event))):
                assembly.feed(chunk)
    except MalformedResponse:
        return
    assert parser.done
    assert assembly.finished is (parser.fault is None)
    orjson.dumps([part.arguments for part in assembly.message().tool_calls])


@given(
    st.fixed_dictionaries(
        {}, optional={"content": ANYTHING, "usage": ANYTHING, "stop_reason": ANYTHING, "id": ANYTHING}
    )
)
def test_whatever_a_body_holds_ends_typed(body: dict[str, Any]) -> None:
    parser = MessagesParser("acme")
    try:
        chunks = parser.whole(orjson.dumps(body))
    except MalformedResponse:
        return
    assert bool(chunks) is (parser.fault is None)
