"""Stories about the wire format, used by the loop as any other is."""

from __future__ import annotations

from codetether import Runtime, TextChunk

NAME = "change-me"


async def test_an_answer_streams_and_its_usage_counts() -> None:
    async with (
        Runtime.open({"plugins": {"only": [NAME]}}) as runtime,
        runtime.session(model=NAME) as session,
    ):
        events = [event async for event in session.stream("pieces of eight")]
    pieces = [event.text for event in events if isinstance(event, TextChunk)]  # not cut as they came: secrets are
    assert (len(pieces) > 2, "".join(pieces)) == (True, "pieces of eight")  # taken out, and could begin anywhere
    assert session.session.messages[-1].text == "pieces of eight"
    assert session.session.usage.output_tokens == 3
