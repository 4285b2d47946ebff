"""Real exchanges, replayed: every answer is read as it was meant, and every request is written as clients wrote it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from codetether import (
    Finished,
    IncompleteResponse,
    MalformedResponse,
    ProviderError,
    StreamChunk,
    UsageReported,
)
from codetether.session.assemble import Assembly
from codetether.testing.recording import Recording, read
from codetether.testing.recordings import Answer, Replayer, compare, table
from codetether_http import EventSplitter, error_from
from codetether_provider_responses.parser import ResponsesParser
from codetether_provider_responses.recordings import responses
from hypothesis import given
from hypothesis import strategies as st

APIS = {"openai-responses": 85, "copilot-responses": 5}
TERMINAL = (b"event: response.completed\n", b"event: response.incomplete\n", b"event: response.failed\n")


def chunks_of(reads: Iterable[bytes], name: str = "openai") -> list[StreamChunk]:
    """What the codec makes of a stream that came in these reads."""
    splitter, parser = EventSplitter(), ResponsesParser(name)
    chunks = [chunk for data in reads for event in splitter.feed(data) for chunk in parser.feed(event)]
    try:
        for event in splitter.finish():
            chunks += parser.feed(event)
    except MalformedResponse:
        raise IncompleteResponse("torn") from None
    return [*chunks, *parser.finish()]


def answer_of(recording: Recording, reads: Iterable[bytes]) -> Answer:
    """The codec's answer, without a transport."""
    name = recording.provider
    assembly, splitter, parser = Assembly(name, "m"), EventSplitter(), ResponsesParser(name)
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


def all_of(shared: Path, apis: Iterable[str] = APIS) -> list[Recording]:
    return [read(path) for api in apis for path in sorted((shared / api).glob("*.json"))]


def end_of(whole: bytes) -> int:
    """How many bytes there are up to the last one of the terminal event's data, that one not counted."""
    begin = max(whole.rfind(name) for name in TERMINAL)
    return begin + len(whole[begin:].rstrip(b"\n")) - 1


async def test_kept_recordings_pass_however_they_are_cut(kept: Sequence[Recording]) -> None:
    """Byte by byte the long ones in the proof: the codec alone is tried on every cut of all of them below."""
    long = [r for r in kept if len(r.answer) > 10_000 and "CODETETHER_PROOF" not in os.environ]
    short = [r for r in kept if r not in long]
    verdicts = [*await Replayer().replay(short), *await Replayer().replay(long, ("whole", "recorded"))]
    assert {v.recording.id: v.why for v in verdicts} == {r.id: () for r in kept}
    assert (len(kept), len(short) > 5) == (11, True)


@pytest.mark.parametrize(("api", "files"), APIS.items())
async def test_shared_recordings_pass(api: str, files: int, shared: Path) -> None:
    verdicts = await Replayer().replay(all_of(shared, [api]), ("whole", "recorded"))
    assert [(v.recording.id, v.why) for v in verdicts if v.why] == [], table(verdicts)
    assert len(verdicts) == files


def test_shared_streams_pass_byte_by_byte(shared: Path) -> None:
    found = streams(all_of(shared))
    wrong = {r.name: compare(r.expect, answer_of(r, r.pieces("bytes")), responses) for r in found}
    assert {name: why for name, why in wrong.items() if why} == {}
    assert len(found) == 43


@pytest.mark.parametrize("name", ["rig-responses-sessions", "rig-streaming-grammar-incomplete"])
def test_a_stream_that_is_cut_anywhere_is_incomplete(name: str, kept: Sequence[Recording]) -> None:
    whole = next(r.answer for r in kept if r.id.startswith(name))
    end = end_of(whole)
    assert isinstance(chunks_of([whole[: end + 1]])[-1], Finished)
    taken = [cut for cut in range(end + 1) if not _is_incomplete(whole[:cut])]
    assert taken == []


def test_every_shared_stream_that_is_cut_is_incomplete(shared: Path) -> None:
    ends = ((r.answer, end_of(r.answer)) for r in streams(all_of(shared)) if any(t in r.answer for t in TERMINAL))
    found = list(ends)
    taken = [whole[:cut] for whole, end in found for cut in range(end, 0, -997) if not _is_incomplete(whole[:cut])]
    assert taken == []
    assert len(found) == 36


def _is_incomplete(data: bytes) -> bool:
    try:
        chunks_of([data])
    except IncompleteResponse:
        return True
    return False


@given(data=st.data())
def test_every_way_to_cut_a_stream_gives_the_same_chunks(data: st.DataObject, kept: Sequence[Recording]) -> None:
    recording = data.draw(st.sampled_from(streams(kept)))
    whole = recording.answer
    places = [0, *sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12))), len(whole)]
    assert chunks_of([whole[a:b] for a, b in pairwise(places)]) == chunks_of([whole])
