"""Real exchanges, replayed: every answer is read as it was meant, and every request is written as clients wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest
from codetether import (
    JSON,
    CompletionRequest,
    Finished,
    IncompleteResponse,
    MalformedResponse,
    Message,
    ProviderError,
    StreamChunk,
    ToolCallDelta,
    UsageReported,
)
from codetether.session.assemble import Assembly
from codetether.testing.recording import Recording, read
from codetether.testing.recordings import Answer, Replayer, compare, table
from codetether_http import EventSplitter, error_from
from codetether_provider_google.calls import given as given_by_others
from codetether_provider_google.parser import GenerateParser
from codetether_provider_google.recordings import GenerateDialect, generate
from hypothesis import given
from hypothesis import strategies as st


def chunks_of(reads: Iterable[bytes], name: str = "google") -> list[StreamChunk]:
    """What the codec makes of a stream that came in these reads, with ids made here as `made`."""
    splitter, parser = EventSplitter(), GenerateParser(name)
    chunks = [chunk for data in reads for event in splitter.feed(data) for chunk in parser.feed(event)]
    try:
        for event in splitter.finish():
            chunks += parser.feed(event)
    except MalformedResponse:
        raise IncompleteResponse("torn") from None
    chunks += parser.finish()
    return [attrs.evolve(c, id="made") if isinstance(c, ToolCallDelta) and _is_made(c) else c for c in chunks]


def _is_made(call: ToolCallDelta) -> bool:
    return given_by_others(call.id or "") is None


def answer_of(recording: Recording, reads: Iterable[bytes]) -> Answer:
    """The codec's answer, without a transport."""
    name = recording.provider
    assembly, splitter, parser = Assembly(name, "m"), EventSplitter(), GenerateParser(name)
    chunks = [chunk for data in reads for event in splitter.feed(data) for chunk in parser.feed(event)]
    error: ProviderError | None = None
    try:
        chunks += parser.finish()
    except IncompleteResponse as raised:
        error = raised
    for chunk in chunks:
        assembly.feed(chunk)
    usage = [c.raw for c in chunks if isinstance(c, UsageReported)]
    return Answer(
        message=assembly.message(),
        finish=next((c for c in chunks if isinstance(c, Finished)), None),
        raw_usage=usage[-1] if usage else {},
        error=error_from(parser.fault, name) if parser.fault else error,
    )


def streams(recordings: Iterable[Recording]) -> list[Recording]:
    return [r for r in recordings if r.status == 200 and "event-stream" in r.headers.get("content-type", "")]


@pytest.fixture(scope="module")
def everything(shared: Path) -> list[Recording]:
    return [read(path) for path in sorted((shared / "google-generate-content").glob("*.json"))]


async def test_kept_recordings_pass_however_they_are_cut(kept: Sequence[Recording]) -> None:
    verdicts = await Replayer().replay(kept)
    assert {v.recording.id: v.why for v in verdicts} == {r.id: () for r in kept}
    assert len(kept) == 10


async def test_shared_recordings_pass(everything: Sequence[Recording]) -> None:
    verdicts = await Replayer().replay(everything, ("whole", "recorded"))
    assert [(v.recording.id, v.why) for v in verdicts if v.why] == [], table(verdicts)
    assert len(verdicts) == 90


def test_shared_streams_pass_byte_by_byte(everything: Sequence[Recording]) -> None:
    found = streams(everything)
    wrong = {r.name: compare(r.expect, answer_of(r, r.pieces("bytes")), generate) for r in found}
    assert {name: why for name, why in wrong.items() if why} == {}
    assert len(found) == 41


def signatures(message: Message) -> int:
    """How many parts carry one; those of the provider's own tools are kept whole."""
    noted = [data for part in message.parts for data in part.provider_data.values()]  # type: ignore[union-attr]
    return sum("thoughtSignature" in {**data, **data.get("part", {})} for data in noted)


def whole(body: bytes) -> Message:
    assembly = Assembly("google", "m")
    for chunk in GenerateParser("google").whole(body):
        assembly.feed(chunk)
    return assembly.message()


def test_every_signature_is_kept(everything: Sequence[Recording]) -> None:
    streamed = [(r, answer_of(r, [r.answer]).message) for r in streams(everything)]
    answered = [(r, whole(r.answer)) for r in everything if r.status == 200 and "json" in r.headers["content-type"]]
    found = {r.id: (signatures(message), r.expect.get("thought_signatures", 0)) for r, message in streamed + answered}
    assert {id_: counts for id_, counts in found.items() if counts[0] != counts[1]} == {}
    assert sum(ours for ours, _ in found.values()) > 35


