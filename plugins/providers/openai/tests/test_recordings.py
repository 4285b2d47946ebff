"""Real exchanges, replayed: every answer is read as it was meant, and every request is written as clients wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import attrs
import orjson
import pytest
from click.testing import CliRunner
from codetether import (
    JSON,
    CompletionRequest,
    Finished,
    IncompleteResponse,
    MalformedResponse,
    ProviderError,
    StreamChunk,
    UsageReported,
)
from codetether.session.assemble import Assembly
from codetether.testing.recording import Recording, read
from codetether.testing.recordings import Answer, Replayer, compare, main, table
from codetether_http import EventSplitter, error_from
from codetether_provider_openai.parser import ChatParser
from codetether_provider_openai.recordings import ChatDialect, chat
from hypothesis import given
from hypothesis import strategies as st

APIS = {
    "openai-chat": 85,
    "openai-compatible-chat": 71,
    "openrouter-chat": 91,
    "zai-chat": 40,
    "moonshot-chat": 4,
    "copilot-chat": 26,
    "minimax-chat": 2,
}


def chunks_of(reads: Iterable[bytes], name: str = "openai") -> list[StreamChunk]:
    """What the codec makes of a stream that came in these reads."""
    splitter, parser = EventSplitter(), ChatParser(name)
    chunks = [chunk for data in reads for event in splitter.feed(data) for chunk in parser.feed(event)]
    try:
        for event in splitter.finish():
            chunks += parser.feed(event)
    except MalformedResponse:
        raise IncompleteResponse("torn") from None
    return [*chunks, *parser.finish()]


def answer_of(recording: Recording, reads: Iterable[bytes]) -> Answer:
    """The codec's answer, without a transport."""
    name = chat.provider(recording.provider)
    assembly, splitter, parser = Assembly(name, "m"), EventSplitter(), ChatParser(name)
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
    wrong = {r.name: compare(r.expect, answer_of(r, r.pieces("bytes")), chat) for r in found}
    assert {name: why for name, why in wrong.items() if why} == {}
    assert len(found) > 140


def test_a_stream_that_is_cut_anywhere_is_incomplete(kept: Sequence[Recording]) -> None:
    whole = next(r.answer for r in kept if r.id.startswith("rig-completions-api"))
    end = whole.index(b"[DONE]") + len(b"[DONE]")
    assert isinstance(chunks_of([whole[:end]])[-1], Finished)
    taken = [cut for cut in range(end) if not _is_incomplete(whole[:cut])]
    assert taken == []


def test_every_shared_stream_that_is_cut_is_incomplete(shared: Path) -> None:
    found = [r.answer for r in streams(all_of(shared, ["openai-chat"])) if b"data: [DONE]" in r.answer]
    cuts = [(whole, whole.index(b"[DONE]") + 5) for whole in found]
    taken = [whole[:cut] for whole, end in cuts for cut in range(end, 0, -97) if not _is_incomplete(whole[:cut])]
    assert taken == []
    assert len(found) > 35


def _is_incomplete(data: bytes) -> bool:
    try:
        chunks_of([data])
    except IncompleteResponse:
        return True
    return False


@given(data=st.data())
def test_every_way_to_cut_a_stream_gives_the_same_chunks(data: st.DataObject, kept: Sequence[Recording]) -> None:
    recording = data.draw(st.sampled_from([r for r in streams(kept) if "incomplete" not in r.expect]))
    whole = recording.answer
    places = [0, *sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12))), len(whole)]
    assert chunks_of([whole[a:b] for a, b in pairwise(places)]) == chunks_of([whole])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"text": "something else"}, "whole: text: 'something else' expected, got ''"),
        ({"finish_reason": "stop"}, "whole: finish_reason: 'stop' expected, got 'tool_calls'"),
        ({"usage": None}, "whole: usage: None expected, got {"),
        ({"tool_calls": []}, "whole: tool_calls: [] expected, got [{"),
        ({"incomplete": True}, "whole: taken for a whole answer: None"),
        ({"error": {"message": "no"}}, "whole: took the error 'no' for an answer"),
    ],
)
async def test_the_kit_sees_what_differs(change: dict[str, object], why: str, kept: Sequence[Recording]) -> None:
    recording = next(r for r in kept if r.id.startswith("rig-completions-api"))
    other = attrs.evolve(recording, expect={**recording.expect, **change})
    (verdict,) = await Replayer().replay([other], ["whole"])
    assert len(verdict.why) == 1
    assert verdict.why[0].startswith(why)


async def test_the_kit_sees_a_request_that_is_written_otherwise(kept: Sequence[Recording]) -> None:
    class Forgetful(ChatDialect):
        """Loses the system prompt on the way."""

        def request(self, body: JSON, provider: str) -> CompletionRequest:
            return attrs.evolve(super().request(body, provider), system="")

    recording = next(r for r in kept if r.id.startswith("rig-completions-api"))
    (verdict,) = await Replayer(dialects={"openai-chat": Forgetful()}).replay([recording], ["whole"])
    assert [why.partition(" expected")[0][:30] for why in verdict.why] == ["whole: request system: 'You ar"]


async def test_an_api_that_nobody_speaks_fails(kept: Sequence[Recording]) -> None:
    (verdict,) = await Replayer(dialects={}).replay(kept[:1])
    assert verdict.why == ("no installed plugin speaks openai-chat",)


def test_the_kit_as_a_command(tmp_path: Path, kept: Sequence[Recording]) -> None:
    here = Path(__file__).parent / "recordings"
    ran = CliRunner().invoke(main, [str(here), "--json", "--way", "whole"])
    assert (ran.exit_code, orjson.loads(ran.stdout)) == (0, {"files": 9, "passed": 9, "failed": []})
    broken = orjson.loads(next(here.glob("req-llm*")).read_bytes())
    broken["expect"]["text"] = "no"
    (tmp_path / "one.json").write_bytes(orjson.dumps(broken))
    ran = CliRunner().invoke(main, [str(tmp_path), "--way", "whole"])
    assert ran.exit_code == 1
    assert ran.stdout.splitlines()[:2] == ["api          files  passed  failed", "openai-chat      1       0       1"]
    assert "whole: text: 'no' expected, got" in ran.stdout
