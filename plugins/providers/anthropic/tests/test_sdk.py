"""Anthropic's own SDK agrees: our requests are of its types, and it reads streams as we do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from codetether import (
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    ModelRef,
    SamplingParams,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    Unknown,
    user,
)
from codetether.session.assemble import Assembly
from codetether.testing.recording import Recording, read
from codetether_http import EventSplitter, ServerSentEvent
from codetether_provider_anthropic.blocks import kept as kept_block
from codetether_provider_anthropic.parser import MessagesParser
from codetether_provider_anthropic.quirks import Quirks
from codetether_provider_anthropic.recordings import messages as dialect
from codetether_provider_anthropic.render import Renderer

SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
HISTORY = (
    user(
        "look",
        (
            ImagePart(media_type="image/png", data=b"x"),
            ImagePart(media_type="image/png", url="https://x/y.png"),
            FilePart(media_type="application/pdf", name="a.pdf", data=b"%PDF"),
            FilePart(media_type="text/plain", name="a.txt", data=b"one"),
            FilePart(media_type="application/zip", name="a.zip", data=b"PK"),
        ),
    ),
    Message(
        role="assistant",
        provider="anthropic",
        parts=(
            ThinkingPart(text="hm", provider_data={"anthropic": {"signature": "sig"}}),
            ThinkingPart(provider_data={"anthropic": {"redacted": "sealed"}}),
            Unknown(raw=kept_block("anthropic", SEARCH)),
            Unknown(raw=kept_block("anthropic", FOUND)),
            TextPart(text="so"),
            ToolCallPart(id="functions.read:0", name="read", arguments='{"p": 1}'),
            ToolCallPart(id="b", name="now", arguments="nonsense"),
        ),
    ),
    Message(
        role="tool",
        parts=(
            ToolResultPart(
                tool_call_id="functions.read:0",
                name="read",
                content=(TextPart(text="x"), ImagePart(media_type="image/png", data=b"x")),
                success=True,
            ),
        ),
    ),
    Message(role="tool", parts=(ToolResultPart(tool_call_id="b", name="now", content=(), success=False),)),
    user("go on"),
)
TOOLS = (
    ToolDefinition(name="read", description="Reads.", schema={"type": "object", "properties": {"p": {}}}),
    ToolDefinition(name="now", description="", schema={}),
)


def plain(value: Any) -> Any:
    """A validated value with its lazy lists read: only then is what they hold checked."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, str | bytes) or not isinstance(value, Iterator | Sequence):
        return value
    return [plain(inner) for inner in value]


@cache
def of_type(name: str) -> Any:
    """What takes a value of the SDK's type of this name."""
    from anthropic import types
    from anthropic.types import message_create_params
    from pydantic import TypeAdapter

    return TypeAdapter[Any](getattr(types, name, None) or getattr(message_create_params, name))


def check(request: CompletionRequest, quirks: Quirks) -> None:
    """The SDK's types know every field of the request and take every value; only sampling is gone from them."""
    body = orjson.loads(Renderer("anthropic", quirks).render(request))
    known = {name: value for name, value in body.items() if name not in ("temperature", "top_p")}
    kind = "MessageCreateParamsStreaming" if quirks.stream else "MessageCreateParamsNonStreaming"
    assert plain(of_type(kind).validate_python(known)) == known


@pytest.mark.parametrize("choice", ["auto", "none", "required", "read"])
@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(),
        Quirks(cache="1h", parallel_tool_calls=False),
        Quirks(cache="off", stream=False),
        Quirks(thinking={"type": "adaptive", "display": "summarized"}, extra_body={"service_tier": "standard_only"}),
        Quirks(
            thinking={"type": "enabled", "budget_tokens": 2000},
            server_tools=({"type": "web_search_20250305", "name": "web_search"},),
        ),
    ],
)
def test_requests_are_of_the_sdks_types(quirks: Quirks, choice: str) -> None:
    for length in range(1, len(HISTORY) + 1):
        check(
            CompletionRequest(
                model=ModelRef(provider="anthropic", model="claude-sonnet-4-6"),
                system="Be brief.",
                messages=HISTORY[:length],
                tools=TOOLS,
                tool_choice=choice,
                sampling=SamplingParams(temperature=0.7, max_output_tokens=1000, stop=("END",)),
            ),
            quirks,
        )


