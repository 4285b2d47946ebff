"""The tiny profile: one call chosen among candidates, then a short answer out of its output."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from codetether import (
    JSON,
    CompletionRequest,
    Finished,
    Message,
    StreamChunk,
    TextDelta,
    ToolCallDelta,
    ToolDefinition,
    ToolResultPart,
)
from codetether_llama import Body, Engine

from codetether_provider_local.grammar import choice_grammar, value_grammar, words_grammar
from codetether_provider_local.plain import inert, usage
from codetether_provider_local.tiny.candidates import Candidate, beyond, candidates
from codetether_provider_local.tiny.evidence import evidence, listed, speakable, telling, wants_names
from codetether_provider_local.tiny.ranking import Ranking, ranking
from codetether_provider_local.tiny.talk import OUTPUTS, TALK
from codetether_provider_local.tiny.templates import reply, templates
from codetether_provider_local.tiny.words import words
from codetether_provider_local.tiny.workspace import explore

_CLOSE_CALL = 0.93
_SHOTS = 6
_OUTPUT_SHOTS = 3
_AT_MOST = 4
_CALLS = "Choose the tool for each task."
_TALKS = "Answer briefly and kindly."
_TOO_MUCH = (
    "That is more than a tiny model can do. It lists, reads and searches files, writes or replaces a text that you "
    "spell out, and runs a few commands. For more, add a key (codetether providers) or a larger model."
)
_FORMS = "Answer with JSON, from the output."
_LONGEST = 512
_READS = "Answer each question in one sentence from the output."


class TinyProfile:
    """How a model too small to plan still does one thing: shown examples, held to candidates, told to sum up."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: tuple[tuple[ToolDefinition, ...], Ranking] | None = None

    async def answer(self, request: CompletionRequest) -> AsyncGenerator[StreamChunk, None]:
        """One call where the request wants a tool; a sentence where it does not, or where the tool has answered."""
        asked, results = _last_exchange(request.messages)
        stream = self._sum_up(asked, results[-1], request) if results else self._call_or_talk(asked, request)
        try:
            async for chunk in stream:
                yield chunk
        finally:
            await stream.aclose()

    async def _call_or_talk(self, asked: str, request: CompletionRequest) -> AsyncGenerator[StreamChunk, None]:
        known = self._ranking(request.tools if request.tool_choice != "none" else ())
        found = await asyncio.to_thread(_candidates, asked, request.directory, known)
        if request.schema is not None and (not found or found[0].tool is None):
            async for chunk in self._formed(asked, "", request.schema):
                yield chunk
            return
        if not found or found[0].tool is None:
            async for chunk in self._said(_dialogue(_TALKS, TALK, asked), 80):
                yield chunk
            return
        if beyond(asked, found[0]):
            yield TextDelta(text=_TOO_MUCH)
            yield Finished(reason="stop")
            return
        close = [c for c in found[:_AT_MOST] if c.tool is not None and c.score >= _CLOSE_CALL * found[0].score]
        chosen = close[0]
        if len(close) > 1:
            written = ""
            async for chunk in self._generated(_choice(asked, known, close)):
                if isinstance(chunk, TextDelta):
                    written += chunk.text
                else:
                    yield chunk
            chosen = next((c for c in close if _written(c) == written), chosen)
        name, arguments = (chosen.tool.name if chosen.tool else ""), json.dumps(dict(chosen.arguments))
        yield ToolCallDelta(index=0, id=f"call_{uuid4().hex[:12]}", name=name, arguments=arguments)
        yield Finished(reason="tool_calls", raw="stop")

    def _ranking(self, tools: tuple[ToolDefinition, ...]) -> Ranking:
        if self._known is None or self._known[0] is not tools:
            known = [template for tool in tools for template in templates(tool)]
            self._known = (tools, ranking([*known, *(reply(prompt, text) for prompt, text in TALK)]))
        return self._known[1]

    async def _sum_up(
        self, asked: str, result: ToolResultPart, request: CompletionRequest
    ) -> AsyncGenerator[StreamChunk, None]:
        if request.schema is not None:
            async for chunk in self._formed(asked, evidence(asked, result.text), request.schema):
                yield chunk
            return
        first = next((line.strip() for line in result.text.splitlines() if line.strip()), "")
        if not result.success:
            yield TextDelta(text=f"That did not work: {first.removeprefix('Error: ') or 'nobody says why'}")
            yield Finished(reason="stop")
            return
        if any(
            tool.name == result.name and "write" in tool.effects and "execute" not in tool.effects
            for tool in request.tools
        ):
            yield TextDelta(text=f"Done: {first or result.name}")  # what was changed is nothing to guess at
            yield Finished(reason="stop")
            return
        if result.name in ("list", "glob") and wants_names(asked):
            yield TextDelta(text=listed(result.text))  # many names are more than it can repeat
            yield Finished(reason="stop")
            return
        shown = evidence(asked, result.text)
        prompt = _dialogue(_READS, _nearest_outputs(asked), f"{asked}\nOutput:\n{shown}")
        async for chunk in self._said(prompt, 48, words_grammar(speakable(asked, shown), telling(asked, shown))):
            yield chunk

    async def _formed(self, asked: str, shown: str, schema: Mapping[str, JSON]) -> AsyncGenerator[StreamChunk, None]:
        """A value that fits the schema; whether it is true is another matter."""
        text = f"{asked}\nOutput:\n{shown}" if shown else asked
        body = {**_dialogue(_FORMS, (), text), "max_tokens": _LONGEST, "temperature": 0}
        async for chunk in self._generated({**body, "grammar": value_grammar(schema)}):
            yield chunk
        yield Finished(reason="stop")

    async def _said(self, prompt: Body, tokens: int, grammar: str = "") -> AsyncGenerator[StreamChunk, None]:
        request = {**prompt, "max_tokens": tokens, "temperature": 0, "stop": ["\n"]}
        if grammar:
            request["grammar"] = grammar
        async for chunk in self._generated(request):
            yield chunk
        yield Finished(reason="stop")

    async def _generated(self, body: Body) -> AsyncGenerator[StreamChunk, None]:
        stream = self._engine.chat(body)
        try:
            async for event in stream:
                for choice in event.get("choices", ()):
                    if text := (choice.get("delta") or {}).get("content"):
                        yield TextDelta(text=text)
                if event.get("usage"):
                    yield usage(event["usage"])
        finally:
            await stream.aclose()


