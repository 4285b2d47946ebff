"""OpenAI's own SDK agrees: our requests are of its types, and it reads the same answers from the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
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
    RefusalPart,
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
from codetether_provider_openai.parser import ChatParser
from codetether_provider_openai.quirks import Quirks
from codetether_provider_openai.recordings import chat
from codetether_provider_openai.render import Renderer
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def requests() -> Any:
    """The SDK's types of a request, streamed or not."""
    from openai.types.chat import completion_create_params as types
    from pydantic import TypeAdapter

    both = types.CompletionCreateParamsNonStreaming | types.CompletionCreateParamsStreaming
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
    assert read_out(requests.validate_python(body)) == body


def test_recorded_conversations_are_written_in_the_sdks_types(kept: Sequence[Recording], requests: Any) -> None:
    bodies = [r.body for r in kept if r.provider == "openai"]  # others have fields of their own
    for body in bodies:
        valid(requests, chat.request(body, "openai"), Quirks())
    assert len(bodies) == 7


PARTS: Sequence[Any] = [
    TextPart(text="hello"),
    ImagePart(media_type="image/png", data=b"\x89PNG"),
    ImagePart(media_type="image/*", url="https://x/y.png"),
    FilePart(media_type="application/pdf", name="a.pdf", data=b"%PDF"),
    FilePart(media_type="", provider_data={"openai": {"file_id": "file-1"}}),
    FilePart(media_type="text/plain", data=b"one"),
]
ANSWERED: Sequence[Any] = [
    ThinkingPart(text="hm"),
    TextPart(text="a"),
    RefusalPart(text="no"),
    ToolCallPart(id="c1", name="read", arguments="{}"),
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
    stop=st.lists(st.sampled_from(["a", "b"]), max_size=2),
    quirks=st.builds(
        Quirks,
        max_tokens_field=st.sampled_from(["max_tokens", "max_completion_tokens"]),
        stream=st.booleans(),
        stream_usage=st.booleans(),
        parallel_tool_calls=st.none() | st.booleans(),
    ),
)
def test_any_conversation_is_written_in_the_sdks_types(
    messages: list[Message], system: str, choice: str, limit: int | None, stop: list[str], quirks: Quirks, requests: Any
) -> None:
    request = CompletionRequest(
        model=ModelRef(provider="openai", model="gpt-4o"),
        system=system,
        messages=(*messages, user("hello")),
        tools=TOOLS,
        tool_choice=choice,
        sampling=SamplingParams(temperature=0.5, top_p=0.5, max_output_tokens=limit, stop=tuple(stop), seed=1),
    )
    valid(requests, request, quirks)


def test_what_the_sdk_does_not_know_is_seen(requests: Any) -> None:
    hello = CompletionRequest(model=ModelRef(provider="openai", model="m"), messages=(user("hello"),))
    with pytest.raises(AssertionError):
        valid(requests, hello, Quirks(extra_body={"tempurature": 1}))
    with pytest.raises(ValueError, match="nobody"):
        valid(requests, hello, Quirks(extra_body={"messages": [{"role": "nobody", "content": "x"}]}))


def read_by_sdk(recording: Recording) -> tuple[str, list[tuple[str, str, str]]]:
    """Text and calls as the SDK reads them."""
    openai = pytest.importorskip("openai")

    def reply(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=recording.answer)

    text, calls = "", dict[int, list[str]]()
    with httpx.Client(transport=httpx.MockTransport(reply)) as line:
        client = openai.OpenAI(api_key="sk-test", base_url="http://test/v1", http_client=line)
        with client.chat.completions.create(model="m", messages=[], stream=True) as stream:
            for chunk in stream:
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    for call in choice.delta.tool_calls or ():
                        made = calls.setdefault(call.index, ["", "", ""])
                        for place, piece in enumerate((call.id, call.function.name, call.function.arguments)):
                            made[place] += piece or ""
    return text, [(id_, name, arguments) for id_, name, arguments in calls.values()]


def test_answers_are_read_as_the_sdk_reads_them(kept: Sequence[Recording]) -> None:
    found = [r for r in kept if "event-stream" in r.headers.get("content-type", "")]
    whole = [r for r in found if not {"error", "incomplete"} & set(r.expect)]
    for recording in whole:
        splitter, parser, assembly = EventSplitter(), ChatParser("openai"), Assembly("openai", "m")
        for event in splitter.feed(recording.answer):
            for chunk in parser.feed(event):
                assembly.feed(chunk)
        made = assembly.response()
        calls = [(call.id, call.name, call.arguments) for call in made.tool_calls]
        assert (made.message.text, calls) == read_by_sdk(recording)
    assert len(whole) > 3
