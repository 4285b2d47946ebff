"""One question to the local model: in its own format, held to a grammar."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Protocol

from attrs import frozen
from codetether import JSON, InvalidRequest, ToolDefinition
from codetether_llama import Engine

from codetether_router_functiongemma import chat, functiongemma
from codetether_router_functiongemma.excerpt import Excerpt
from codetether_router_functiongemma.grammar import call_grammar
from codetether_router_functiongemma.settings import CHAT, FUNCTIONGEMMA, FunctionGemmaSettings

Calls = list[tuple[str, dict[str, Any]]]


class Asking(Protocol):
    """A way to ask a model."""

    async def calls(self, tool: ToolDefinition, shown: Excerpt) -> Calls:
        """What the model takes for calls of the tool, names and arguments; none where it sees none.

        Raises ProviderError, and InvalidRequest for an answer that no grammar allows.
        """


def asking(engine: Engine, settings: FunctionGemmaSettings) -> Asking:
    """How the engine's model is asked: as `arch` says, else as the file tells of itself."""
    model, arch = engine.model, settings.arch.strip().lower()
    own = functiongemma.is_known(model.template) or (not model.template and model.architecture.startswith("gemma"))
    sampling: dict[str, JSON] = {"temperature": settings.temperature, "max_tokens": settings.max_tokens}
    if arch == FUNCTIONGEMMA or (arch != CHAT and own):
        return _FunctionGemma(engine=engine, sampling=sampling, tokens=model.controls(*functiongemma.MARKS))
    return _Chat(engine=engine, sampling=sampling)


@frozen(kw_only=True)
class _FunctionGemma:
    engine: Engine
    tokens: bool
    sampling: Mapping[str, JSON]

    async def calls(self, tool: ToolDefinition, shown: Excerpt) -> Calls:
        grammar = call_grammar(tool, shown, functiongemma.FunctionGemmaForm(tokens=self.tokens))
        if grammar is None:
            return []
        body: dict[str, JSON] = {
            **self.sampling,
            "prompt": functiongemma.question(self.engine.model.template, tool, shown),
            "grammar": grammar,
            "stop": [*functiongemma.STOPS],
            "preserved_tokens": [*functiongemma.MARKS],
        }
        answer = ""
        async with aclosing(self.engine.complete(body)) as events:
            async for event in events:
                answer += "".join(choice.get("text") or "" for choice in event.get("choices", ()))
                if not functiongemma.START_CALL.startswith(answer[: len(functiongemma.START_CALL)]):
                    return []  # it says something else: that is no call
        return _read(functiongemma.read, answer)


@frozen(kw_only=True)
class _Chat:
    engine: Engine
    sampling: Mapping[str, JSON]

    async def calls(self, tool: ToolDefinition, shown: Excerpt) -> Calls:
        grammar = call_grammar(tool, shown, chat.ChatForm())
        if grammar is None:
            return []
        body: dict[str, JSON] = {**self.sampling, "messages": chat.messages(tool, shown), "grammar": grammar}
        answer = ""
        async with aclosing(self.engine.chat(body)) as events:
            async for event in events:
                answer += "".join(choice["delta"].get("content") or "" for choice in event.get("choices", ()))
        return _read(chat.read, answer)


def _read(reader: Any, answer: str) -> Calls:
    try:
        made: Calls = reader(answer)
    except ValueError as error:
        raise InvalidRequest(f"the model's answer is no call: {error}") from error
    return made
