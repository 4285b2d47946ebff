"""A completion request becomes the body that openai-chat servers take; each message is rendered once."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson
from codetether import (
    JSON,
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    MessagePart,
    RefusalPart,
    SamplingParams,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
)
from codetether_http import Kept, Offer, Offers, dumps, exact, is_strict

from codetether_provider_openai.quirks import Quirks

_EMPTY_SCHEMA: Mapping[str, JSON] = {"type": "object", "properties": {}}
_READABLE = ("application/json", "application/xml", "application/yaml", "application/toml")


class Renderer:
    """Renders the requests of one session to one provider, keeping the bytes of messages that it has seen."""

    def __init__(self, provider: str, quirks: Quirks) -> None:
        self._provider = provider
        self._quirks = quirks
        self._kept = Kept(self._rendered)
        self._replaced: dict[str, str] = {}
        self._offer: Offer | None = None
        self._system = ""
        self._system_rendered = orjson.Fragment(b"")

    def render(self, request: CompletionRequest) -> bytes:
        """The body of the request, as JSON."""
        quirks = self._quirks
        body: dict[str, Any] = {"model": request.model.model, "messages": self._messages(request)}
        if request.tools:
            body["tools"] = self._offered(request.tools)
            if request.tool_choice != "auto":
                body["tool_choice"] = _choice(request.tool_choice)
            if quirks.parallel_tool_calls is not None:
                body["parallel_tool_calls"] = quirks.parallel_tool_calls
        body.update(self._sampling(request.sampling))
        if request.schema is not None:
            form = {"name": "answer", "schema": request.schema, "strict": is_strict(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        body["stream"] = quirks.stream
        if quirks.stream and quirks.stream_usage:
            body["stream_options"] = {"include_usage": True}
        body.update(quirks.extra_body)
        return dumps(body)

    def _sampling(self, sampling: SamplingParams) -> dict[str, JSON]:
        said: dict[str, JSON] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self._quirks.max_tokens_field: sampling.max_output_tokens,
            "stop": list(sampling.stop) or None,
            self._quirks.seed_field: sampling.seed,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _id(self, id_: str, *, own: bool) -> str:
        """The id of a tool call as the server takes it; its own go back as they came."""
        if self._quirks.short_tool_ids and not own:
            self._replaced[id_] = short_id(id_)
        return self._replaced.get(id_, id_)

    def _offered(self, tools: tuple[ToolDefinition, ...]) -> orjson.Fragment:
        self._offer = offer = _OFFERS.of(tools)
        return offer.rendered

    def _messages(self, request: CompletionRequest) -> list[orjson.Fragment]:
        made = []
        if request.system:
            if request.system != self._system:
                self._system_rendered = orjson.Fragment(exact(dumps({"role": "system", "content": request.system})))
                self._system = request.system
            made.append(self._system_rendered)
        made += self._kept.of(request.messages)
        return [fragment for fragment in made if fragment is not _NOTHING]

    def _rendered(self, message: Message) -> orjson.Fragment:
        rendered = exact(b",".join(dumps(body) for body in self._bodies(message)))
        return orjson.Fragment(rendered) if rendered else _NOTHING

    def _bodies(self, message: Message) -> list[dict[str, JSON]]:
        if message.role == "assistant":
            body = self._assistant(message)
            return [body] if body else []
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        bodies: list[dict[str, JSON]] = [
            {
                "role": "tool",
                "tool_call_id": self._replaced.get(result.tool_call_id, result.tool_call_id),
                "content": result.text,
            }
            for result in results
        ]
        shown = [p for r in results for p in r.content if not isinstance(p, TextPart)]
        content = self._content([*shown, *(p for p in message.parts if not isinstance(p, ToolResultPart))])
        if content:
            bodies.append({"role": "user", "content": content})
        return bodies

    def _content(self, parts: Iterable[MessagePart]) -> JSON:
        """A string where there is just one text, else the list of parts."""
        made = [body for part in parts if (body := self._part(part))]
        if len(made) == 1 and made[0]["type"] == "text":
            return made[0]["text"]
        return made

    def _part(self, part: MessagePart) -> dict[str, JSON] | None:
        match part:
            case TextPart(text=text):
                return {"type": "text", "text": text} if text else None
            case ImagePart():
                return {"type": "image_url", "image_url": {"url": part.url or _data_url(part.media_type, part.data)}}
            case FilePart():
                return self._file(part)
            case _:
                return None

    def _file(self, part: FilePart) -> dict[str, JSON]:
        own = part.provider_data.get(self._provider)
        if isinstance(own, Mapping) and "file_id" in own:
            return {"type": "file", "file": {"file_id": own["file_id"]}}
        if part.data is not None and _is_text(part.media_type):
            return {"type": "text", "text": f"{part.name or 'file'}:\n{part.data.decode('utf-8', 'replace')}"}
        file = {"file_data": part.url or _data_url(part.media_type, part.data)}
        return {"type": "file", "file": {"filename": part.name, **file} if part.name else file}

    def _assistant(self, message: Message) -> dict[str, JSON]:
        own = message.provider == self._provider
        text = "".join(p.text for p in message.parts if isinstance(p, TextPart))
        refusal = "".join(p.text for p in message.parts if isinstance(p, RefusalPart))
        calls = [_call(part, self._id(part.id, own=own)) for part in message.parts if isinstance(part, ToolCallPart)]
        body: dict[str, JSON] = {}
        if own and self._quirks.echo_thinking:
            body.update(_thinking([p for p in message.parts if isinstance(p, ThinkingPart)], self._provider))
        thought = body.pop("content", [])
        if thought:
            body["content"] = [*thought, {"type": "text", "text": text}] if text else thought
        elif text or calls or not refusal:
            body["content"] = text or None
        else:
            body["content"] = None if own else refusal
        if refusal and own:
            body["refusal"] = refusal
        if calls:
            body["tool_calls"] = calls
        if not any(body.values()):
            return {}
        return {"role": "assistant", **body}


_NOTHING = orjson.Fragment(b"")
"""Stands for a message that leaves nothing to send: servers refuse empty ones."""


def _thinking(parts: Sequence[ThinkingPart], provider: str) -> dict[str, JSON]:
    """Reasoning in the field in which it came, as the parser noted it under the provider's name."""
    body: dict[str, JSON] = {}
    for part in parts:
        own = part.provider_data.get(provider)
        if not isinstance(own, Mapping):
            continue
        if "reasoning_details" in own:
            body.setdefault("reasoning_details", []).extend(own["reasoning_details"])
        elif own.get("field") == "content":
            thought = {"type": "thinking", "thinking": [{"type": "text", "text": part.text}]}
            body.setdefault("content", []).append(thought)
        elif own.get("field") in ("reasoning_content", "reasoning"):
            body[own["field"]] = body.get(own["field"], "") + part.text
    return body


def _call(part: ToolCallPart, id_: str) -> dict[str, JSON]:
    return {
        "id": id_,
        "type": "function",
        "function": {"name": part.name, "arguments": part.arguments or "{}"},
    }


def short_id(id_: str) -> str:
    """An id of 9 letters and digits: itself where it is one, else always the same for the same id."""
    if re.fullmatch(r"[A-Za-z0-9]{9}", id_):
        return id_
    return sha256(id_.encode("utf-8", "surrogatepass")).hexdigest()[:9]


def _tool(tool: ToolDefinition) -> dict[str, JSON]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.schema or _EMPTY_SCHEMA}
    return {"type": "function", "function": function}


_OFFERS = Offers(_tool)


def _choice(choice: str) -> JSON:
    return choice if choice in ("none", "required") else {"type": "function", "function": {"name": choice}}


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type in _READABLE


def _data_url(media_type: str, data: bytes | None) -> str:
    return f"data:{media_type};base64,{b64encode(data or b'').decode()}"
