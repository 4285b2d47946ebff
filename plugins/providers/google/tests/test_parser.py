"""Answers as servers give them, odd ones too, become chunks or a named error."""

from __future__ import annotations

import collections
from itertools import pairwise
from typing import Any

import orjson
import pytest
from codetether import (
    FilePart,
    Finished,
    FinishReason,
    ImagePart,
    IncompleteResponse,
    MalformedResponse,
    Message,
    ProviderError,
    ResponseStarted,
    StreamChunk,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCallDelta,
    Usage,
    UsageReported,
    WholePart,
)
from codetether.session.assemble import Assembly
from codetether_http import EventSplitter, Fault, ServerSentEvent
from codetether_provider_google.parser import GenerateParser, read_usage
from hypothesis import given
from hypothesis import strategies as st


def said(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], **more}


def streamed(*bodies: Any) -> list[StreamChunk]:
    parser = GenerateParser("google")
    chunks = [chunk for body in bodies for chunk in parser.feed(ServerSentEvent(orjson.dumps(body)))]
    return [*chunks, *parser.finish()]


def message(chunks: list[StreamChunk]) -> Message:
    assembly = Assembly("google", "m")
    for chunk in chunks:
        assembly.feed(chunk)
    return assembly.message()


def signed(signature: str) -> dict[str, Any]:
    return {"google": {"thoughtSignature": signature}}


STOP = said(finish="STOP")


def test_a_turn_with_thoughts_text_and_signatures_keeps_each_where_it_came() -> None:
    chunks = streamed(
        said({"text": "Hm", "thought": True}, responseId="r1", modelVersion="gemini-2.5-pro-002"),
        said({"text": ", well", "thought": True}),
        said({"text": "One"}),
        said({"text": " two", "thought": False}),
        said({"text": " three", "thoughtSignature": "s1"}),
        said({"text": " four"}),
        said({"text": "", "thoughtSignature": "s2"}, finish="STOP", usageMetadata={"promptTokenCount": 3}),
    )
    assert chunks[0] == ResponseStarted("r1", "gemini-2.5-pro-002")
    assert chunks[-2:] == [UsageReported(Usage(input_tokens=3), {"promptTokenCount": 3}), Finished("stop", "STOP")]
    assert message(chunks).parts == (
        ThinkingPart(text="Hm, well"),
        TextPart(text="One two"),
        TextPart(text=" three", provider_data=signed("s1")),
        TextPart(text=" four"),
        TextPart(text="", provider_data=signed("s2")),
    )


def test_calls_come_whole_and_get_ids_where_they_have_none() -> None:
    chunks = streamed(
        said({"functionCall": {"name": "add", "args": {"a": 2}}, "thoughtSignature": "s"}),
        said(
            {"functionCall": {"name": "add", "args": {"a": 2}}},
            {"functionCall": {"name": "list", "id": "own-1"}},
            {"functionCall": {"name": "list", "id": "own-1", "args": None}},
            finish="STOP",
        ),
    )
    calls = [chunk for chunk in chunks if isinstance(chunk, ToolCallDelta)]
    assert [(c.index, c.name, c.arguments, c.provider_data) for c in calls] == [
        (0, "add", '{"a":2}', signed("s")),
        (1, "add", '{"a":2}', None),
        (2, "list", "{}", None),
        (3, "list", "{}", None),
    ]
    assert calls[2].id == "own-1"
    assert len({c.id for c in calls}) == 4
    assert all(c.id and c.id.startswith("call_own_") and len(c.id) <= 40 for c in calls if c.id != "own-1")
    assert chunks[-1] == Finished("tool_calls", "STOP")


def test_what_the_provider_ran_itself_is_kept_and_not_called() -> None:
    code = {"executableCode": {"code": "print(1)", "language": "PYTHON"}, "thoughtSignature": "s"}
    result = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}
    chunks = streamed(said(code, {"text": ""}, finish="STOP"), said(result), said({"text": "It is 1."}, finish="STOP"))
    assert message(chunks).parts == (
        ThinkingPart(provider_data={"google": {"part": code}}),
        ThinkingPart(provider_data={"google": {"part": result}}),
        TextPart(text="It is 1."),
    )
    assert chunks[-1] == Finished("stop", "STOP")


def test_images_and_files_are_parts() -> None:
    chunks = streamed(
        said(
            {"inlineData": {"mimeType": "image/png", "data": "eHl6"}, "thoughtSignature": "s"},
            {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://a/b.pdf"}},
            {"inlineData": {"mimeType": "image/png", "data": "_-8="}, "thought": True},
            finish="STOP",
        )
    )
    assert chunks[:-1] == [
        WholePart(ImagePart(media_type="image/png", data=b"xyz", provider_data=signed("s"))),
        WholePart(FilePart(media_type="application/pdf", url="gs://a/b.pdf")),
        WholePart(ImagePart(media_type="image/png", data=b"\xff\xef", provider_data={"google": {"thought": True}})),
    ]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("LANGUAGE", "error"),
        ("OTHER", "error"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("UNEXPECTED_TOOL_CALL", "error"),
        ("TOO_MANY_TOOL_CALLS", "error"),
        ("A_NEWER_ONE", "unknown"),
    ],
)
def test_every_finish_reason_has_its_kind(word: str, reason: FinishReason) -> None:
    assert streamed(said({"text": "a"}, finish=word)) == [TextDelta("a"), Finished(reason, word)]


