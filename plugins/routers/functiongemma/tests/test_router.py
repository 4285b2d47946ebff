"""The router with a real model: calls are made, the rest is left alone, and nothing breaks a response."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from codetether import CompletionResponse, Message, MessagePart, TextPart, ThinkingPart, ToolCallPart, ToolDefinition
from codetether_llama import engine, inspect
from codetether_router_functiongemma import functiongemma
from codetether_router_functiongemma.excerpt import Excerpt
from codetether_router_functiongemma.grammar import call_grammar
from codetether_router_functiongemma.router import router
from codetether_router_functiongemma.settings import FunctionGemmaSettings

from .conftest import context

READ_FILE = ToolDefinition(
    name="read_file",
    description="Reads a file.",
    schema={"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)
TIMER = ToolDefinition(
    name="set_timer",
    description="Sets a timer.",
    schema={"type": "object", "properties": {"minutes": {"type": "integer"}}, "required": ["minutes"]},
)
TOOLS = (READ_FILE, TIMER)
ANNOUNCED = "I'll open `src/main.py` with read_file."


def response(*parts: MessagePart | str) -> CompletionResponse:
    made = tuple(TextPart(text=part) if isinstance(part, str) else part for part in parts)
    return CompletionResponse(message=Message(role="assistant", parts=made), finish_reason="stop")


def settings(path: Path, **changes: Any) -> FunctionGemmaSettings:
    return FunctionGemmaSettings(
        **{"enabled": True, "model_path": str(path), "threads": 1, "context": 2048, "timeout": 100.0, **changes}
    )


def without_ids(made: CompletionResponse) -> tuple[MessagePart, ...]:
    assert all(call.id.startswith("fc_") for call in made.tool_calls)
    return tuple(evolve(part, id="") if isinstance(part, ToolCallPart) else part for part in made.message.parts)


def read(path: str, written: str) -> ToolCallPart:
    return ToolCallPart(id="", name="read_file", arguments=json.dumps({"path": path}), written=written)


async def test_what_is_announced_becomes_a_call_and_the_prose_stays(model_path: Path) -> None:
    ctx = context(settings=settings(model_path))
    text = f"The entry point matters.\n\n{ANNOUNCED}"
    made = await router(ctx).reformat(response(ThinkingPart(text="hm"), text), TOOLS)
    assert without_ids(made) == (ThinkingPart(text="hm"), TextPart(text=text), read("src/main.py", ANNOUNCED))
    assert made.finish_reason == "tool_calls"
    assert ctx.said == []


async def test_a_line_that_is_nothing_but_a_call_is_taken_out(model_path: Path) -> None:
    text = "Right.\n\nset_timer(25)"
    made = await router(context(settings=settings(model_path))).reformat(response(text), TOOLS)
    assert without_ids(made) == (
        TextPart(text="Right.", written=text),
        ToolCallPart(id="", name="set_timer", arguments='{"minutes": 25}', written="set_timer(25)"),
    )


@pytest.mark.parametrize(
    "given",
    [
        response("All is well."),
        response("I'll use set_timer some time."),  # no number that a call could have
        response(f"{ANNOUNCED} Shall I?"),
        evolve(response(ANNOUNCED), finish_reason="length"),
        response(ANNOUNCED, ToolCallPart(id="1", name="read_file", arguments="{}")),
        response(),
    ],
)
async def test_all_else_comes_back_as_the_very_same_object(model_path: Path, given: CompletionResponse) -> None:
    assert await router(context(settings=settings(model_path))).reformat(given, TOOLS) is given


async def test_functiongemma_s_own_format_is_held_to_its_grammar(marked_path: Path) -> None:
    """The marks are single tokens of the vocabulary. The model was not taught the format, so it is given no choice."""
    made = inspect(marked_path)
    assert made.controls(*functiongemma.MARKS)
    shown = Excerpt(text=ANNOUNCED, apart=("read_file", "I'll"))
    grammar = call_grammar(READ_FILE, shown, functiongemma.FunctionGemmaForm(no_call="<end_of_turn>")) or ""
    grammar = grammar.replace(" | <end_of_turn>", "")
    body: dict[str, Any] = {
        "prompt": functiongemma.prompt(READ_FILE, shown),
        "grammar": grammar,
        "preserved_tokens": [*functiongemma.MARKS],
        "temperature": 0,
        "max_tokens": 60,
    }
    one = engine(made, 2048, 1)
    async with aclosing(one.complete(body)) as events:
        answer = "".join([choice["text"] async for event in events for choice in event["choices"]])
    ((name, arguments),) = functiongemma.read(answer)
    assert (name, list(arguments)) == ("read_file", ["path"])
    assert arguments["path"] in ANNOUNCED


async def test_a_model_that_answers_with_words_makes_no_call(marked_path: Path) -> None:
    given = response(ANNOUNCED)
    ctx = context(settings=settings(marked_path, arch="functiongemma"))
    assert await router(ctx).reformat(given, TOOLS) is given
    assert ctx.said == []


async def test_after_the_time_limit_the_response_stays_as_it_is(model_path: Path) -> None:
    given, ctx = response(ANNOUNCED), context(settings=settings(model_path, timeout=0.001))
    made = router(ctx)
    assert await made.reformat(given, TOOLS) is given
    assert await made.reformat(given, TOOLS) is given
    (said,) = ctx.said
    assert said.startswith("the model took longer than 0.001 s (the setting timeout); described calls stay text")


async def test_a_cancelled_turn_stops_the_model(model_path: Path) -> None:
    made = router(context(settings=settings(model_path)))
    await made.reformat(response(ANNOUNCED), TOOLS)
    task = asyncio.create_task(made.reformat(response(ANNOUNCED), TOOLS))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    began = time.perf_counter()
    assert (await made.reformat(response(ANNOUNCED), TOOLS)).tool_calls
    assert time.perf_counter() - began < 30


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "the model at {path} cannot be read: No such file or directory"),
        (b"PK\x03\x04", "{path} is no GGUF file"),
        (b"GGUF\x03\0\0\0 and no more", "{path} is damaged or cut short"),
    ],
)
async def test_a_bad_model_file_is_said_once_and_the_run_goes_on(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    given, ctx = response(ANNOUNCED), context(settings=settings(path))
    made = router(ctx)
    assert await made.reformat(given, TOOLS) is given
    assert await made.reformat(given, TOOLS) is given
    off = "; described calls stay text ([plugins.functiongemma], or CODETETHER_FUNCTIONGEMMA_DISABLED=1)"
    assert ctx.said == [why.format(path=path) + off]


async def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    ctx = context(settings=FunctionGemmaSettings(enabled=True))
    router(ctx)
    tokenizer = context(settings=settings(tmp_path, tokenizer_path="/t.json"))
    router(tokenizer)
    assert ctx.said == [
        "no model is named: set CODETETHER_TOOL_ROUTER_MODEL_PATH to a GGUF file; described calls stay text"
    ]
    assert tokenizer.said[0] == "the tokenizer at /t.json is not used: a GGUF file holds its own"
    assert tokenizer.said[1].startswith(f"the model at {tmp_path} cannot be read: Is a directory")


async def test_it_is_silent_until_it_is_enabled(model_path: Path) -> None:
    for made in (None, FunctionGemmaSettings(model_path=str(model_path)), settings(model_path, disabled=True)):
        given, ctx = response(ANNOUNCED), context(settings=made)
        assert await router(ctx).reformat(given, TOOLS) is given
        assert ctx.said == []
