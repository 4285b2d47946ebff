"""A completion request becomes the body of generateContent; each message is rendered once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from attrs import frozen
from codetether import (
    JSON,
    CompletionRequest,
    Message,
    RefusalPart,
    SamplingParams,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
)
from codetether_http import Kept, Offer, Offers, dumps, exact

from codetether_provider_google.calls import given
from codetether_provider_google.media import attachment
from codetether_provider_google.quirks import Quirks
from codetether_provider_google.schema import portable


@frozen
class _Results:
    """The results of tools in one message, and what follows them: parts as JSON, joined by commas."""

    results: bytes
    others: bytes


class Renderer:
    """Renders the requests of one session to one provider, keeping the bytes of messages that it has seen."""

    def __init__(self, provider: str, quirks: Quirks) -> None:
        self._provider = provider
        self._quirks = quirks
        self._model = ""
        self._kept = Kept(self._content)
        self._offer: Offer | None = None
        self._system = ""
        self._system_rendered = orjson.Fragment(b"")

    def render(self, request: CompletionRequest) -> bytes:
        """The body of the request, as JSON."""
        quirks = self._quirks
        body: dict[str, Any] = {"contents": self._contents(request)}
        if request.system:
            body["systemInstruction"] = self._instruction(request.system)
        if request.tools:
            body["tools"] = [{"functionDeclarations": self._offered(request.tools)}]
            if request.tool_choice != "auto":
                body["toolConfig"] = {"functionCallingConfig": _choice(request.tool_choice)}
        sampled = _sampling(request.sampling)
        if request.schema is not None and not request.tools:  # most models refuse both at once
            sampled |= {"responseMimeType": "application/json", "responseJsonSchema": request.schema}
        config = _laid_over(sampled, quirks.generation_config)
        if config:
            body["generationConfig"] = config
        return dumps(_laid_over(body, quirks.extra_body))

    def _instruction(self, system: str) -> orjson.Fragment:
        if system != self._system:
            self._system_rendered = orjson.Fragment(exact(dumps({"parts": [{"text": system}]})))
            self._system = system
        return self._system_rendered

    def _offered(self, tools: tuple[ToolDefinition, ...]) -> orjson.Fragment:
        self._offer = offer = _OFFERS.of(tools)
        return offer.rendered

    def _contents(self, request: CompletionRequest) -> list[orjson.Fragment]:
        """Results of tools that follow each other stand in one content, in their order."""
        if request.model.model != self._model:
            self._kept.clear()
            self._model = request.model.model
        made: list[orjson.Fragment] = []
        results: list[_Results] = []
        for content in self._kept.of(request.messages):
            if isinstance(content, _Results):
                results.append(content)
                continue
            if results:
                made.append(_together(results))
                results = []
            if content is not _NOTHING:
                made.append(content)
        return [*made, _together(results)] if results else made

    def _content(self, message: Message) -> orjson.Fragment | _Results:
        if message.role == "assistant":
            return _fragment(b"model", _joined(self._said(message)))
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        others = (self._given(part) for part in message.parts if not isinstance(part, ToolResultPart))
        if not results:
            return _fragment(b"user", _joined(part for part in others if part))
        media = (made for made in _media(results) if not self._stands_within(made))
        return _Results(_joined(map(self._result, results)), _joined([*media, *(part for part in others if part)]))

    def _given(self, part: Any) -> dict[str, JSON] | None:
        if isinstance(part, TextPart):
            return {"text": part.text} if part.text else None
        return attachment(part)

    def _result(self, part: ToolResultPart) -> dict[str, JSON]:
        response: dict[str, JSON] = {
            "name": part.name or _NAMELESS,
            "response": {"output" if part.success else "error": part.text},
        }
        if self._quirks.send_ids and (id_ := given(part.tool_call_id)):
            response["id"] = id_
        if media := [made for made in _media([part]) if self._stands_within(made)]:
            response["parts"] = media
        return {"functionResponse": response}

    def _stands_within(self, made: Mapping[str, JSON]) -> bool:
        """Whether an image or a file belongs into the result that gave it; the others follow all results."""
        source = made.get("inlineData") or made.get("fileData") or {}
        return self._quirks.media_in_results and source.get("mimeType") in _WITHIN

    def _said(self, message: Message) -> Iterator[dict[str, JSON]]:
        """The parts of a model's turn. Signatures and thoughts go to the provider alone that gave them."""
        own = message.provider == self._provider
        foreign = not own or message.model not in (None, self._model)
        stand_in = self._quirks.stand_in_signature if foreign else ""
        for part in message.parts:
            data = part.provider_data.get(self._provider) if own and hasattr(part, "provider_data") else None
            noted: Mapping[str, JSON] = data if isinstance(data, Mapping) else {}
            said = self._part(part, own, noted)
            if said is None:
                continue
            if "functionCall" in said:
                if stand_in and "thoughtSignature" not in noted:
                    said["thoughtSignature"] = stand_in
                stand_in = ""  # of calls that come together the first alone has one
            if "thoughtSignature" in noted:
                said["thoughtSignature"] = noted["thoughtSignature"]
            if noted.get("thought"):
                said["thought"] = True
            yield said

    def _part(self, part: Any, own: bool, noted: Mapping[str, JSON]) -> dict[str, JSON] | None:
        match part:
            case TextPart(text=text):
                return {"text": text} if text or noted else None
            case RefusalPart(text=text):
                return {"text": text} if text else None
            case ThinkingPart(text=text):
                if isinstance(kept := noted.get("part"), Mapping):
                    return dict(kept)
                return (
                    {"text": text, "thought": True}
                    if own and (noted or (text and self._quirks.echo_thinking))
                    else None
                )
            case ToolCallPart():
                return {"functionCall": self._call(part)}
            case _:
                return attachment(part) if own else None

    def _call(self, part: ToolCallPart) -> dict[str, JSON]:
        call: dict[str, JSON] = {"name": part.name or _NAMELESS, "args": _arguments(part.arguments)}
        if self._quirks.send_ids and (id_ := given(part.id)):
            call["id"] = id_
        return call