@pytest.mark.parametrize("word", ["MAX_TOKENS", "SAFETY", "UNEXPECTED_TOOL_CALL", "MALFORMED_FUNCTION_CALL"])
def test_a_call_beside_such_an_end_is_no_reason_to_run_it(word: str) -> None:
    assert streamed(said({"functionCall": {"name": "rm"}}, finish=word))[-1] != Finished("tool_calls", word)


def test_a_blocked_prompt_is_a_filtered_answer_whole_or_streamed() -> None:
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    end = [UsageReported(Usage(input_tokens=4), {"promptTokenCount": 4}), Finished("content_filter", "SAFETY")]
    assert streamed(body) == end
    assert GenerateParser("google").whole(orjson.dumps(body)) == end


@pytest.mark.parametrize(
    "bodies",
    [
        (),
        (said({"text": "a"}),),
        (said({"text": "a"}, finish="FINISH_REASON_UNSPECIFIED"),),
        (said({"text": "a"}, finish="STOP"), said({"text": "b"})),
        (said({"text": "a"}, finish="STOP"), said({"functionCall": {"name": "x"}})),
        ({"usageMetadata": {"promptTokenCount": 1}},),
        ({"promptFeedback": {"safetyRatings": []}},),
        ({"candidates": []},),
    ],
)
def test_without_a_finish_reason_at_the_end_an_answer_is_incomplete(bodies: tuple[Any, ...]) -> None:
    with pytest.raises(IncompleteResponse, match="google: the stream ended without a finish reason"):
        streamed(*bodies)


@pytest.mark.parametrize(
    "after",
    [
        {"usageMetadata": {"promptTokenCount": 1}},
        {"candidates": [{"content": {"role": "model"}}]},
        {"candidates": [{"content": {"parts": [{"text": ""}]}, "index": 0}]},
        {"candidates": [{"index": 0}]},
        {"candidates": [{"content": {"parts": [{"text": "of another"}]}, "index": 1}]},
        {"something": "new"},
    ],
)
def test_what_adds_nothing_after_the_finish_reason_does_not_undo_it(after: dict[str, Any]) -> None:
    assert streamed(said({"text": "a"}, finish="STOP"), after)[-1] == Finished("stop", "STOP")


def test_a_stream_as_one_array_is_read_in_one_piece() -> None:
    bodies = [said({"text": "a"}), said({"text": "b"}, finish="STOP")]
    assert GenerateParser("google").whole(orjson.dumps(bodies)) == streamed(*bodies)
    with pytest.raises(IncompleteResponse):
        GenerateParser("google").whole(orjson.dumps(bodies[:1]))
    with pytest.raises(IncompleteResponse):
        GenerateParser("google").whole(b"[]")


def test_a_whole_body_needs_no_finish_reason() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "eHl6"}}
    assert GenerateParser("google").whole(orjson.dumps(said(image)))[-1] == Finished("unknown", None)


@pytest.mark.parametrize("wrap", [lambda error: {"error": error}, lambda error: [{"error": error}]])
def test_an_error_in_the_midst_is_the_answer(wrap: Any) -> None:
    parser = GenerateParser("google")
    error = {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}
    chunks = parser.feed(ServerSentEvent(orjson.dumps(said({"text": "a"}))))
    assert parser.feed(ServerSentEvent(orjson.dumps(wrap(error)))) == []
    assert (chunks, parser.done, parser.finish()) == ([TextDelta("a")], True, [])
    assert parser.fault == Fault(message="overloaded", type="UNAVAILABLE", code=503)


@pytest.mark.parametrize("error", ["broken", {"reason": "odd"}, ["x"], 7])
def test_an_error_of_any_shape_is_a_fault(error: Any) -> None:
    parser = GenerateParser("google")
    assert parser.whole(orjson.dumps({"error": error})) == []
    assert parser.fault is not None


@pytest.mark.parametrize(
    "body",
    [
        "text",
        7,
        None,
        ["text"],
        {"candidates": "text"},
        {"candidates": ["text"]},
        {"candidates": {"a": 1}},
        {"candidates": [{"content": "text"}]},
        {"candidates": [{"content": ["text"]}]},
        {"candidates": [{"content": {"parts": ["text"]}}]},
        {"candidates": [{"content": {"parts": [None]}}]},
        {"candidates": [{"content": {"parts": {"text": "a"}}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": "text"}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": None}]}}]},
        {"candidates": [{"content": {"parts": [{"inlineData": "text"}]}}]},
        {"candidates": [{"content": {"parts": [{"inlineData": {"data": "x"}}]}}]},
        {"candidates": [{"content": {"parts": [{"fileData": {}}]}}]},
        {"promptFeedback": "text"},
    ],
)
def test_an_unknown_shape_is_malformed(body: Any) -> None:
    with pytest.raises(MalformedResponse, match="google: the server sent"):
        streamed(body)
    with pytest.raises(MalformedResponse, match="google: the server sent"):
        GenerateParser("google").whole(orjson.dumps(body))


