"""The router: calls that an answer only announces are made by a small model on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from attrs import evolve, frozen
from codetether import (
    CodetetherError,
    CompletionResponse,
    MessagePart,
    SessionContext,
    TextPart,
    ToolCallPart,
    ToolCallRouter,
    ToolDefinition,
)
from codetether_llama import Engine, engine, inspect

from codetether_router_functiongemma.asking import Asking, asking
from codetether_router_functiongemma.evidence import Evidence, evidence
from codetether_router_functiongemma.excerpt import excerpt
from codetether_router_functiongemma.schemas import fitted, problem, resolved
from codetether_router_functiongemma.settings import FunctionGemmaSettings
from codetether_router_functiongemma.silent import Silent

ANSWERED = frozenset(["stop", "unknown"])
"""An answer that was cut off, filtered or failed announces nothing."""

_kept: set[Engine] = set()
"""Models that were loaded: they stay for as long as the process does."""


def router(ctx: SessionContext) -> ToolCallRouter:
    """The router of a session; one that does nothing where it is off or there is no model file, which is said."""
    settings: FunctionGemmaSettings = ctx.settings or FunctionGemmaSettings()
    if settings.enabled and not settings.disabled and not settings.model_path:
        ctx.notice("no model is named: set CODETETHER_TOOL_ROUTER_MODEL_PATH to a GGUF file; described calls stay text")
    if not settings.active:
        return Silent()
    if settings.tokenizer_path:
        ctx.notice(f"the tokenizer at {settings.tokenizer_path} is not used: a GGUF file holds its own")
    path = Path(settings.model_path).expanduser()
    try:
        with path.open("rb") as file:
            is_model = file.read(4) == b"GGUF"
    except OSError as error:
        ctx.notice(_without(f"the model at {path} cannot be read: {error.strerror or error}"))
        return Silent()
    if not is_model:
        ctx.notice(_without(f"{path} is no GGUF file"))
        return Silent()
    return FunctionGemmaRouter(ctx, settings, path)


class FunctionGemmaRouter(Silent):
    """Asks the model where a text gives it reason to; whatever goes wrong, the response stays as it is."""

    def __init__(self, ctx: SessionContext, settings: FunctionGemmaSettings, path: Path) -> None:
        self._ctx = ctx
        self._settings = settings
        self._path = path
        self._asking: Asking | None = None
        self._is_broken = False
        self._said: set[str] = set()

    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        """The response with announced calls as parts; the very same object where there are none."""
        if self._is_broken or response.tool_calls or not offered or response.finish_reason not in ANSWERED:
            return response
        announced = [
            (place, found)
            for place, part in enumerate(response.message.parts)
            if isinstance(part, TextPart)
            for found in evidence(part.text, offered)
        ]
        if not announced:
            return response
        try:
            async with asyncio.timeout(self._settings.timeout):
                calls = await self._calls(response, announced)
        except TimeoutError:
            self._say(f"the model took longer than {self._settings.timeout:g} s (the setting timeout)")
            return response
        except Exception as error:  # a router can never break a response: the original stays, and why is said
            self._say(error.message if isinstance(error, CodetetherError) else f"{type(error).__name__}: {error}")
            return response
        return _rewritten(response, calls) if calls else response

    async def _calls(self, response: CompletionResponse, announced: Sequence[tuple[int, Evidence]]) -> list[_Made]:
        """The calls in the order in which they were announced, up to the first that the model does not see."""
        made: list[_Made] = []
        model = await self._model()
        for place, found in announced:
            part = response.message.parts[place]
            assert isinstance(part, TextPart)
            shown = excerpt(part.text, found, self._ctx.session.messages)
            calls = [arguments for name, arguments in await model.calls(found.tool, shown) if name == found.tool.name]
            if not calls:
                break
            schema = found.tool.schema
            arguments = fitted(calls[0], resolved(schema, schema), schema)
            if why := problem(found.tool, arguments, shown):
                self._ctx.log.info("no call of %s: %s", found.tool.name, why)
                break
            call = ToolCallPart(
                id=f"fc_{uuid4().hex}",
                name=found.tool.name,
                arguments=json.dumps(arguments, ensure_ascii=False),
                written=found.sentence,
            )
            made.append(_Made(place=place, evidence=found, call=call))
        return made

    async def _model(self) -> Asking:
        """The model, its file looked at when it is first needed. Raises ProviderError, and then is not asked again."""
        if self._asking is None:
            settings = self._settings
            try:
                file = await asyncio.to_thread(inspect, self._path)
                found = engine(file, settings.context, settings.threads, gpu=settings.device.strip().lower() != "cpu")
                self._asking = await asyncio.to_thread(asking, found, settings)
            except CodetetherError:
                self._is_broken = True
                raise
            _kept.add(found)
        return self._asking

    def _say(self, why: str) -> None:
        if why not in self._said:
            self._said.add(why)
            self._ctx.notice(_without(why))


@frozen(kw_only=True)
class _Made:
    """A call, and the text part with the sentence that it was made from."""

    place: int
    evidence: Evidence
    call: ToolCallPart


def _rewritten(response: CompletionResponse, made: Sequence[_Made]) -> CompletionResponse:
    """The response with the calls at its end; a line that was nothing but a call is taken out of its text."""
    parts: list[MessagePart] = []
    for place, part in enumerate(response.message.parts):
        cuts = [(m.evidence.start, m.evidence.end) for m in made if m.place == place and m.evidence.bare]
        if not isinstance(part, TextPart) or not cuts:
            parts.append(part)
            continue
        text = part.text
        for start, end in reversed(cuts):
            text = text[:start] + text[end:]
        if text.strip() or part.provider_data:
            parts.append(evolve(part, text=text.strip(), written=part.text))
    parts += [each.call for each in made]
    return evolve(response, message=evolve(response.message, parts=tuple(parts)), finish_reason="tool_calls")


def _without(why: str) -> str:
    return f"{why}; described calls stay text ([plugins.functiongemma], or CODETETHER_FUNCTIONGEMMA_DISABLED=1)"