_NAMELESS = "unknown"
_WITHIN = ("image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain")
"""What a result may hold, where it may hold anything."""
_NOTHING = orjson.Fragment(b"")
"""Stands for a message that leaves nothing to send: contents without parts are refused."""


def _fragment(role: bytes, parts: bytes) -> orjson.Fragment:
    return orjson.Fragment(b'{"role":"%b","parts":[%b]}' % (role, parts)) if parts else _NOTHING


def _together(results: Iterable[_Results]) -> orjson.Fragment:
    pieces = [*(r.results for r in results), *(r.others for r in results if r.others)]
    return _fragment(b"user", b",".join(pieces))


def _joined(parts: Iterable[Mapping[str, JSON]]) -> bytes:
    return b",".join(map(dumps, parts))


def _media(results: Iterable[ToolResultPart]) -> Iterator[dict[str, JSON]]:
    for result in results:
        for part in result.content:
            if not isinstance(part, TextPart) and (made := attachment(part)):
                yield made


def _arguments(text: str) -> orjson.Fragment | dict[str, JSON]:
    """Arguments as they were written; what is no object stands in one, since Gemini takes nothing else."""
    try:
        whole = isinstance(orjson.loads(text or "{}"), dict)
    except orjson.JSONDecodeError:
        whole = False
    return orjson.Fragment(text or "{}") if whole else {"arguments": text}


def _tool(tool: ToolDefinition) -> dict[str, JSON]:
    return {"name": tool.name, "description": tool.description, "parametersJsonSchema": portable(tool.schema)}


_OFFERS = Offers(_tool)


def _choice(choice: str) -> dict[str, JSON]:
    match choice:
        case "none":
            return {"mode": "NONE"}
        case "required":
            return {"mode": "ANY"}
        case name:
            return {"mode": "ANY", "allowedFunctionNames": [name]}


def _sampling(sampling: SamplingParams) -> dict[str, JSON]:
    said: dict[str, JSON] = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "maxOutputTokens": sampling.max_output_tokens,
        "stopSequences": list(sampling.stop) or None,
        "seed": sampling.seed,
    }
    return {name: value for name, value in said.items() if value is not None}


def _laid_over(base: dict[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    """The layer's fields over those of the base: objects are merged, `tools` are added to ours."""
    made = dict(base)
    for name, value in layer.items():
        old = made.get(name)
        if isinstance(old, dict) and isinstance(value, Mapping):
            made[name] = _laid_over(old, value)
        elif name == "tools" and isinstance(old, list) and isinstance(value, list):
            made[name] = [*old, *value]
        else:
            made[name] = value
    return made
