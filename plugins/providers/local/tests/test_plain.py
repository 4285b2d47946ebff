"""The plain loop: grammars of tools, calls taken out of streamed text, the whole history in messages."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jsonschema_rs
import pytest
from codetether import (
    CompletionRequest,
    Finished,
    Message,
    ModelRef,
    SamplingParams,
    StreamChunk,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    UsageReported,
    user,
)
from codetether.session.assemble import Assembly
from codetether_llama import Engine
from codetether_provider_local.grammar import choice_grammar, tool_grammar, words_grammar
from codetether_provider_local.plain import Scanner, answer, body
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WEATHER = ToolDefinition(
    name="weather",
    description="The weather of a city.",
    schema={"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]},
)
CLOCK = ToolDefinition(name="clock", description="The time.", schema={"type": "object", "properties": {}})


def request(*messages: Message, **fields: Any) -> CompletionRequest:
    sampling = fields.pop("sampling", SamplingParams(temperature=0.0, max_output_tokens=60, seed=1))
    return CompletionRequest(
        model=ModelRef(provider="local", model="some"), messages=messages, sampling=sampling, **fields
    )


async def chunks(smollm2: Engine, asked: CompletionRequest) -> list[StreamChunk]:
    return [chunk async for chunk in answer(smollm2, asked)]


def calls(found: Sequence[StreamChunk]) -> list[tuple[str | None, Any]]:
    return [(chunk.name, json.loads(chunk.arguments)) for chunk in found if isinstance(chunk, ToolCallDelta)]


async def test_a_required_call_is_made_and_fits_its_schema(smollm2: Engine) -> None:
    asked = request(user("What is the weather in Oslo?"), tools=(WEATHER,), tool_choice="weather")
    found = await chunks(smollm2, asked)
    ((name, arguments),) = calls(found)
    assert (name, list(arguments)) == ("weather", ["city"])
    assert found[-1] == Finished(reason="tool_calls", raw="stop")


async def test_a_named_tool_is_the_one_that_is_called(smollm2: Engine) -> None:
    found = await chunks(smollm2, request(user("Hello!"), tools=(WEATHER, CLOCK), tool_choice="clock"))
    assert calls(found) == [("clock", {})]


async def test_text_streams_when_nothing_has_to_be_called(smollm2: Engine) -> None:
    found = await chunks(smollm2, request(user("Say hello."), tools=(WEATHER,), tool_choice="none"))
    assert sum(isinstance(chunk, TextDelta) for chunk in found) > 2
    assert not calls(found)
    assert isinstance(next(chunk for chunk in found if isinstance(chunk, UsageReported)), UsageReported)


async def test_an_answer_cut_by_its_limit_says_so(smollm2: Engine) -> None:
    short = SamplingParams(temperature=0.0, max_output_tokens=2)
    found = await chunks(smollm2, request(user("Tell me a story."), sampling=short))
    assert found[-1] == Finished(reason="length", raw="length")


scalars = st.sampled_from(
    [
        {"type": "string", "maxLength": 6},
        {"type": "string", "enum": ["red", 'blue "dark"', "grün"]},
        {"type": "string", "pattern": "^[a-c]{2}$"},
        {"type": "integer", "minimum": 3, "maximum": 40},
        {"type": "boolean"},
        {"const": "fixed"},
        {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
        {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3},
        {"type": "array", "items": {"type": "boolean"}, "maxItems": 2, "uniqueItems": False},
    ]
)
schemas = st.dictionaries(st.sampled_from(["a", "b c", "ü"]), scalars, min_size=1, max_size=3).map(
    lambda properties: {"type": "object", "properties": properties, "required": sorted(properties)}
)


@settings(
    max_examples=100 if "CODETETHER_PROOF" in os.environ else 4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(schema=schemas, seed=st.integers(0, 10_000))
async def test_whatever_the_grammar_admits_fits_the_schema(smollm2: Engine, schema: dict[str, Any], seed: int) -> None:
    tool = ToolDefinition(name="any-tool", description="Takes anything.", schema=schema)
    wild = {"prompt": "Go.", "temperature": 2.0, "seed": seed, "max_tokens": 120}
    scanner = Scanner()
    found: list[StreamChunk] = []
    async for event in smollm2.complete({**wild, "grammar": tool_grammar((tool,), "any-tool")}):
        found += [chunk for choice in event["choices"] for chunk in scanner.feed(choice["text"])]
    ((name, arguments),) = calls(found)
    assert name == "any-tool"
    jsonschema_rs.validate(schema, arguments)


async def test_a_choice_is_one_of_the_texts_and_a_sentence_holds_only_its_words(smollm2: Engine) -> None:
    async def written(grammar: str) -> str:
        wild = {"prompt": "Go.", "grammar": grammar, "temperature": 2.0, "seed": 3, "max_tokens": 12}
        events = [event async for event in smollm2.complete(wild)]
        return "".join(choice["text"] for event in events for choice in event["choices"])

    texts = ['{"tool": "a \\"b\\""}', "ünï\ncode"]
    assert await written(choice_grammar(texts)) in texts
    said = await written(words_grammar(["12", "lines", 'a"b']))
    assert set(said.replace(",", "").replace(":", "").rstrip(".!").split()) <= {"12", "lines", 'a"b'}
    told = await written(words_grammar(["The", "is", "it"], ["12"]))
    assert "12" in told.replace(",", "").replace(":", "").rstrip(".!").split()


WRITTEN = """I look.
<tool_call>
{"name": "weather", "arguments": {"city": "A <b> {"}}
</tool_call>
<tool_call>
{"name": "clock", "arguments": {}}
</tool_call>"""


@given(cuts=st.lists(st.integers(0, len(WRITTEN)), max_size=8))
def test_calls_are_found_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    scanner, assembly = Scanner(), Assembly("local", "some")
    edges = [0, *sorted(cuts), len(WRITTEN)]
    for start, end in pairwise(edges):
        for chunk in scanner.feed(WRITTEN[start:end]):
            assembly.feed(chunk)
    for chunk in [*scanner.finish(cut=False), Finished(reason="tool_calls")]:
        assembly.feed(chunk)
    message = assembly.response().message
    assert message.text.rstrip() == "I look."
    assert [(call.name, call.arguments) for call in message.tool_calls] == [
        ("weather", '{"city": "A <b> {"}'),
        ("clock", "{}"),
    ]


@given(text=st.text("<>/tol_ca\n", max_size=30))
def test_text_without_calls_is_shown_whole(text: str) -> None:
    scanner = Scanner()
    shown = [*scanner.feed(text), *scanner.finish(cut=False)]
    if "<tool_call>" not in text:
        assert "".join(chunk.text for chunk in shown if isinstance(chunk, TextDelta)) == text


def test_a_call_cut_short_reaches_the_loop_as_it_is() -> None:
    scanner = Scanner()
    list(scanner.feed('<tool_call>\n{"name": "weather", "arguments": {"city": "Os'))
    assert list(scanner.finish(cut=True)) == [
        ToolCallDelta(index=0, id="call_0", name="weather", arguments='{"city": "Os')
    ]


def test_the_history_becomes_turns_for_any_template() -> None:
    made = request(
        user("Weather?"),
        Message(role="assistant", parts=(ToolCallPart(id="1", name="weather", arguments='{"city": "Oslo"}'),)),
        Message(
            role="tool",
            parts=(ToolResultPart(tool_call_id="1", name="weather", content=(TextPart(text="rain"),), success=True),),
        ),
        user("And now?"),
        system="Be brief.",
    )
    assert body(made)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>',
        },
        {"role": "user", "content": "<tool_response>\nrain\n</tool_response>\nAnd now?"},
    ]
    declared = body(request(user("Weather?"), tools=(WEATHER,)))
    assert '"name": "weather"' in declared["messages"][0]["content"]
    assert "grammar" in declared
    with pytest.raises(KeyError):
        body(request(user("Weather?"), tools=(WEATHER,), tool_choice="none"))["grammar"]