def test_deep_arguments_are_malformed_and_no_crash() -> None:
    deep = b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"x","args":%b}}]}}]}'
    for levels in (300, 10_000):
        with pytest.raises(MalformedResponse):
            GenerateParser("google").whole(deep % (b'{"a":' * levels + b"1" + b"}" * levels))


@pytest.mark.parametrize(
    "parts", [{"text": "a" * 1000}, {"functionCall": {"name": "x"}}, {"newThing": {"x": "y" * 900}}]
)
def test_an_endless_answer_ends(parts: dict[str, Any]) -> None:
    parser, event = GenerateParser("google"), ServerSentEvent(orjson.dumps(said(*[parts] * 100)))
    with pytest.raises(MalformedResponse, match="more than 16 MiB"):
        collections.deque((parser.feed(event) for _ in range(2000)), maxlen=0)


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (
            {
                "promptTokenCount": 147,
                "candidatesTokenCount": 108,
                "thoughtsTokenCount": 168,
                "toolUsePromptTokenCount": 360,
                "totalTokenCount": 783,
            },
            Usage(input_tokens=507, output_tokens=276, reasoning_tokens=168),
        ),
        (
            {"promptTokenCount": 1107, "cachedContentTokenCount": 1081, "totalTokenCount": 1107},
            Usage(input_tokens=1107, cache_read_tokens=1081),
        ),
        (
            {"promptTokenCount": 10, "candidatesTokenCount": 30, "thoughtsTokenCount": 20, "totalTokenCount": 40},
            Usage(input_tokens=10, output_tokens=30, reasoning_tokens=20),
        ),
        (
            {"promptTokenCount": 10, "thoughtsTokenCount": 20},
            Usage(input_tokens=10, output_tokens=20, reasoning_tokens=20),
        ),
        (
            {
                "promptTokenCount": -1,
                "candidatesTokenCount": 1e300,
                "thoughtsTokenCount": "many",
                "totalTokenCount": [],
            },
            Usage(),
        ),
        ({"trafficType": "ON_DEMAND"}, Usage()),
    ],
)
def test_tokens_are_counted_our_way(raw: dict[str, Any], usage: Usage) -> None:
    assert read_usage(raw) == usage


@pytest.mark.parametrize("usage", [None, [], "many", 7, {}])
def test_usage_that_is_none_is_not_reported(usage: Any) -> None:
    assert streamed({**said({"text": "a"}, finish="STOP"), "usageMetadata": usage})[:-1] == [TextDelta("a")]


def test_the_end_of_a_gateway_is_no_event() -> None:
    parser = GenerateParser("google")
    parser.feed(ServerSentEvent(orjson.dumps(STOP)))
    assert [*parser.feed(ServerSentEvent(b"[DONE]")), *parser.finish()] == [Finished("stop", "STOP")]


WORDS = (
    "candidates content parts text thought thoughtSignature functionCall args name id inlineData fileData mimeType "
    "data finishReason usageMetadata promptFeedback blockReason error index"
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS.split()), inner, max_size=4),
    max_leaves=25,
)


@given(body=json_values)
def test_whatever_comes_ends_typed(body: Any) -> None:
    for read in (GenerateParser("google").whole, lambda data: streamed(orjson.loads(data))):
        try:
            chunks = read(orjson.dumps(body))
        except ProviderError:
            continue
        message(list(chunks))


@given(
    pieces=st.lists(
        st.tuples(st.sampled_from(["text", "thought", "call", "code"]), st.text(max_size=8), st.booleans()), max_size=8
    ),
    cuts=st.lists(st.integers(0, 4000), max_size=10),
)
def test_any_turn_is_the_same_however_its_bytes_come(pieces: list[tuple[str, str, bool]], cuts: list[int]) -> None:
    bodies = []
    for number, (kind, text, has_signature) in enumerate(pieces):
        part: dict[str, Any] = {"text": text} if kind in ("text", "thought") else {"executableCode": {"code": text}}
        part |= {"thought": True} if kind == "thought" else {}
        part = {"functionCall": {"name": "f", "id": f"c{number}", "args": {"x": text}}} if kind == "call" else part
        bodies.append(said(part | ({"thoughtSignature": f"s{number}"} if has_signature else {})))
    whole = b"".join(b"data: " + orjson.dumps(body) + b"\r\n\r\n" for body in (*bodies, STOP))
    splitter, parser = EventSplitter(), GenerateParser("google")
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    reads = [whole[a:b] for a, b in pairwise(places)]
    chunks = [chunk for data in reads for event in splitter.feed(data) for chunk in parser.feed(event)]
    assert [*chunks, *parser.finish()] == streamed(*bodies, STOP)


def test_a_thought_can_be_signed() -> None:
    chunks = streamed(
        said({"text": "a", "thought": True}), said({"text": "b", "thought": True, "thoughtSignature": "s"}), STOP
    )
    assert chunks[:-1] == [ThinkingDelta("a", 0), ThinkingDelta("b", 1, signed("s"))]
