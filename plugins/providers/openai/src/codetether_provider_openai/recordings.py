"""How recorded Chat Completions requests are read, so that the wire can be tried on them."""

from __future__ import annotations

import contextlib
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from codetether import (
    JSON,
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    MessagePart,
    ModelRef,
    RefusalPart,
    SamplingParams,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
)

_NAMES = {"moonshot": "moonshotai", "novita-via-huggingface": "huggingface"}
_SYSTEM = ("system", "developer")
_MODELLED = {
    "model",
    "messages",
    "tools",
    "tool_choice",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "stream",
    "stream_options",
}
_MESSAGE = {
    "role",
    "content",
    "tool_calls",
    "tool_call_id",
    "name",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "refusal",
}
_PART = {"type", "text", "image_url", "file", "thinking"}


class ChatDialect:
    """Chat Completions, as clients write it."""

    wire = "openai-chat"

    def provider(self, recorded: str) -> str:
        """Most are recorded under the name that we use."""
        return _NAMES.get(recorded, recorded)

    def request(self, body: JSON, provider: str) -> CompletionRequest:
        """The conversation in a body."""
        messages = body["messages"]
        names = {c["id"]: c["function"]["name"] for m in messages for c in m.get("tool_calls") or ()}
        stop = body.get("stop") or ()
        limit = body.get("max_completion_tokens")
        return CompletionRequest(
            model=ModelRef(provider=provider, model=body["model"]),
            system=_system(messages),
            messages=tuple(_message(m, provider, names) for m in messages if m["role"] not in _SYSTEM),
            tools=tuple(_tool(t["function"]) for t in body.get("tools") or () if "function" in t),
            tool_choice=_choice(body),
            sampling=SamplingParams(
                temperature=body.get("temperature"),
                top_p=body.get("top_p"),
                max_output_tokens=body.get("max_tokens") if limit is None else limit,
                stop=(stop,) if isinstance(stop, str) else tuple(stop),
                seed=body.get("seed"),
            ),
        )

    def meaning(self, body: JSON) -> Mapping[str, JSON]:
        """What a body says, whichever of the allowed spellings it uses."""
        messages = body["messages"]
        limit = body.get("max_completion_tokens")
        return {
            "model": body["model"],
            "system": _system(messages),
            "messages": [_said(m) for m in messages if m["role"] not in _SYSTEM],
            "tools": [_offered(t["function"]) for t in body.get("tools") or () if "function" in t],
            "tool_choice": _choice(body),
            "temperature": body.get("temperature"),
            "top_p": body.get("top_p"),
            "limit": body.get("max_tokens") if limit is None else limit,
            "stop": [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or [],
            "seed": body.get("seed"),
        }

    def not_modelled(self, body: JSON) -> Iterable[str]:
        """Fields of the body, of its messages, parts and tools that a CompletionRequest has no room for."""
        yield from (name for name in body if name not in _MODELLED)
        for message in body["messages"]:
            yield from (f"messages.{name}" for name, v in message.items() if name not in _MESSAGE and v is not None)
            for part in _parts(message.get("content")):
                yield from (f"content.{name}" for name, v in part.items() if name not in _PART and v is not None)
        for tool in body.get("tools") or ():
            if "function" not in tool:
                yield f"tools of type {tool.get('type')}"
            elif "strict" in tool["function"]:
                yield "tools.strict"

    def usage(self, raw: Mapping[str, JSON]) -> Mapping[str, int | None]:
        """The provider's own counts."""
        into, out = raw.get("prompt_tokens_details") or {}, raw.get("completion_tokens_details") or {}
        return {
            "input": raw.get("prompt_tokens"),
            "output": raw.get("completion_tokens"),
            "cached": into.get("cached_tokens", raw.get("cached_tokens")),
            "cache_write": into.get("cache_write_tokens"),
            "reasoning": out.get("reasoning_tokens"),
        }


chat = ChatDialect()


def _parts(content: JSON) -> list[dict[str, Any]]:
    if content is None or content == "":
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(content: JSON) -> str:
    return "".join(p["text"] for p in _parts(content) if p.get("type") == "text")


def _system(messages: Iterable[Mapping[str, JSON]]) -> str:
    return "\n\n".join(_text(m["content"]) for m in messages if m["role"] in _SYSTEM)


def _choice(body: JSON) -> str:
    choice = body.get("tool_choice") or "auto"
    if not any("function" in tool for tool in body.get("tools") or ()):
        return "auto"
    if isinstance(choice, dict):
        return str(choice["function"]["name"])
    return "required" if choice == "any" else str(choice)


def _tool(function: Mapping[str, JSON]) -> ToolDefinition:
    return ToolDefinition(
        name=function["name"],
        description=function.get("description") or "",
        schema=function.get("parameters") or {},
    )


def _offered(function: Mapping[str, JSON]) -> dict[str, JSON]:
    return {
        "name": function["name"],
        "description": function.get("description") or "",
        "parameters": function.get("parameters") or {"type": "object", "properties": {}},
    }


def _message(body: Mapping[str, JSON], provider: str, names: Mapping[str, str]) -> Message:
    match body["role"]:
        case "tool":
            result = ToolResultPart(
                tool_call_id=body.get("tool_call_id") or "",
                name=names.get(body.get("tool_call_id") or "", ""),
                content=(TextPart(text=_text(body.get("content"))),),
                success=True,
            )
            return Message(role="tool", parts=(result,))
        case "assistant":
            return Message(role="assistant", parts=tuple(_assistant(body, provider)), provider=provider)
        case _:
            return Message(role="user", parts=tuple(_part(part, provider) for part in _parts(body.get("content"))))


def _assistant(body: Mapping[str, JSON], provider: str) -> Iterable[MessagePart]:
    for field in ("reasoning_content", "reasoning"):
        if body.get(field):
            yield ThinkingPart(text=body[field], provider_data={provider: {"field": field}})
    if body.get("reasoning_details"):
        yield ThinkingPart(provider_data={provider: {"reasoning_details": body["reasoning_details"]}})
    yield from (_part(part, provider) for part in _parts(body.get("content")))
    if body.get("refusal"):
        yield RefusalPart(text=body["refusal"])
    for call in body.get("tool_calls") or ():
        function = call["function"]
        yield ToolCallPart(id=call["id"], name=function["name"], arguments=function["arguments"])


def _part(part: Mapping[str, JSON], provider: str) -> MessagePart:
    match part["type"]:
        case "image_url":
            return _image(_url(part))
        case "file" if "file_id" in part["file"]:
            return FilePart(media_type="", provider_data={provider: {"file_id": part["file"]["file_id"]}})
        case "file":
            media_type, data = _data(part["file"]["file_data"])
            return FilePart(media_type=media_type, name=part["file"].get("filename") or "", data=data)
        case _:
            return TextPart(text=part["text"])


def _url(part: Mapping[str, JSON]) -> str:
    image = part["image_url"]
    return str(image["url"] if isinstance(image, dict) else image)


def _image(url: str) -> ImagePart:
    if not url.startswith("data:"):
        return ImagePart(media_type="image/*", url=url)
    media_type, data = _data(url)
    return ImagePart(media_type=media_type, data=data)


def _data(url: str) -> tuple[str, bytes]:
    head, _, data = url.partition(",")
    return head.removeprefix("data:").removesuffix(";base64"), b64decode(data)


def _said(body: Mapping[str, JSON]) -> dict[str, JSON]:
    """A message's meaning: its texts joined, other parts in order, calls with parsed arguments."""
    content = [p for p in _parts(body.get("content")) if p["type"] != "text"]
    said = {
        "role": body["role"],
        "text": _text(body.get("content")),
        "others": [_url(p) if p["type"] == "image_url" else p.get("file") for p in content],
        "tool_call_id": body.get("tool_call_id") or "",
        "calls": [_asked(call) for call in body.get("tool_calls") or ()],
    }
    echoed = ("reasoning_content", "reasoning", "reasoning_details", "refusal")
    return said | {name: body[name] for name in echoed if body.get(name)}


def _asked(call: Mapping[str, JSON]) -> dict[str, JSON]:
    arguments = call["function"]["arguments"]
    with contextlib.suppress(orjson.JSONDecodeError):  # some are broken: they go back as they came
        arguments = orjson.loads(arguments or "{}")
    return {"id": call["id"], "name": call["function"]["name"], "arguments": arguments}
