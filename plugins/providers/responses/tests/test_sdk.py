"""OpenAI's own SDK agrees: our requests are of its types, and it reads the same answers from the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
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
    user,
)
from codetether.session.assemble import Assembly
from codetether.testing.recording import Recording
from codetether_http import EventSplitter
from codetether_provider_responses.parser import ResponsesParser
from codetether_provider_responses.quirks import Quirks
from codetether_provider_responses.recordings import responses
from codetether_provider_responses.render import Renderer
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def requests() -> Any:
    """The SDK's types of a request, streamed or not."""
    from openai.types.responses import response_create_params as types
    from pydantic import TypeAdapter

    both = types.ResponseCreateParamsNonStreaming | types.ResponseCreateParamsStreaming
    return TypeAdapter[Any](both)


def read_out(value: Any) -> Any:
    """A validated value in full: pydantic looks into what is only iterable when it is read."""
    if isinstance(value, dict):
        return {name: read_out(each) for name, each in value.items()}
    if isinstance(value, str | int | float | None):
        return value
    return [read_out(each) for each in value]


def valid(requests: Any, request: CompletionRequest, quirks: Quirks) -> None:
    """The request is of the SDK's types, and there is nothing in it that they do not know."""
    body = orjson.loads(Renderer("openai", quirks).render(request))
    for item in body["input"]:
        if item["type"] == "reasoning":  # servers take it without an id, as recordings show
            item.setdefault("id", "rs")
    assert read_out(requests.validate_python(body)) == body


def test_recorded_conversations_are_written_in_the_sdks_types(kept: Sequence[Recording], requests: Any) -> None:
    bodies = [r.body for r in kept if r.body]
    for body in bodies:
        valid(requests, responses.request(body, "openai"), Quirks())
    assert len(bodies) == 9


PARTS: Sequence[Any] = [
    TextPart(text="hello"),
    ImagePart(media_type="image/png", data=b"\x89PNG"),
    ImagePart(media_type="image/*", url="https://x/y.png"),
    ImagePart(media_type="", provider_data={"openai": {"file_id": "file-1"}}),
    FilePart(media_type="application/pdf", name="a.pdf", data=b"%PDF"),
    FilePart(media_type="application/pdf", url="https://x/a.pdf"),
    FilePart(media_type="text/plain", data=b"one"),
]
ITEMS = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "e"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1", "container_id": "c",
     "outputs": [{"type": "logs", "logs": "1"}]},
    {"type": "compaction", "id": "cmp_1", "encrypted_content": "e"},
]  # fmt: skip
ANSWERED: Sequence[Any] = [
    *(ThinkingPart(provider_data={"openai": {"item": item}}) for item in ITEMS),
    TextPart(text="a"),
    TextPart(text="b", provider_data={"openai": {"id": "msg_1", "phase": "commentary"}}),
    TextPart(text="c", provider_data={"openai": {"id": "msg_2", "phase": "final_answer"}}),
    ToolCallPart(id="c1", name="read", arguments="{}", provider_data={"openai": {"id": "fc_1"}}),
    ToolCallPart(id="c2", name="now", arguments=""),
]
RESULTS = st.builds(
    lambda content: ToolResultPart(tool_call_id="c1", name="read", content=tuple(content), success=True),
    st.lists(st.sampled_from(PARTS), max_size=3),
)
MESSAGES = st.one_of(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map(lambda p: Message(role="user", parts=tuple(p))),
    st.lists(st.sampled_from(ANSWERED), max_size=5).map(
        lambda p: Message(role="assistant", parts=tuple(p), provider="openai")
    ),
    RESULTS.map(lambda part: Message(role="tool", parts=(part,))),
)
TOOLS = (
    ToolDefinition(
        name="read", description="Reads.", schema={"type": "object", "properties": {"p": {"type": "string"}}}
    ),
    ToolDefinition(name="now", description="", schema={}),
)


@given(
    messages=st.lists(MESSAGES, max_size=5),
    system=st.sampled_from(["", "be good"]),
    choice=st.sampled_from(["auto", "none", "required", "read"]),
    limit=st.none() | st.integers(16, 99),
    quirks=st.builds(
        Quirks,
        stream=st.booleans(),
        store=st.none() | st.booleans(),
        echo_thinking=st.booleans(),
        system_as=st.sampled_from(["instructions", "system", "developer"]),
        parallel_tool_calls=st.none() | st.booleans(),
    ),
)
def test_any_conversation_is_written_in_the_sdks_types(
    messages: list[Message], system: str, choice: str, limit: int | None, quirks: Quirks, requests: Any
) -> None:
    request = CompletionRequest(
        model=ModelRef(provider="openai", model="gpt-5"),
        system=system,
        messages=(*messages, user("hello")),
        tools=TOOLS,
        tool_choice=choice,
        sampling=SamplingParams(temperature=0.5, top_p=0.5, max_output_tokens=limit),
    )
    valid(requests, request, quirks)


def test_what_the_sdk_does_not_know_is_seen(requests: Any) -> None:
    hello = CompletionRequest(model=ModelRef(provider="openai", model="m"), messages=(user("hello"),))
    with pytest.raises(AssertionError):
        valid(requests, hello, Quirks(extra_body={"tempurature": 1}))
    with pytest.raises(ValueError, match="nobody"):
        valid(requests, hello, Quirks(extra_body={"input": [{"type": "message", "role": "nobody", "content": "x"}]}))


def streams(recordings: Sequence[Recording]) -> Iterator[Recording]:
    for recording in recordings:
        if "event-stream" in recording.headers.get("content-type", "") and "error" not in recording.expect:
            yield recording


def read_by_sdk(recording: Recording) -> tuple[str, list[tuple[str, str, str]], dict[str, Any]]:
    """Text, calls and usage as the SDK reads them."""
    openai = pytest.importorskip("openai")

    def reply(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=recording.answer)

    with httpx.Client(transport=httpx.MockTransport(reply)) as line:
        client = openai.OpenAI(api_key="sk-test", base_url="http://test/v1", http_client=line)
        with client.responses.create(model="m", input="hello", stream=True) as stream:
            events = list(stream)
    items = [event.item for event in events if event.type == "response.output_item.done"]
    texts = [
        part.text for item in items if item.type == "message" for part in item.content if part.type == "output_text"
    ]
    calls = [(item.call_id, item.name, item.arguments) for item in items if item.type == "function_call"]
    return "".join(texts), calls, events[-1].response.usage.model_dump(exclude_unset=True)


def test_answers_are_read_as_the_sdk_reads_them(kept: Sequence[Recording]) -> None:
    found = list(streams(kept))
    for recording in found:
        splitter, parser, assembly = EventSplitter(), ResponsesParser("openai"), Assembly("openai", "m")
        for event in splitter.feed(recording.answer):
            for chunk in parser.feed(event):
                assembly.feed(chunk)
        made = assembly.response()
        text = "".join(p.text for p in made.message.parts if isinstance(p, TextPart))
        calls = [(call.id, call.name, call.arguments) for call in made.tool_calls]
        assert (text, calls, made.raw_usage) == read_by_sdk(recording)
    assert len(found) == 8
