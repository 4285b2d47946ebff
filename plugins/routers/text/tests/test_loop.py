"""Stories of models that write their calls as text, from the prompt to the answer."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

import codetether
import pytest
from codetether import (
    AuditEntry,
    AuditSinkSpec,
    CompletionRequest,
    CompletionResponse,
    Message,
    ModelDefaults,
    RouterSpec,
    SessionContext,
    StreamChunk,
    TextChunk,
    TextDelta,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    from_json,
    hookimpl,
    to_json,
    tool,
)
from codetether.testing.scripted import End, ScriptedProvider, Think
from codetether.testing.sessions import Yields, heard, opened, results
from codetether_router_text import plugin
from codetether_router_text.router import TextRouter

CALL = '<tool_call>\n{"name": "shout", "arguments": {"text": "hello"}}\n</tool_call>'
TEXT = f"Let me.\n\n{CALL}\n\nThat was it."
SHOUT = ToolDefinition(
    name="shout", description="", schema={"type": "object", "properties": {"text": {"type": "string"}}}
)


@tool(effects=("read",))
def shout(text: str) -> str:
    """Says it louder."""
    return text.upper()


class Odd(ScriptedProvider):
    """Streams its texts in pieces of one to five characters."""

    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamChunk]:
        """The next step, cut oddly."""
        lengths = random.Random(len(self.requests))
        async for chunk in super().stream(request):
            if not isinstance(chunk, TextDelta):
                yield chunk
                continue
            text = chunk.text
            while text:
                size = lengths.randint(1, 5)
                yield TextDelta(text[:size])
                text = text[size:]


class NoNativeCalls:
    """A plugin that says that the scripted model makes no structured calls."""

    __codetether_name__ = "no-native-calls"

    @hookimpl
    def codetether_model_defaults(self) -> Iterable[ModelDefaults]:
        """One model."""
        yield ModelDefaults(match="scripted/*", capabilities={"tool_call": False})


def text_of(events: Iterable[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextChunk))


async def test_a_described_call_is_run_and_its_markup_is_never_shown() -> None:
    async with opened(TEXT, "It says HELLO.", tools=[shout], plugins=[plugin]) as (session, _):
        events = await heard(session)
    assert results(session) == [("shout", True, "HELLO")]
    assert text_of(events) == "Let me.\n\nThat was it.It says HELLO."


async def test_the_journal_and_the_audit_keep_what_the_model_wrote() -> None:
    class Sink:
        async def record(self, entry: AuditEntry) -> None:
            entries.append(entry)

    entries: list[AuditEntry] = []
    audit = Yields("codetether_audit_sinks", AuditSinkSpec(name="kept", create=lambda ctx: Sink()))
    async with opened(TEXT, "Done.", tools=[shout], plugins=[plugin, audit]) as (session, _):
        await session.prompt("go")
        said = session.session.messages[1]
    [call] = said.tool_calls
    assert said.parts == (
        TextPart(text="Let me.\n\nThat was it.", written=TEXT),
        ToolCallPart(id=call.id, name="shout", arguments='{"text": "hello"}', written=CALL),
    )
    assert call.id.startswith("fc_")
    assert from_json(to_json(said), Message) == said
    [intent] = [e for e in entries if e.category == "tool_execution" and e.outcome == "intent"]
    assert intent.detail["written"] == CALL


async def test_the_history_goes_back_as_structured_calls() -> None:
    async with opened(TEXT, "Done.", "Again.", tools=[shout], plugins=[plugin]) as (session, provider):
        await session.prompt("go")
        await session.prompt("and now?")
    last = provider.requests[-1].messages
    assert [m.role for m in last] == ["user", "assistant", "tool", "assistant", "user"]
    assert [call.name for call in last[1].tool_calls] == ["shout"]
    assert [tool.name for tool in provider.requests[-1].tools] == ["shout"]


async def test_a_model_without_structured_calls_is_told_of_the_tools_and_answered_in_text() -> None:
    script = (TEXT, "Done.")
    async with opened(*script, tools=[shout], plugins=[plugin, NoNativeCalls()]) as (session, provider):
        await session.prompt("go")
    first, second = provider.requests
    assert (first.tools, second.tools) == ((), ())
    assert '"name": "shout"' in first.system
    assert "<tool_call>" in first.system
    assert [(m.role, m.text) for m in second.messages] == [
        ("user", "go"),
        ("assistant", f"Let me.\n\nThat was it.\n{CALL}"),
        ("user", '<tool_response>\n{"name": "shout", "success": true, "content": "HELLO"}\n</tool_response>'),
    ]
    assert second.messages[0] is first.messages[0]
    assert results(session) == [("shout", True, "HELLO")]


async def test_a_model_with_structured_calls_is_told_nothing() -> None:
    async with opened("Hello.", tools=[shout], plugins=[plugin]) as (session, provider):
        await session.prompt("go")
    assert [tool.name for tool in provider.requests[0].tools] == ["shout"]
    assert "<tool_call>" not in provider.requests[0].system


async def test_switched_off_it_reads_nothing_and_tells_nothing() -> None:
    class Context:
        settings = plugin.TextSettings(enabled="off")

    router: Any = plugin._create(cast("SessionContext", Context()))
    off = Yields("codetether_tool_call_routers", RouterSpec(name="text", create=lambda ctx: router))
    async with opened(TEXT, tools=[shout], plugins=[off, NoNativeCalls()]) as (session, provider):
        events = await heard(session)
    assert results(session) == []
    assert text_of(events) == TEXT
    assert [tool.name for tool in provider.requests[0].tools] == ["shout"]


async def test_thinking_and_other_parts_stay_as_they_are() -> None:
    step = [Think("I shall shout."), TEXT]
    async with opened(step, "Done.", tools=[shout], plugins=[plugin]) as (session, _):
        await session.prompt("go")
    kinds = [type(part).__name__ for part in session.session.messages[1].parts]
    assert kinds == ["ThinkingPart", "TextPart", "ToolCallPart"]


@pytest.mark.parametrize("reason", ["content_filter", "error"])
async def test_an_answer_that_was_stopped_asks_for_nothing(reason: Any) -> None:
    async with opened([TEXT, End(reason)], tools=[shout], plugins=[plugin]) as (session, _):
        await session.prompt("go")
    assert results(session) == []


async def test_the_whole_loop_in_odd_pieces() -> None:
    provider = Odd(TEXT, f"{CALL}{CALL}", "Done.", name="odd")
    async with opened(tools=[shout], plugins=[plugin, provider], model="odd/model") as (session, _):
        events = await heard(session)
    assert results(session) == [("shout", True, "HELLO")] * 3
    assert text_of(events) == "Let me.\n\nThat was it.Done."
    ids = [call.id for message in session.session.messages for call in message.tool_calls]
    assert len(set(ids)) == 3


def response(*parts: Any, reason: Any = "stop") -> CompletionResponse:
    return CompletionResponse(message=Message(role="assistant", parts=parts), finish_reason=reason)


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        (response(TextPart(text=TEXT), ToolCallPart(id="1", name="shout", arguments="{}")), (SHOUT,)),
        (response(TextPart(text=TEXT)), ()),
        (response(TextPart(text="")), (SHOUT,)),
        (response(), (SHOUT,)),
        (response(TextPart(text=TEXT.replace("shout", "whisper"))), (SHOUT,)),
        (response(TextPart(text="To shout is rude.")), (SHOUT,)),
        (response(ThinkingPart(text=TEXT)), (SHOUT,)),
    ],
)
async def test_what_holds_no_call_comes_back_as_the_very_same_object(given: Any, offered: Any) -> None:
    assert await TextRouter().reformat(given, offered) is given


async def test_a_call_that_only_the_end_of_a_cut_off_answer_ended_is_not_whole() -> None:
    router = TextRouter()
    cut = response(TextPart(text="Action: shout\nAction Input: hel"), reason="length")
    whole = response(TextPart(text=f"{CALL}\n<tool_call>\n{{"), reason="length")
    assert await router.reformat(cut, (SHOUT,)) is cut
    made = await router.reformat(whole, (SHOUT,))
    assert [call.name for call in made.tool_calls] == ["shout"]
    assert made.finish_reason == "tool_calls"


async def test_what_a_provider_must_be_given_back_stays_with_the_text() -> None:
    part = TextPart(text=CALL, provider_data={"google": {"signature": "x"}})
    made = await TextRouter().reformat(response(part), (SHOUT,))
    assert made.message.parts[0] == TextPart(text="", written=CALL, provider_data=part.provider_data)


async def test_a_history_without_calls_is_spoken_as_it_is() -> None:
    message = codetether.user("hello")
    assert TextRouter().spoken(message) is message
    answer = Message(
        role="tool",
        parts=(ToolResultPart(tool_call_id="1", name="shout", content=(TextPart(text="A"),), success=False),),
    )
    assert TextRouter().spoken(answer).role == "user"
