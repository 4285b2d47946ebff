"""Real exchanges, replayed: every answer is read as it was meant, and every request is written as clients wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.eventstream import EventStream  # type: ignore[import-untyped]
from botocore.exceptions import EventStreamError  # type: ignore[import-untyped]
from botocore.parsers import EventStreamJSONParser, ResponseParserFactory  # type: ignore[import-untyped]
from botocore.session import Session  # type: ignore[import-untyped]
from codetether import (
    Finished,
    IncompleteResponse,
    StreamChunk,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Unknown,
    UsageReported,
    WholePart,
)
from codetether.testing.recording import Recording, read
from codetether.testing.recordings import Replayer, table
from codetether_provider_bedrock.blocks import block_in
from codetether_provider_bedrock.frames import FrameSplitter
from codetether_provider_bedrock.parser import ConverseParser
from hypothesis import given
from hypothesis import strategies as st

FILES = 81


def chunks_of(reads: Iterable[bytes]) -> list[StreamChunk]:
    """What the codec makes of a stream that came in these reads."""
    splitter, parser = FrameSplitter(), ConverseParser("bedrock")
    chunks = [chunk for data in reads for event in splitter.feed(data) for chunk in parser.feed(event)]
    for event in splitter.finish():
        chunks += parser.feed(event)
    return chunks if parser.fault else [*chunks, *parser.finish()]


def streams(recordings: Iterable[Recording]) -> list[Recording]:
    """Those whose answer streams and is whole."""
    return [
        r for r in recordings if "eventstream" in r.headers.get("content-type", "") and "incomplete" not in r.expect
    ]


def all_of(shared: Path) -> list[Recording]:
    return [read(path) for path in sorted((shared / "bedrock-converse").glob("*.json"))]


async def test_kept_recordings_pass_however_they_are_cut(kept: Sequence[Recording]) -> None:
    verdicts = await Replayer().replay(kept)
    assert {v.recording.id: v.why for v in verdicts} == {r.id: () for r in kept}
    assert len(kept) == 10


async def test_shared_recordings_pass(shared: Path) -> None:
    verdicts = await Replayer().replay(all_of(shared), ("whole", "recorded"))
    assert [(v.recording.id, v.why) for v in verdicts if v.why] == [], table(verdicts)
    assert len(verdicts) == FILES


def test_shared_streams_say_the_same_byte_by_byte(shared: Path) -> None:
    found = streams(all_of(shared))
    wrong = [r.id for r in found if chunks_of(r.pieces("bytes")) != chunks_of(r.pieces("whole"))]
    assert wrong == []
    assert len(found) > 20


@given(data=st.data())
def test_every_way_to_cut_a_stream_gives_the_same_chunks(data: st.DataObject, kept: Sequence[Recording]) -> None:
    whole = data.draw(st.sampled_from(streams(kept))).answer
    places = [0, *sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12))), len(whole)]
    assert chunks_of([whole[a:b] for a, b in pairwise(places)]) == chunks_of([whole])


def ending(whole: bytes) -> tuple[int, int]:
    """Where the frame of messageStop ends, and the next one."""
    at = whole.index(b"messageStop")
    start = end = 0
    while end <= at:
        start, end = end, end + int.from_bytes(whole[end : end + 4])
    assert start < at
    return end, end + int.from_bytes(whole[end : end + 4])


def test_a_stream_that_is_cut_anywhere_before_its_end_is_incomplete(kept: Sequence[Recording]) -> None:
    whole = next(r.answer for r in kept if r.id.startswith("rig-raw-streaming-raw-stream-emits-tool-call"))
    end, _ = ending(whole)
    taken = [cut for cut in range(end) if not _is_incomplete(whole[:cut])]
    assert taken == []


def test_a_stream_that_is_cut_after_its_end_only_lacks_its_usage(kept: Sequence[Recording]) -> None:
    whole = next(r.answer for r in kept if r.id.startswith("rig-raw-streaming-raw-stream-emits-tool-call"))
    end, after = ending(whole)
    assert after == len(whole)
    expected = [c for c in chunks_of([whole]) if not isinstance(c, UsageReported)]
    assert all(chunks_of([whole[:cut]]) == expected for cut in range(end, after))


def test_every_shared_stream_that_is_cut_is_incomplete(shared: Path) -> None:
    found = [r.answer for r in streams(all_of(shared)) if b"messageStop" in r.answer]
    cuts = [(whole, ending(whole)[0]) for whole in found]
    taken = [whole[:cut] for whole, end in cuts for cut in range(end - 1, 0, -97) if not _is_incomplete(whole[:cut])]
    assert taken == []
    assert len(found) > 20


def _is_incomplete(data: bytes) -> bool:
    try:
        chunks_of([data])
    except IncompleteResponse:
        return True
    return False


class _Body:
    """A body as botocore reads it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterable[bytes]:
        yield self._data