def last_end(whole: bytes) -> int:
    """Where the event ends that holds the last finish reason, without its line end."""
    return whole.index(b"\r\n", whole.rindex(b'"finishReason"'))


def first_end(whole: bytes) -> int:
    return whole.index(b"\r\n", whole.index(b'"finishReason"'))


def test_a_stream_that_is_cut_anywhere_is_incomplete(kept: Sequence[Recording]) -> None:
    whole = next(r.answer for r in kept if r.id.endswith("split-utf8"))
    end = last_end(whole)
    assert isinstance(chunks_of([whole[:end]])[-1], Finished)
    taken = [cut for cut in range(end) if not _is_incomplete(whole[:cut])]
    assert taken == []


def test_between_two_finish_reasons_alone_a_cut_cannot_be_seen(kept: Sequence[Recording]) -> None:
    whole = next(r.answer for r in kept if r.id.startswith("rig-stream-terminal"))
    first, last = first_end(whole), last_end(whole)
    begun = first + len(b"\r\n\r\ndata: ")
    taken = [cut for cut in range(last) if not _is_incomplete(whole[:cut])]
    assert taken == list(range(first, begun + 1))
    assert isinstance(chunks_of([whole[:last]])[-1], Finished)


def test_every_shared_stream_that_is_cut_is_incomplete(everything: Sequence[Recording]) -> None:
    once = [r.answer for r in streams(everything) if r.answer.count(b'"finishReason"') == 1]
    cuts = [(whole, last_end(whole) - 1) for whole in once]
    taken = [whole[:cut] for whole, end in cuts for cut in range(end, 0, -97) if not _is_incomplete(whole[:cut])]
    assert taken == []
    assert len(once) > 30


def _is_incomplete(data: bytes) -> bool:
    try:
        chunks_of([data])
    except IncompleteResponse:
        return True
    return False


@given(data=st.data())
def test_every_way_to_cut_a_stream_gives_the_same_chunks(data: st.DataObject, kept: Sequence[Recording]) -> None:
    found = [r for r in streams(kept) if not (r.expect.get("incomplete") or r.expect.get("error"))]
    whole = data.draw(st.sampled_from(found)).answer
    places = [0, *sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12))), len(whole)]
    assert chunks_of([whole[a:b] for a, b in pairwise(places)]) == chunks_of([whole])


@pytest.mark.parametrize(
    ("lost", "seen"),
    [
        ({"system": ""}, ["request system"]),
        ({"tools": ()}, ["request tool_choice", "request tools"]),
        ({"tool_choice": "auto"}, ["request tool_choice"]),
        ({"messages": ()}, ["request contents"]),
    ],
)
async def test_the_kit_sees_a_request_that_is_written_otherwise(
    lost: dict[str, Any], seen: list[str], kept: Sequence[Recording]
) -> None:
    class Forgetful(GenerateDialect):
        """Loses something on the way."""

        def request(self, body: JSON, provider: str) -> CompletionRequest:
            return attrs.evolve(super().request(body, provider), **lost)

    recording = next(r for r in kept if r.id.startswith("rig-agent-run-streamed"))
    (verdict,) = await Replayer(dialects={"google-generate-content": Forgetful()}).replay([recording], ["whole"])
    assert sorted(why.removeprefix("whole: ").partition(":")[0] for why in verdict.why) == seen


async def test_other_ways_to_write_a_request_are_read(kept: Sequence[Recording]) -> None:
    body = {
        "system_instruction": {"parts": {"text": "be kind"}},
        "contents": [
            {"role": "USER", "parts": {"text": "see"}},
            {"role": "user", "parts": [{"fileData": {"fileUri": "https://video/1"}, "videoMetadata": {"fps": 1}}]},
            {"role": "model", "parts": []},
            {"role": "model", "parts": [{"functionCall": {"name": "read"}}, {"toolCall": {"id": "1"}}]},
            {"role": "function", "parts": [{"function_response": {"name": "read", "response": {"content": [1]}}}]},
            {"parts": [{"inline_data": {"mime_type": "image/png", "data": "<cut>"}}]},
        ],
        "tools": {"function_declarations": {"name": "read", "parameters": {"type": "OBJECT", "properties": {}}}},
        "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["read"]}},
    }
    recording = attrs.evolve(next(r for r in kept if r.id.endswith("split-utf8")), body=body)
    (verdict,) = await Replayer().replay([recording], ["whole"])
    assert (verdict.why, verdict.not_modelled) == ((), ("parts.videoMetadata", "parts.toolCall"))
