"""The plain loop: a model that can plan sees the whole history, and answers with text and calls of its own choice."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

from codetether import (
    JSON,
    CompletionRequest,
    Finished,
    FinishReason,
    MalformedResponse,
    Message,
    StreamChunk,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    Usage,
    UsageReported,
)
from codetether_llama import Engine

from codetether_provider_local.grammar import CLOSE, OPEN, tool_grammar

_TOOLS = """

# Tools
You may call the tools below. Write a call, after any text, exactly so, on lines of its own:
<tool_call>
{"name": "NAME", "arguments": {…}}
</tool_call>
Its result comes in <tool_response>. Call nothing when you can answer.
"""
_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


def body(request: CompletionRequest) -> dict[str, JSON]:
    """The engine's request: messages for the model's own chat template, sampling, the grammar of the offered tools."""
    sampling = request.sampling
    fields: dict[str, JSON] = {
        "messages": _messages(request),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_output_tokens,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "grammar": tool_grammar(request.tools, request.tool_choice, request.schema),
    }
    return {name: value for name, value in fields.items() if value is not None}


async def answer(engine: Engine, request: CompletionRequest) -> AsyncGenerator[StreamChunk, None]:
    """The model's answer in chunks, text as it comes. Raises MalformedResponse when a required call is not there."""
    scanner = Scanner()
    finish: FinishReason = "unknown"
    stream = engine.chat(body(request))
    try:
        async for event in stream:
            for choice in event.get("choices", ()):
                delta = choice.get("delta") or {}
                if delta.get("reasoning_content"):
                    yield ThinkingDelta(text=delta["reasoning_content"])
                for chunk in scanner.feed(delta.get("content") or ""):
                    yield chunk
                if choice.get("finish_reason"):
                    finish = _REASONS.get(choice["finish_reason"], "unknown")
            if event.get("usage"):
                yield usage(event["usage"])
    finally:
        await stream.aclose()
    for chunk in scanner.finish(cut=finish == "length"):
        yield chunk
    if request.tool_choice not in ("auto", "none") and request.tools and not scanner.calls and finish == "stop":
        raise MalformedResponse("the model called no tool, though it had to")
    yield Finished(reason="tool_calls" if scanner.calls and finish == "stop" else finish, raw=finish)


def inert(text: str) -> str:
    """Text that cannot end a turn or a result: what would be read as such a mark gets an unseen joiner."""
    return re.sub(r"<(?=\||/?(tool_call|tool_response|start_of_turn|end_of_turn)>)", "<\u2060", text)


def usage(raw: dict[str, Any]) -> UsageReported:
    """What the engine says it has read and written."""
    tokens = Usage(
        input_tokens=raw.get("prompt_tokens", 0),
        output_tokens=raw.get("completion_tokens", 0),
        cache_read_tokens=(raw.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
    )
    return UsageReported(usage=tokens, raw=raw)


class Scanner:
    """Text that streams by, with the calls in it taken out; `calls` counts those begun."""

    def __init__(self) -> None:
        self.calls = 0
        self._held = ""
        self._inside = False

    def feed(self, text: str) -> Iterator[StreamChunk]:
        """What can be told by now: text that cannot begin a call any more, whole calls."""
        self._held += text
        while True:
            mark = CLOSE if self._inside else OPEN
            before, found, after = self._held.partition(mark)
            if not found:
                break
            yield from self._call(before) if self._inside else _shown(before.rstrip("\n"))
            self._inside, self._held = not self._inside, after
        if self._inside:
            return
        kept = next((n for n in range(min(len(OPEN), len(self._held)), 0, -1) if OPEN.startswith(self._held[-n:])), 0)
        ready = self._held[: len(self._held) - kept]
        if self.calls:
            ready = ready.strip()
        yield from _shown(ready)
        self._held = self._held[len(self._held) - kept :]

    def finish(self, *, cut: bool) -> Iterator[StreamChunk]:
        """What was held back; a call that was cut off is passed on as it is, for the loop to refuse."""
        if self._inside and cut:
            yield from self._call(self._held)
        elif not self._inside:
            yield from _shown(self._held)
        self._held = ""

    def _call(self, written: str) -> Iterator[StreamChunk]:
        name, arguments = _parsed(written)
        yield ToolCallDelta(index=self.calls, id=f"call_{self.calls}", name=name, arguments=arguments)
        self.calls += 1


def _shown(text: str) -> Iterator[StreamChunk]:
    if text:
        yield TextDelta(text=text)


def _parsed(written: str) -> tuple[str, str]:
    """(name, JSON text of the arguments); of a call cut short, what can be told."""
    try:
        call = json.loads(written)
        return str(call["name"]), json.dumps(call["arguments"], ensure_ascii=False)
    except (ValueError, KeyError, TypeError):
        name = written.partition('"name": "')[2].partition('"')[0]
        return name, written.partition('"arguments": ')[2]


def _messages(request: CompletionRequest) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    system = request.system
    if request.tools and request.tool_choice != "none":
        system += _TOOLS + _declared(request.tools)
    if system:
        found.append({"role": "system", "content": system})
    for message in request.messages:
        role, text = ("assistant" if message.role == "assistant" else "user"), _text(message)
        if found and found[-1]["role"] == role:  # many templates insist on turns
            found[-1]["content"] += "\n" + text
        else:
            found.append({"role": role, "content": text})
    return found


def _declared(tools: Sequence[ToolDefinition]) -> str:
    declarations = [{"name": t.name, "description": t.description, "parameters": t.schema} for t in tools]
    return "\n".join(json.dumps(declaration, ensure_ascii=False) for declaration in declarations)


def _text(message: Message) -> str:
    lines = []
    for part in message.parts:
        match part:
            case TextPart(text=text):
                lines.append(text if message.role == "assistant" else inert(text))
            case ToolCallPart():
                lines.append(f'{OPEN}\n{{"name": {json.dumps(part.name)}, "arguments": {part.arguments}}}\n{CLOSE}')
            case ToolResultPart():
                lines.append(f"<tool_response>\n{inert(part.text)}\n</tool_response>")
            case _:
                kind = type(part).__name__.removesuffix("Part").lower()
                lines.append(f"[{kind} left out: this model reads only text]")
    return "\n".join(line for line in lines if line)