@pytest.fixture(scope="module")
def output_shape() -> Any:
    model = Session().get_service_model("bedrock-runtime")
    return model.operation_model("ConverseStream").get_event_stream_output()


def botocores(recording: Recording, shape: Any) -> dict[str, Any]:
    """What botocore's own reading of the stream says."""
    parser = ResponseParserFactory().create_parser("rest-json")._event_stream_parser
    assert isinstance(parser, EventStreamJSONParser)
    said: dict[str, Any] = {"text": "", "thinking": "", "arguments": {}, "stop": None, "usage": None, "error": None}
    try:
        for event in EventStream(_Body(recording.answer), shape, parser, "ConverseStream"):
            for name, body in event.items():
                _add(said, name, body)
    except EventStreamError as error:
        said["error"] = error.response["Error"]
    return said


def _add(said: dict[str, Any], name: str, body: dict[str, Any]) -> None:
    index = body.get("contentBlockIndex")
    if name == "contentBlockStart" and "toolUse" in body["start"] and "type" not in body["start"]["toolUse"]:
        call = body["start"]["toolUse"]
        said["arguments"][index] = [call["toolUseId"], call["name"], ""]
    elif name == "contentBlockDelta":
        delta = body["delta"]
        said["text"] += delta.get("text", "")
        said["thinking"] += delta.get("reasoningContent", {}).get("text", "")
        if "toolUse" in delta and index in said["arguments"]:
            said["arguments"][index][2] += delta["toolUse"]["input"]
    elif name == "messageStop":
        said["stop"] = body["stopReason"]
    elif name == "metadata":
        said["usage"] = body["usage"]


def ours(recording: Recording) -> dict[str, Any]:
    """The same of our own reading."""
    splitter, parser = FrameSplitter(), ConverseParser("bedrock")
    chunks = [chunk for event in splitter.feed(recording.answer) for chunk in parser.feed(event)]
    calls: dict[int, list[str]] = {}
    for c in chunks:
        if isinstance(c, ToolCallDelta):
            call = calls.setdefault(c.index, [c.id or "", c.name or "", ""])
            call[2] += c.arguments
    known = {"inputTokens", "outputTokens", "totalTokens", "cacheReadInputTokens", "cacheWriteInputTokens"}
    usage = [{k: v for k, v in c.raw.items() if k in known} for c in chunks if isinstance(c, UsageReported)]
    return {
        "text": "".join(c.text for c in chunks if isinstance(c, TextDelta)),
        "thinking": "".join(c.text for c in chunks if isinstance(c, ThinkingDelta)),
        "arguments": calls,
        "stop": next((c.raw for c in chunks if isinstance(c, Finished)), None),
        "usage": usage[-1] if usage else None,
        "error": {"Code": parser.fault.code, "Message": parser.fault.message} if parser.fault else None,
    }


def test_botocore_reads_kept_streams_as_we_do(kept: Sequence[Recording], output_shape: Any) -> None:
    found = streams(kept)
    assert [ours(r) for r in found] == [botocores(r, output_shape) for r in found]
    assert len(found) == 5


def test_botocore_reads_shared_streams_as_we_do(shared: Path, output_shape: Any) -> None:
    for recording in streams(all_of(shared)):
        assert ours(recording) == botocores(recording, output_shape), recording.id


def test_what_a_recording_says_is_kept_for_the_next_request(kept: Sequence[Recording]) -> None:
    recording = next(r for r in kept if r.id.startswith("ruby-llm-vcr-cassettes-chat-web-search"))
    parts = [chunk.part for chunk in chunks_of([recording.answer]) if isinstance(chunk, WholePart)]
    blocks = [block_in(part) or {} for part in parts if isinstance(part, Unknown)]
    assert [kind for block in blocks for kind in block] == ["toolUse", "toolResult", *["citationsContent"] * 2]
    call = blocks[0]["toolUse"]
    assert (call["type"], call["input"]) == ("server_tool_use", {"query": "latest stable Ruby version"})
    assert blocks[1]["toolResult"]["content"] == [{"text": "[HIDDEN]"}]
