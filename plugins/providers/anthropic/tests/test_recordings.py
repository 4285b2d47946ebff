"""Real exchanges, replayed: every answer is read as it was meant, and every request is written as clients wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import attrs
import pytest
from codetether import Finished, IncompleteResponse, MalformedResponse, ProviderError, StreamChunk, UsageReported
from codetether.session.assemble import Assembly
from codetether.testing.recording import Recording, read
from codetether.testing.recordings import Answer, Replayer, compare, table
from codetether_http import EventSplitter, error_from
from codetether_provider_anthropic.parser import MessagesParser
from codetether_provider_anthropic.recordings import messages
from hypothesis import given
from hypothesis import strategies as st

APIS = {"anthropic-messages": 101, "minimax-anthropic": 3}


def chunks_of(reads: Iterable[bytes], name: str = "anthropic") -> list[StreamChunk]:
    """What the codec makes of a stream that came in these reads."""
    splitter, parser = EventSplitter(), MessagesParser(name)
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
    assembly, splitter, parser = Assembly(name, "m"), EventSplitter(), MessagesParser(name)
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


async def test_kept_recordings_pass_however_they_are_cut(kept: Sequence[Recording]) -> None:
    verdicts = await Replayer().replay(kept)
    assert {v.recording.id: v.why for v in verdicts} == {r.id: () for r in kept}
    assert len(kept) == 9


@pytest.mark.parametrize(("api", "files"), APIS.items())
async def test_shared_recordings_pass(api: str, files: int, shared: Path) -> None:
    verdicts = await Replayer().replay(all_of(shared, [api]), ("whole", "recorded"))
    assert [(v.recording.id, v.why) for v in verdicts if v.why] == [], table(verdicts)
    assert len(verdicts) == files


def test_shared_streams_pass_byte_by_byte(shared: Path) -> None:
    found = streams(all_of(shared))
    wrong = {r.name: compare(r.expect, answer_of(r, r.pieces("bytes")), messages) for r in found}
    assert {name: why for name, why in wrong.items() if why} == {}
    assert len(found) == 51


def test_a_stream_that_is_cut_anywhere_is_incomplete(kept: Sequence[Recording]) -> None:
    whole = next(r.answer for r in kept if r.id.startswith("fantasy-claude-sonnet-4-thinking-streaming-0"))
    end = whole.rindex(b"}") + 1
    assert b"message_stop" in whole[end - 40 : end]
    assert isinstance(chunks_of([whole[:end]])[-1], Finished)
    assert [cut for cut in range(end) if not _is_incomplete(whole[:cut])] == []


def test_every_shared_stream_that_is_cut_is_incomplete(shared: Path) -> None:
    found = [r.answer for r in streams(all_of(shared)) if b'"type":"message_stop"' in r.answer]
    cuts = [(whole, whole.rindex(b"}")) for whole in found]
    taken = [whole[:cut] for whole, end in cuts for cut in range(end, 0, -97) if not _is_incomplete(whole[:cut])]
    assert taken == []
    assert len(found) > 40


def _is_incomplete(data: bytes) -> bool:
    try:
        chunks_of([data])
    except IncompleteResponse:
        return True
    return False


@given(data=st.data())
def test_every_way_to_cut_a_stream_gives_the_same_chunks(data: st.DataObject, kept: Sequence[Recording]) -> None:
    whole_ones = [r for r in streams(kept) if not r.expect.get("incomplete") and not r.expect.get("error")]
    whole = data.draw(st.sampled_from(whole_ones)).answer
    places = [0, *sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12))), len(whole)]
    assert chunks_of([whole[a:b] for a, b in pairwise(places)]) == chunks_of([whole])


async def test_the_kit_sees_a_signature_that_is_lost(kept: Sequence[Recording]) -> None:
    recording = next(r for r in kept if r.id.startswith("fantasy-claude-sonnet-4-thinking-streaming-0"))
    other = attrs.evolve(recording, expect={**recording.expect, "thinking_signature_sha256": ["00"]})
    (verdict,) = await Replayer().replay([other], ["whole"])
    assert [why.partition(" expected")[0] for why in verdict.why] == ["whole: signatures[0]: '00'"]


async def test_the_kit_sees_a_thought_that_does_not_go_back(kept: Sequence[Recording]) -> None:
    recording = next(r for r in kept if r.id.endswith("split-utf8"))
    body = {**recording.body, "messages": [*recording.body["messages"]]}
    asked = body["messages"][1]
    unsigned = [{**block, "signature": ""} if block["type"] == "thinking" else block for block in asked["content"]]
    body["messages"][1] = {**asked, "content": unsigned}
    (verdict,) = await Replayer().replay([attrs.evolve(recording, body=body)], ["whole"])
    assert len(verdict.why) == 1
    assert verdict.why[0].startswith("whole: request messages[1].content: ")
