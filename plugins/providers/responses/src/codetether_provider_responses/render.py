"""A completion request becomes the body that openai-responses servers take; each message is rendered once."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from codetether import (
    JSON,
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    SamplingParams,
    TextPart,
    ToolDefinition,
    ToolResultPart,
)
from codetether_http import Kept, Offer, Offers, dumps, exact, is_strict

from codetether_provider_responses.echo import call_id, echoed
from codetether_provider_responses.quirks import Quirks

_EMPTY_SCHEMA: Mapping[str, JSON] = {"type": "object", "properties": {}}
_READABLE = ("application/json", "application/xml", "application/yaml", "application/toml")


class Renderer:
    """Renders the requests of one session to one provider, keeping the bytes of messages that it has seen."""

    def __init__(self, provider: str, quirks: Quirks) -> None:
        self._provider = provider
        self._quirks = quirks
        self._kept = Kept(self._rendered)
        self._offer: Offer | None = None

    def render(self, request: CompletionRequest) -> bytes:
        """The body of the request, as JSON."""
        quirks = self._quirks
        body: dict[str, Any] = {"model": request.model.model}
        if request.system and quirks.system_as == "instructions":
            body["instructions"] = request.system
        body["input"] = self._input(request)
        if request.tools:
            body["tools"] = self._offered(request.tools)
            if request.tool_choice != "auto":
                body["tool_choice"] = _choice(request.tool_choice)
            if quirks.parallel_tool_calls is not None:
                body["parallel_tool_calls"] = quirks.parallel_tool_calls
        body.update(self._sampling(request.sampling))
        if request.schema is not None:
            form = {"type": "json_schema", "name": "answer", "schema": request.schema}
            body["text"] = {"format": {**form, "strict": is_strict(request.schema)}}
        if quirks.include:
            body["include"] = quirks.include
        if quirks.store is not None:
            body["store"] = quirks.store
        body["stream"] = quirks.stream
        body.update(quirks.extra_body)
        return dumps(body)

    def _sampling(self, sampling: SamplingParams) -> dict[str, JSON]:
        """There is no room for stop sequences and seeds."""
        said: dict[str, JSON] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_output_tokens": sampling.max_output_tokens if self._quirks.max_output_tokens else None,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _offered(self, tools: tuple[ToolDefinition, ...]) -> orjson.Fragment:
        self._offer = offer = _OFFERS.of(tools)
        return offer.rendered

    def _input(self, request: CompletionRequest) -> list[Any]:
        made: list[Any] = []
        if request.system and self._quirks.system_as != "instructions":
            made.append({"type": "message", "role": self._quirks.system_as, "content": request.system})
        made += self._kept.of(request.messages)
        return [fragment for fragment in made if fragment is not _NOTHING]

    def _rendered(self, message: Message) -> orjson.Fragment:
        rendered = exact(b",".join(dumps(item) for item in self._items(message)))
        return orjson.Fragment(rendered) if rendered else _NOTHING

    def _items(self, message: Message) -> list[dict[str, JSON]]:
        if message.role == "assistant":
            return echoed(message, self._provider, self._quirks)
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        items: list[dict[str, JSON]] = [
            {"type": "function_call_output", "call_id": call_id(result.tool_call_id), "output": self._output(result)}
            for result in results
        ]
        content = self._content(part for part in message.parts if not isinstance(part, ToolResultPart))
        if content:
            items.append({"type": "message", "role": "user", "content": content})
        return items

    def _output(self, result: ToolResultPart) -> JSON:
        """A string where a result is text alone, else the list of its parts."""
        if all(isinstance(part, TextPart) for part in result.content):
            return result.text
        return self._content(result.content) or ""

    def _content(self, parts: Iterable[Any]) -> list[dict[str, JSON]]:
        return [body for part in parts if (body := self._part(part))]

    def _part(self, part: Any) -> dict[str, JSON] | None:
        match part:
            case TextPart(text=text):
                return {"type": "input_text", "text": text} if text else None
            case ImagePart():
                source = self._file_id(part) or {"image_url": part.url or _data_url(part.media_type, part.data)}
                return {"type": "input_image", "detail": "auto", **source}
            case FilePart():
                return self._file(part)
            case _:
                return None

    def _file_id(self, part: ImagePart | FilePart) -> dict[str, JSON] | None:
        """Under which a file lies with the provider, where it was put there."""
        own = part.provider_data.get(self._provider)
        return {"file_id": own["file_id"]} if isinstance(own, Mapping) and "file_id" in own else None

    def _file(self, part: FilePart) -> dict[str, JSON]:
        if own := self._file_id(part):
            return {"type": "input_file", **own}
        if part.data is not None and _is_text(part.media_type):
            return {"type": "input_text", "text": f"{part.name or 'file'}:\n{part.data.decode('utf-8', 'replace')}"}
        if part.url and not part.url.startswith("data:"):
            return {"type": "input_file", "file_url": part.url}
        data = {"file_data": part.url or _data_url(part.media_type, part.data)}
        return {"type": "input_file", "filename": part.name or "file", **data}


_NOTHING = orjson.Fragment(b"")
"""Stands for a message that leaves nothing to send: servers refuse empty ones."""


def _tool(tool: ToolDefinition) -> dict[str, JSON]:
    """A tool is strict unless it is said not to be, and then most schemas are refused."""
    schema = tool.schema or _EMPTY_SCHEMA
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": schema,
        "strict": False,
    }


_OFFERS = Offers(_tool)


def _choice(choice: str) -> JSON:
    return choice if choice in ("none", "required") else {"type": "function", "name": choice}


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type in _READABLE


def _data_url(media_type: str, data: bytes | None) -> str:
    return f"data:{media_type};base64,{b64encode(data or b'').decode()}"