def _last_exchange(messages: Sequence[Message]) -> tuple[str, list[ToolResultPart]]:
    """The last request of the user, and what tools have given for it since."""
    last = max((i for i, message in enumerate(messages) if message.role == "user"), default=None)
    if last is None:
        return "", []
    return messages[last].text, [p for m in messages[last:] for p in m.parts if isinstance(p, ToolResultPart)]


def _candidates(asked: str, directory: str, known: Ranking) -> list[Candidate]:
    return candidates(asked, explore(directory or str(Path.cwd())), known)


def _nearest_outputs(asked: str) -> list[tuple[str, str]]:
    known = ranking([reply(prompt, text) for prompt, _, text in OUTPUTS])
    terms = [word.stem for word in words(asked)]
    near = sorted(OUTPUTS, key=lambda shot: known.similarity(terms, reply(shot[0], "")))[-_OUTPUT_SHOTS:]
    return [(f"{prompt}\nOutput:\n{output}", text) for prompt, output, text in near]


def _choice(asked: str, known: Ranking, close: Sequence[Candidate]) -> Body:
    terms = [word.stem for word in words(asked)]
    tools = [template for template in known.templates if template.tool is not None and not template.needed]
    near = sorted(tools, key=lambda template: known.similarity(terms, template))[-_SHOTS:]
    shots = [(t.prompt, _json(t.tool, t.arguments)) for t in near]
    grammar = choice_grammar([_written(candidate) for candidate in close])
    return {**_dialogue(_CALLS, shots, asked), "max_tokens": 200, "temperature": 0, "grammar": grammar}


def _written(candidate: Candidate) -> str:
    return _json(candidate.tool, candidate.arguments)


def _json(tool: ToolDefinition | None, arguments: object) -> str:
    return json.dumps({"tool": tool.name if tool else "", **dict(arguments)}, ensure_ascii=False)  # type: ignore[call-overload]


def _dialogue(system: str, shots: Sequence[tuple[str, str]], last: str) -> dict[str, JSON]:
    """The messages, for the model's own chat template."""
    turns = [("system", system)]
    for asked, answered in shots:
        turns += [("user", asked), ("assistant", answered)]
    turns.append(("user", inert(last)))
    return {"messages": [{"role": role, "content": text} for role, text in turns]}
