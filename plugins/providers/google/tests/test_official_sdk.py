"""Google's own SDK agrees: it accepts the requests that are rendered, and reads the same from the same streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from codetether import (
    CompletionRequest,
    FilePart,
    Finished,
    ImagePart,
    Message,
    ModelRef,
    SamplingParams,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    UsageReported,
    user,
)
from codetether.testing.playback import Playback
from codetether.testing.recording import Recording
from codetether_http import EventSplitter
from codetether_provider_google.parser import GenerateParser
from codetether_provider_google.quirks import Quirks
from codetether_provider_google.recordings import generate
from codetether_provider_google.render import Renderer
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from google.genai import types

GEMINI = ModelRef(provider="google", model="gemini-2.5-pro")


def checked(body: bytes) -> dict[str, Any]:
    """The body, once the official types, which allow no field that they do not know, have taken all of it."""
    from google.genai import types

    fields: dict[str, Any] = orjson.loads(body)
    kinds: dict[str, Any] = {
        "systemInstruction": types.Content,
        "toolConfig": types.ToolConfig,
        "generationConfig": types.GenerationConfig,
    }
    for content in fields["contents"]:
        made = types.Content.model_validate_json(orjson.dumps(content))
        assert made.parts
    for tool in fields.get("tools", ()):
        types.Tool.model_validate_json(orjson.dumps(tool))
    for name, kind in kinds.items():
        if name in fields:
            kind.model_validate_json(orjson.dumps(fields[name]))
    assert set(fields) <= {"contents", "tools", *kinds}
    return fields


def test_recorded_requests_are_rendered_as_the_official_types_want(kept: Sequence[Recording]) -> None:
    for recording in kept:
        if recording.body is not None:
            checked(Renderer("google", Quirks()).render(generate.request(recording.body, "google")))


OWN = st.sampled_from([{}, {"google": {"thoughtSignature": "c2lnbmVk"}}, {"google": {}}, {"google": "odd"}])
TEXTS = st.text(max_size=8)
MEDIA = st.builds(ImagePart, media_type=st.just("image/png"), data=st.binary(max_size=4)) | st.builds(
    FilePart, media_type=st.sampled_from(["application/pdf", "text/plain"]), name=TEXTS, data=st.binary(max_size=4)
)
SPOKEN = st.lists(
    st.builds(TextPart, text=TEXTS, provider_data=OWN)
    | st.builds(ThinkingPart, text=TEXTS, provider_data=OWN)
    | st.builds(
        ToolCallPart,
        id=st.sampled_from(["a", "call_own_1", ""]),
        name=st.sampled_from(["read", ""]),
        arguments=st.sampled_from(["", "{}", '{"a": [1]}', "[", "[1]"]),
        provider_data=OWN,
    ),
    max_size=4,
)
ANSWERS = st.builds(
    ToolResultPart,
    tool_call_id=st.sampled_from(["a", "call_own_1"]),
    name=st.just("read"),
    content=st.lists(st.builds(TextPart, text=TEXTS) | MEDIA, max_size=2).map(tuple),
    success=st.booleans(),
)
MESSAGES = (
    st.builds(user, TEXTS, st.lists(MEDIA, max_size=2))
    | st.builds(
        lambda parts, provider: Message(role="assistant", parts=tuple(parts), provider=provider),
        SPOKEN,
        st.sampled_from(["google", "openai"]),
    )
    | st.builds(lambda parts: Message(role="tool", parts=tuple(parts)), st.lists(ANSWERS, min_size=1, max_size=2))
)
TOOL = ToolDefinition(
    name="read",
    description="reads",
    schema={"type": "object", "properties": {"p": {"type": ["string", "null"]}}, "additionalProperties": False},
)


@given(
    messages=st.lists(MESSAGES, max_size=6),
    system=TEXTS,
    offered=st.booleans(),
    choice=st.sampled_from(["auto", "none", "required", "read"]),
    sampling=st.builds(SamplingParams, temperature=st.none() | st.floats(0, 2), seed=st.none() | st.integers(0, 9)),
    within=st.booleans(),
)
def test_any_request_is_one_that_the_official_types_take(
    messages: list[Message], system: str, offered: bool, choice: str, sampling: SamplingParams, within: bool
) -> None:
    quirks = Quirks(media_in_results=within, stand_in_signature="skip_thought_signature_validator")
    request = CompletionRequest(
        model=GEMINI,
        messages=tuple(messages),
        system=system,
        tools=(TOOL,) if offered else (),
        tool_choice=choice,
        sampling=sampling,
    )
    checked(Renderer("google", quirks).render(request))


def test_all_words_of_the_official_types_are_known() -> None:
    from google.genai import types

    for word in (word.value for word in types.FinishReason if "UNSPECIFIED" not in word.value):
        (finished,) = GenerateParser("google").whole(orjson.dumps({"candidates": [{"finishReason": word}]}))
        assert isinstance(finished, Finished)
        assert (finished.raw, finished.reason != "unknown") == (word, True)
    for word in (word.value for word in types.BlockedReason if "UNSPECIFIED" not in word.value):
        blocked = GenerateParser("google").whole(orjson.dumps({"promptFeedback": {"blockReason": word}}))
        assert blocked == [Finished("content_filter", word)]


async def official(server: Playback) -> tuple[list[types.GenerateContentResponse], bool]:
    """What the official client reads, and whether an error ended it."""
    from google import genai
    from google.genai import errors, types

    options = types.HttpOptions(base_url=server.base_url.removesuffix("/v1"))
    client = genai.Client(api_key="k-0123456789", vertexai=False, http_options=options)
    read: list[types.GenerateContentResponse] = []
    try:
        stream = await client.aio.models.generate_content_stream(model="gemini-2.5-pro", contents="hello")
        async for response in stream:
            read += [response]
    except errors.APIError:
        return read, True
    finally:
        await client.aio.aclose()
    return read, False


def theirs(read: Sequence[types.GenerateContentResponse]) -> list[tuple[str, Any]]:
    """The parts of an answer by the official client: texts that follow each other are one."""
    return joined(
        part
        for response in read
        for candidate in response.candidates or ()
        for piece in (candidate.content.parts or () if candidate.content else ())
        for part in _theirs(piece)
    )


def _theirs(part: types.Part) -> Iterator[tuple[str, Any]]:
    if part.function_call:
        yield "call", (part.function_call.name, part.function_call.args or {})
    elif part.text:
        yield "thought" if part.thought else "text", part.text


def ours(answer: bytes) -> tuple[list[tuple[str, Any]], list[Any]]:
    splitter, parser = EventSplitter(), GenerateParser("google")
    chunks = [chunk for event in splitter.feed(answer) for chunk in parser.feed(event)]
    chunks += [] if parser.fault else parser.finish()
    return joined(part for chunk in chunks for part in _ours(chunk)), chunks


def _ours(chunk: Any) -> Iterator[tuple[str, Any]]:
    kind = type(chunk).__name__
    if kind == "ToolCallDelta":
        yield "call", (chunk.name, orjson.loads(chunk.arguments))
    elif kind in ("TextDelta", "ThinkingDelta") and chunk.text:
        yield "text" if kind == "TextDelta" else "thought", chunk.text


def joined(parts: Any) -> list[tuple[str, Any]]:
    made: list[tuple[str, Any]] = []
    for kind, value in parts:
        if made and made[-1][0] == kind and kind != "call":
            made[-1] = (kind, made[-1][1] + value)
        else:
            made.append((kind, value))
    return made


async def test_the_official_client_reads_the_same(kept: Sequence[Recording]) -> None:
    found = [r for r in kept if "event-stream" in r.headers["content-type"] and not r.expect.get("incomplete")]
    async with Playback() as server:
        for recording in found:
            server.play(recording.status, recording.headers, [recording.answer])
            read, failed = await official(server)
            parts, chunks = ours(recording.answer)
            assert (recording.id, theirs(read)) == (recording.id, parts)
            assert bool(recording.expect.get("error")) == failed
            if failed:
                continue
            ends = [r.candidates[0].finish_reason for r in read if r.candidates and r.candidates[0].finish_reason]
            (usage,) = [chunk.raw for chunk in chunks if isinstance(chunk, UsageReported)]
            assert chunks[-1].raw == ends[-1]
            assert read[-1].usage_metadata is not None
            assert usage["totalTokenCount"] == read[-1].usage_metadata.total_token_count
    assert len(found) == 6
