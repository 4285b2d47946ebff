"""Answers in all their shapes become chunks, and nonsense becomes a named error."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from codetether import (
    AuthenticationFailed,
    ContextOverflow,
    DeadlineExceeded,
    Finished,
    IncompleteResponse,
    InvalidRequest,
    MalformedResponse,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    ResponseStarted,
    ServerFailed,
    StreamChunk,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Unknown,
    Usage,
    UsageReported,
    WholePart,
)
from codetether_http import error_from
from codetether_provider_bedrock.failures import read_failure
from codetether_provider_bedrock.frames import Frame
from codetether_provider_bedrock.parser import ConverseParser, read_usage
from hypothesis import given
from hypothesis import strategies as st

STOP = {"messageStop": {"stopReason": "end_turn"}}
USED = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
COUNTED = UsageReported(Usage(input_tokens=3, output_tokens=2), USED)
META = {"metadata": {"usage": USED, "metrics": {"latencyMs": 1}}}
END: list[StreamChunk] = [COUNTED, Finished("stop", "end_turn")]


def delta(index: int, **piece: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": piece}}


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"contentBlockStart": {"contentBlockIndex": index, "start": block}}


def stop(index: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def streamed(*events: dict[str, Any]) -> list[StreamChunk]:
    parser = ConverseParser("acme")
    frames = [Frame("event", name, orjson.dumps(body)) for event in events for name, body in event.items()]
    chunks = [chunk for frame in frames for chunk in parser.feed(frame)]
    return [*chunks, *parser.finish()]


def whole(*content: Any, stop_reason: str = "end_turn", **fields: Any) -> list[StreamChunk]:
    answer = {"output": {"message": {"role": "assistant", "content": list(content)}}, "stopReason": stop_reason}
    return ConverseParser("acme").whole(orjson.dumps({**answer, "usage": USED, **fields}))


def kept(**block: Any) -> WholePart:
    return WholePart(Unknown(raw={"type": "converse_block", "block": block}))


CALL = {"toolUseId": "a", "name": "read"}
SERVER = {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}


@pytest.mark.parametrize(
    ("events", "blocks", "chunks"),
    [
        ([delta(0, text="Hi"), delta(0, text=""), stop(0)], [{"text": "Hi"}], [TextDelta("Hi", 0)]),
        (
            [start(0, toolUse=CALL), delta(0, toolUse={"input": '{"p":1}'}), stop(0)],
            [{"toolUse": {**CALL, "input": {"p": 1}}}],
            [ToolCallDelta(0, "a", "read"), ToolCallDelta(0, None, None, '{"p":1}')],
        ),
        (
            [delta(0, reasoningContent={"text": "so"}), delta(0, reasoningContent={"signature": "x"}), stop(0)],
            [{"reasoningContent": {"reasoningText": {"text": "so", "signature": "x"}}}],
            [ThinkingDelta("so", 0), ThinkingDelta("", 0, {"acme": {"signature": "x"}})],
        ),
        (
            [delta(0, reasoningContent={"redactedContent": "AAEC"}), stop(0), delta(1, text="a")],
            [{"reasoningContent": {"redactedContent": "AAEC"}}, {"text": "a"}],
            [ThinkingDelta("", 0, {"acme": {"redacted": "AAEC"}}), TextDelta("a", 1)],
        ),
        (
            [
                start(0, toolUse=SERVER),
                delta(0, toolUse={"input": '{"q":'}),
                delta(0, toolUse={"input": "1}"}),
                stop(0),
            ],
            [{"toolUse": {**SERVER, "input": {"q": 1}}}],
            [kept(toolUse={**SERVER, "input": {"q": 1}})],
        ),
        (
            [start(0, toolResult={"toolUseId": "s", "type": "t"}), delta(0, toolResult=[{"text": "a"}, {"json": {}}])],
            [{"toolResult": {"toolUseId": "s", "type": "t", "content": [{"text": "a"}, {"json": {}}]}}],
            [kept(toolResult={"toolUseId": "s", "type": "t", "content": [{"text": "a"}, {"json": {}}]})],
        ),
        (
            [start(0, image={"format": "png"}), delta(0, image={"source": {"bytes": "AA=="}}), stop(0)],
            [{"image": {"format": "png", "source": {"bytes": "AA=="}}}],
            [kept(image={"format": "png", "source": {"bytes": "AA=="}})],
        ),
        (
            [delta(0, citation={"title": "a"}), delta(0, citation={"title": "b"}), stop(0)],
            [{"citationsContent": {"citations": [{"title": "a"}, {"title": "b"}]}}],
            [kept(citationsContent={"citations": [{"title": "a"}, {"title": "b"}]})],
        ),
        (
            [start(0, holo={"gram": 1}), delta(0, holo={"size": 2}), stop(0)],
            [{"holo": {"gram": 1, "size": 2}}],
            [kept(holo={"gram": 1, "size": 2})],
        ),
    ],
    ids=["text", "call", "thinking", "redacted", "server tool", "server result", "image", "citations", "unknown"],
)
def test_blocks_mean_the_same_streamed_and_whole(
    events: list[dict[str, Any]], blocks: list[Any], chunks: list[StreamChunk]
) -> None:
    assert streamed({"messageStart": {"role": "assistant"}}, *events, STOP, META) == [*chunks, *END]
    assert joined(whole(*blocks)) == joined([*chunks, *END])


def joined(chunks: list[StreamChunk]) -> list[Any]:
    """Chunks with what belongs together put together."""
    made: list[Any] = []
    for chunk in chunks:
        match made, chunk:
            case [*_, ToolCallDelta(arguments=text) as call], ToolCallDelta():
                made[-1] = ToolCallDelta(call.index, call.id, call.name, text + chunk.arguments)
            case [*_, ThinkingDelta(text=text) as thought], ThinkingDelta() if thought.block == chunk.block:
                made[-1] = ThinkingDelta(text + chunk.text, chunk.block, chunk.provider_data or thought.provider_data)
            case _:
                made.append(chunk)
    return made


def test_parallel_calls_keep_their_pieces_apart() -> None:
    other = {"toolUseId": "b", "name": "now"}
    began = [delta(0, text="both"), start(1, toolUse=CALL), start(2, toolUse=other)]
    pieces = [delta(2, toolUse={"input": ""}), delta(1, toolUse={"input": "{}"})]
    chunks = streamed(*began, *pieces, {"messageStop": {"stopReason": "tool_use"}}, META)
    assert chunks == [
        TextDelta("both", 0),
        ToolCallDelta(1, "a", "read"),
        ToolCallDelta(2, "b", "now"),
        ToolCallDelta(2),
        ToolCallDelta(1, None, None, "{}"),
        COUNTED,
        Finished("tool_calls", "tool_use"),
    ]


def test_redacted_pieces_become_one() -> None:
    pieces = [delta(0, reasoningContent={"redactedContent": piece}) for piece in ("AA==", "AQI=")]
    assert streamed(*pieces, STOP)[0] == ThinkingDelta("", 0, {"acme": {"redacted": "AAEC"}})


def test_citations_within_a_text_leave_the_text() -> None:
    cited = [delta(0, text="It is."), delta(0, citation={"title": "a"}), stop(0)]
    assert streamed(*cited, STOP, META) == [TextDelta("It is.", 0), *END]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_model_output", "error"),
        ("malformed_tool_use", "error"),
        ("something_new", "unknown"),
    ],
)
def test_every_reason_to_stop(said: str, reason: Any) -> None:
    assert whole(stop_reason=said)[-1] == Finished(reason, said)
    assert streamed({"messageStop": {"stopReason": said}})[-1] == Finished(reason, said)


def test_usage_counts_what_was_cached_as_input() -> None:
    raw = {"inputTokens": 3, "outputTokens": 2, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20}
    counted = Usage(input_tokens=123, output_tokens=2, cache_read_tokens=100, cache_write_tokens=20)
    assert read_usage(raw) == counted
    older = {"inputTokens": 3, "outputTokens": 2, "cacheReadInputTokenCount": 100, "cacheWriteInputTokenCount": 20}
    assert read_usage(older) == counted
    assert read_usage({"inputTokens": -1e300, "outputTokens": "many"}) == Usage()


def test_usage_before_the_end_does_not_end_it() -> None:
    assert streamed(META, delta(0, text="a"), STOP) == [COUNTED, TextDelta("a", 0), Finished("stop", "end_turn")]


def test_the_model_that_a_prompt_router_chose() -> None:
    trace = {"promptRouter": {"invokedModelId": "arn:aws:bedrock:us-east-1::foundation-model/m"}}
    assert whole({"text": "a"}, trace=trace)[-2] == ResponseStarted(
        None, "arn:aws:bedrock:us-east-1::foundation-model/m"
    )


def test_nothing_is_read_after_the_end() -> None:
    parser = ConverseParser("acme")
    for event in (STOP, META):
        for name, body in event.items():
            parser.feed(Frame("event", name, orjson.dumps(body)))
    assert parser.done
    assert parser.feed(Frame("exception", "throttlingException", b"{}")) == []
    assert (parser.fault, parser.finish()) == (None, [])


@pytest.mark.parametrize("events", [[], [delta(0, text="Hi")], [delta(0, text="Hi"), stop(0), META]])
def test_without_its_end_an_answer_is_incomplete(events: list[dict[str, Any]]) -> None:
    with pytest.raises(IncompleteResponse, match="acme: the stream ended without messageStop"):
        streamed(*events)


@pytest.mark.parametrize(
    "event",
    [
        {"contentBlockDelta": {"delta": None}},
        {"contentBlockDelta": {}},
        {"contentBlockDelta": {"contentBlockIndex": "one", "delta": {"text": "a"}}},
        {"contentBlockStart": {"start": []}},
        {"contentBlockStart": {"start": {"toolUse": 1}}},
        {"messageStop": {}},
        delta(0, reasoningContent={"redactedContent": "?"}),
        {"contentBlockDelta": [1]},
    ],
)
def test_events_of_unknown_shapes_are_malformed_or_kept(event: dict[str, Any]) -> None:
    try:
        chunks = streamed(event, STOP)
    except MalformedResponse as error:
        assert error.message.startswith("acme: the server sent")  # noqa: PT017
    else:
        assert isinstance(chunks[0], WholePart)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["text", "toolUse", "toolResult", "input", "reasoningContent", "delta"]), inner
        )
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(["contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"])


@given(st.lists(st.tuples(NAMES, st.dictionaries(st.sampled_from(["delta", "start", "usage", "trace"]), JSON))))
def test_whatever_is_sent_ends_named(events: list[tuple[str, dict[str, Any]]]) -> None:
    try:
        chunks = streamed(*({name: body} for name, body in events))
    except (MalformedResponse, IncompleteResponse):
        return
    assert isinstance(chunks[-1], Finished)


@given(JSON)
def test_whatever_a_block_is_it_ends_named(block: Any) -> None:
    try:
        chunks = whole(block)
    except MalformedResponse:
        return
    assert isinstance(chunks[-1], Finished)


@pytest.mark.parametrize(
    "body",
    [b"", b"ok", b"null", b"[]", b"{}", b'{"message":"no"}', b'{"output":{"message":{"content":[]}}}', b'{"output":1}'],
)
def test_bodies_that_are_no_answers(body: bytes) -> None:
    with pytest.raises(MalformedResponse):
        ConverseParser("acme").whole(body)


def test_an_endless_answer_ends() -> None:
    parser = ConverseParser("acme")
    frame = Frame("event", "contentBlockDelta", orjson.dumps({"delta": {"text": "a" * 1_000_000}}))
    for _ in range(16):
        assert parser.feed(frame)
    with pytest.raises(MalformedResponse, match="an answer of more than 16 MiB"):
        parser.feed(frame)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", RateLimited),
        ("internalServerException", ServerFailed),
        ("modelStreamErrorException", ServerFailed),
        ("serviceUnavailableException", ServerFailed),
        ("validationException", InvalidRequest),
        ("modelTimeoutException", DeadlineExceeded),
        ("somethingNewException", ServerFailed),
    ],
)
def test_exceptions_in_a_stream(name: str, kind: type[Exception]) -> None:
    parser = ConverseParser("acme")
    parser.feed(Frame("event", "contentBlockDelta", orjson.dumps({"delta": {"text": "a"}})))
    parser.feed(Frame("exception", name, b'{"message":"Too bad."}'))
    assert parser.done
    assert parser.fault is not None
    error = error_from(parser.fault, "acme")
    assert (type(error), error.message, error.status) == (kind, "acme: Too bad.", 200)
    assert error.details == {"message": "Too bad.", "type": name, "code": name}


def test_an_error_that_stands_in_headers() -> None:
    parser = ConverseParser("acme")
    parser.feed(Frame("error", "InternalFailure", b"", "It broke"))
    assert parser.fault is not None
    assert (type(error_from(parser.fault, "acme")), parser.fault.message) == (ServerFailed, "It broke")


@pytest.mark.parametrize(
    ("status", "name", "said", "kind"),
    [
        (400, "ValidationException", "The provided model identifier is invalid.", ModelNotFound),
        (400, "ValidationException", "Invocation of model ID x with on-demand throughput is not there", ModelNotFound),
        (400, "ValidationException", "Input is too long for requested model.", ContextOverflow),
        (400, "ValidationException", "temperature: too hot", InvalidRequest),
        (
            400,
            "ValidationException",
            "The maximum tokens you requested exceeds the model limit of 4096.",
            InvalidRequest,
        ),
        (429, "ThrottlingException", "Too many tokens per day, please wait before trying again.", QuotaExhausted),
        (400, "ServiceQuotaExceededException", "m", QuotaExhausted),
        (403, "AccessDeniedException", "m", AuthenticationFailed),
        (403, "UnrecognizedClientException", "m", AuthenticationFailed),
        (403, "InvalidSignatureException", "Signature expired", AuthenticationFailed),
        (404, "ResourceNotFoundException", "m", ModelNotFound),
        (404, "UnknownOperationException", "m", InvalidRequest),
        (408, "ModelTimeoutException", "m", DeadlineExceeded),
        (424, "ModelErrorException", "m", ServerFailed),
        (429, "ThrottlingException", "m", RateLimited),
        (429, "ModelNotReadyException", "m", RateLimited),
        (500, "InternalServerException", "m", ServerFailed),
        (503, "ServiceUnavailableException", "m", ServerFailed),
        (418, "TeapotException", "m", InvalidRequest),
    ],
)
def test_failures_are_named_by_their_header(status: int, name: str, said: str, kind: type[Exception]) -> None:
    headers = {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    error = error_from(read_failure(orjson.dumps({"message": said}), status, headers), "acme")
    assert (type(error), error.code, error.status, error.message) == (
        kind,
        name,
        status,
        f"acme answered {status}: {said}",
    )


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, b'{"message":"m","code":"OddException"}', InvalidRequest, "OddException"),
        (404, b'{"__type":"com.amazon.coral#UnknownOperationException"}', InvalidRequest, "UnknownOperationException"),
        (400, b'{"Message":"m"}', InvalidRequest, "400"),
        (403, b'{"message":"m"}', AuthenticationFailed, "403"),
        (400, b'{"error":{"message":"m","type":"gateway"}}', InvalidRequest, "gateway"),
        (500, b"<html>", ServerFailed, ""),
        (500, b"", ServerFailed, ""),
        (400, b"[1]", InvalidRequest, ""),
    ],
)
def test_failures_without_a_header(status: int, body: bytes, kind: type[Exception], code: str) -> None:
    error = error_from(read_failure(body, status, {}), "acme")
    assert (type(error), error.code, error.status) == (kind, code, status)