def test_the_sdks_types_do_refuse() -> None:
    body = orjson.loads(
        Renderer("anthropic", Quirks()).render(
            CompletionRequest(model=ModelRef(provider="anthropic", model="m"), messages=HISTORY)
        )
    )
    del body["messages"][1]["content"][0]["signature"]
    with pytest.raises(ValueError, match="signature"):
        plain(of_type("MessageCreateParamsStreaming").validate_python(body))


def test_recorded_conversations_are_of_the_sdks_types(shared: Path) -> None:
    checked = 0
    for path in sorted((shared / "anthropic-messages").glob("*.json")):
        recording = read(path)
        if recording.body is None or "compaction" in recording.id or "root-schema" in recording.id:
            continue  # beta blocks have types of their own; some requests are wrong on purpose
        check(dialect.request(recording.body, "anthropic"), Quirks(cache="off"))
        checked += 1
    assert checked > 85


def sdk_reads(answer: bytes) -> Any:
    """The message that the SDK accumulates from a stream."""
    from anthropic.lib.streaming._messages import accumulate_event

    snapshot, pieces = None, dict[int, bytes]()
    splitter = EventSplitter()
    for sent in [*splitter.feed(answer), *splitter.finish()]:
        body = orjson.loads(sent.data)
        if body["type"] not in ("ping", "message_stop"):
            event = of_type("RawMessageStreamEvent").validate_python(body)
            snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=pieces)
    return snapshot


def we_read(answer: bytes) -> Message:
    splitter, parser, assembly = EventSplitter(), MessagesParser("anthropic"), Assembly("anthropic", "m")
    events: list[ServerSentEvent] = [*splitter.feed(answer), *splitter.finish()]
    for chunk in [chunk for event in events for chunk in parser.feed(event)]:
        assembly.feed(chunk)
    return assembly.response().message


def blocks_sent_back(message: Message) -> list[dict[str, Any]]:
    asked = CompletionRequest(
        model=ModelRef(provider="anthropic", model="m"), messages=(user("?"), message, user("and?"))
    )
    made = orjson.loads(Renderer("anthropic", Quirks(cache="off")).render(asked))["messages"]
    found: list[dict[str, Any]] = made[1]["content"] if len(made) == 3 else []
    return found


def agrees(recording: Recording) -> None:
    """What we send back of an answer is what the SDK made of it."""
    snapshot = sdk_reads(recording.answer)
    theirs = [block.to_dict() for block in snapshot.content]
    for block in theirs:
        if block.get("citations") is None:
            block.pop("citations", None)
        if block.get("caller", {}).get("type") == "direct" and block["type"] == "tool_use":
            del block["caller"]
    said = [block for block in theirs if block["type"] != "text" or block["text"].strip()]
    assert blocks_sent_back(we_read(recording.answer)) == said


def test_the_sdk_reads_kept_streams_as_we_do(kept: Sequence[Recording]) -> None:
    found = [r for r in kept if b"message_stop" in r.answer]
    for recording in found:
        agrees(recording)
    assert len(found) == 4


def test_the_sdk_reads_shared_streams_as_we_do(shared: Path) -> None:
    found = [read(path) for path in sorted((shared / "anthropic-messages").glob("*.json"))]
    streams = [r for r in found if b'"type":"message_stop"' in r.answer and b'"type":"fallback"' not in r.answer]
    agreeing = [r for r in streams if "advisor" not in r.id]  # both are beta blocks, of which these types know nothing
    for recording in agreeing:
        agrees(recording)
    assert len(agreeing) > 38
