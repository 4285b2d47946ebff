"""Stories about chunks that become one response."""

from __future__ import annotations

import pytest
from codetether import (
    CompletionResponse,
    Finished,
    ImagePart,
    IncompleteResponse,
    Message,
    RefusalDelta,
    RefusalPart,
    ResponseStarted,
    StreamChunk,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCallDelta,
    ToolCallPart,
    Usage,
    UsageReported,
    WholePart,
)
from codetether.session.assemble import Assembly, with_unique_ids
from hypothesis import given
from hypothesis import strategies as st


def assembled(*chunks: StreamChunk) -> CompletionResponse:
    assembly = Assembly("acme", "m")
    for chunk in chunks:
        assembly.feed(chunk)
    return assembly.response()


def test_parts_keep_their_order_and_their_provider_data() -> None:
    image = ImagePart(media_type="image/png", data=b"x")
    response = assembled(
        ResponseStarted("r1", "m-2026"),
        ThinkingDelta("hm"),
        ThinkingDelta("", provider_data={"signature": "s"}),
        TextDelta("a"),
        TextDelta("b"),
        ToolCallDelta(0, "c1", "echo", '{"te'),
        ToolCallDelta(1, "c2", "list"),
        ToolCallDelta(0, None, None, 'xt":1}'),
        TextDelta("lat", 2, {"acme": {"id": "m1"}}),
        TextDelta("er", 2),
        WholePart(image),
        RefusalDelta("no"),
        UsageReported(Usage(input_tokens=1), {"prompt": 1}),
        UsageReported(Usage(input_tokens=7, output_tokens=2), {"prompt": 7}),
        Finished("stop", "stop"),
    )
    assert response == CompletionResponse(
        message=Message(
            role="assistant",
            provider="acme",
            model="m",
            parts=(
                ThinkingPart(text="hm", provider_data={"signature": "s"}),
                TextPart(text="ab"),
                ToolCallPart(id="c1", name="echo", arguments='{"text":1}'),
                ToolCallPart(id="c2", name="list", arguments=""),
                TextPart(text="later", provider_data={"acme": {"id": "m1"}}),
                image,
                RefusalPart(text="no"),
            ),
        ),
        finish_reason="tool_calls",
        usage=Usage(input_tokens=7, output_tokens=2),
        model="m-2026",
        response_id="r1",
        raw_usage={"prompt": 7},
        raw_finish_reason="stop",
    )


def test_without_its_terminal_event_it_is_no_answer() -> None:
    with pytest.raises(IncompleteResponse):
        assembled(TextDelta("It is safe to"))


@given(st.text(), st.data())
def test_the_cuts_of_a_text_do_not_matter(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    response = assembled(*(TextDelta(piece) for piece in pieces), Finished("stop"))
    assert response.message.text == text


def test_missing_and_repeated_ids_become_unique_ones() -> None:
    taken = {"old"}
    response = assembled(
        ToolCallDelta(0, "old", "a"),
        ToolCallDelta(1, "x", "b"),
        ToolCallDelta(2, "x", "c"),
        ToolCallDelta(3, None, "d"),
        Finished("tool_calls"),
    )
    calls = with_unique_ids(response, taken).tool_calls
    ids = [call.id for call in calls]
    assert ids[1] == "x"
    assert len({*ids, "old"}) == 5
    assert taken == {*ids, "old"}
    assert [call.name for call in calls] == ["a", "b", "c", "d"]


def test_a_response_with_good_ids_stays_the_same_object() -> None:
    response = assembled(ToolCallDelta(0, "x", "b"), Finished("tool_calls"))
    assert with_unique_ids(response, set()) is response
