"""How recorded requests of the Messages API are read, so that the wire can be tried on them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping
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
    ModelRef,
    SamplingParams,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    Unknown,
)

from codetether_provider_anthropic.blocks import fixed_schema, kept

_MODELLED = {
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "temperature",
    "top_p",
    "max_tokens",
    "stop_sequences",
    "stream",
}
_NOT_SAID = ("cache_control", "citations", "context")
"""What blocks hold beside their meaning: where the cache shall end is our own choice."""
_TOOL = {"name", "description", "input_schema", "type"}


class MessagesDialect:
    """The Messages API, as clients write it."""

    wire = "anthropic-messages"

    def provider(self, recorded: str) -> str:
        """They are recorded under the name that we use."""
        return recorded

    def request(self, body: JSON, provider: str) -> CompletionRequest:
        """The conversation in a body."""
        messages = [m for m in body["messages"] if m["role"] != "system"]
        names = {b["id"]: b["name"] for m in messages for b in _blocks(m["content"]) if b["type"] == "tool_use"}
        return CompletionRequest(
            model=ModelRef(provider=provider, model=body["model"]),
            system=_system(body),
            messages=tuple(_message(m, provider, names) for m in messages),
            tools=tuple(_tool(tool) for tool in _own_tools(body)),
            tool_choice=_choice(body),
            sampling=SamplingParams(
                temperature=body.get("temperature"),
                top_p=body.get("top_p"),
                max_output_tokens=body.get("max_tokens"),
                stop=tuple(body.get("stop_sequences") or ()),
            ),
        )

    def meaning(self, body: JSON) -> Mapping[str, JSON]:
        """What a body says, whichever of the allowed spellings it uses."""
        return {
            "model": body["model"],
            "system": _system(body),
            "messages": [_said(m) for m in body["messages"] if m["role"] != "system"],
            "tools": [_offered(tool) for tool in _own_tools(body)],
            "tool_choice": _choice(body),
            "temperature": body.get("temperature"),
            "top_p": body.get("top_p"),
            "limit": body.get("max_tokens"),
            "stop": body.get("stop_sequences") or [],
        }

    def not_modelled(self, body: JSON) -> Iterable[str]:
        """Fields of the body, of its blocks and tools that a CompletionRequest has no room for."""
        yield from (name for name in body if name not in _MODELLED)
        yield from ("messages of the role system" for m in body["messages"] if m["role"] == "system")
        blocks = [b for m in body["messages"] for b in _blocks(m["content"])]
        inner = [b for block in blocks if block["type"] == "tool_result" for b in _blocks(block.get("content"))]
        for block in (*blocks, *inner, *_blocks(body.get("system"))):
            yield from (f"content.{name}" for name in _NOT_SAID if block.get(name))
        for tool in body.get("tools") or ():
            if not _is_own(tool):
                yield f"tools of type {tool.get('type')}"
                continue
            yield from (f"tools.{name}" for name in tool if name not in _TOOL)
            if not isinstance(tool["input_schema"], dict):
                yield "tools.input_schema that is no object"
        if (body.get("tool_choice") or {}).get("disable_parallel_tool_use"):
            yield "tool_choice.disable_parallel_tool_use"

    def usage(self, raw: Mapping[str, JSON]) -> Mapping[str, int | None]:
        """The provider's own counts; reasoning is told among the details at most."""
        return {
            "input": raw.get("input_tokens"),
            "output": raw.get("output_tokens"),
            "cached": raw.get("cache_read_input_tokens"),
            "cache_write": raw.get("cache_creation_input_tokens"),
            "reasoning": None,
        }

    def signatures(self, message: Message) -> list[str]:
        """The hashes of the signatures that must go back with the thoughts of an answer."""
        notes = [n for p in message.parts if isinstance(p, ThinkingPart) for n in p.provider_data.values()]
        return [sha256(n["signature"].encode()).hexdigest() for n in notes if "signature" in n]


messages = MessagesDialect()


def _blocks(content: JSON) -> list[dict[str, Any]]:
    if not content:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _system(body: JSON) -> str:
    said = [body.get("system"), *(m["content"] for m in body["messages"] if m["role"] == "system")]
    return "\n\n".join(block["text"] for content in said for block in _blocks(content))


def _is_own(tool: Mapping[str, JSON]) -> bool:
    """Whether it is a tool that the client runs, and describes itself."""
    return "input_schema" in tool


def _own_tools(body: JSON) -> list[dict[str, Any]]:
    return [tool for tool in body.get("tools") or () if _is_own(tool)]


def _tool(tool: Mapping[str, JSON]) -> ToolDefinition:
    schema = tool["input_schema"] if isinstance(tool["input_schema"], dict) else {}
    return ToolDefinition(name=tool["name"], description=tool.get("description") or "", schema=schema)


def _offered(tool: Mapping[str, JSON]) -> dict[str, JSON]:
    schema = fixed_schema(tool["input_schema"])
    if schema.get("properties") == {}:
        del schema["properties"]
    return {"name": tool["name"], "description": tool.get("description") or "", "schema": schema}


def _choice(body: JSON) -> str:
    choice = body.get("tool_choice") or {}
    if not _own_tools(body):
        return "auto"
    match choice.get("type"):
        case "any":
            return "required"
        case "tool":
            return str(choice["name"])
        case "none":
            return "none"
        case _:
            return "auto"


def _message(body: Mapping[str, JSON], provider: str, names: Mapping[str, str]) -> Message:
    assistant = body["role"] == "assistant"
    parts = tuple(part for block in _blocks(body["content"]) for part in _parts(block, provider, names))
    return Message(role="assistant" if assistant else "user", parts=parts, provider=provider if assistant else None)


def _parts(block: Mapping[str, JSON], provider: str, names: Mapping[str, str]) -> Iterable[MessagePart]:
    match block["type"]:
        case "text":
            yield TextPart(text=block["text"])
        case "thinking":
            note = {provider: {"signature": block["signature"]}}
            yield ThinkingPart(text=block["thinking"], provider_data=note)
        case "redacted_thinking":
            yield ThinkingPart(provider_data={provider: {"redacted": block["data"]}})
        case "tool_use":
            arguments = orjson.dumps(block["input"]).decode()
            yield ToolCallPart(id=block["id"], name=block["name"], arguments=arguments)
        case "tool_result":
            id_ = block["tool_use_id"]
            inner = [part for b in _blocks(block.get("content")) for part in _parts(b, provider, names)]
            content = tuple(p for p in inner if isinstance(p, TextPart | ImagePart | FilePart | Unknown))
            yield ToolResultPart(
                tool_call_id=id_, name=names.get(id_, ""), content=content, success=not block.get("is_error")
            )
        case "image":
            yield _image(block["source"], provider)
        case "document" if block["source"]["type"] != "content":
            yield _file(block, provider)
        case _:
            yield Unknown(raw=kept(provider, block))


def _image(source: Mapping[str, JSON], provider: str) -> ImagePart:
    match source["type"]:
        case "url":
            return ImagePart(media_type="image/*", url=source["url"])
        case "file":
            return ImagePart(media_type="image/*", provider_data={provider: {"file_id": source["file_id"]}})
        case _:
            return ImagePart(media_type=source["media_type"], data=b64decode(source["data"]))


def _file(block: Mapping[str, JSON], provider: str) -> FilePart:
    source, name = block["source"], block.get("title") or ""
    match source["type"]:
        case "url":
            return FilePart(media_type="application/pdf", name=name, url=source["url"])
        case "file":
            return FilePart(media_type="", name=name, provider_data={provider: {"file_id": source["file_id"]}})
        case "text":
            return FilePart(media_type="text/plain", name=name, data=source["data"].encode())
        case _:
            return FilePart(media_type=source["media_type"], name=name, data=b64decode(source["data"]))


def _said(body: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"role": body["role"], "content": [_meant(block) for block in _blocks(body["content"])]}


def _meant(block: Mapping[str, JSON]) -> dict[str, JSON]:
    """A block without what has no meaning, or means what its absence does."""
    meant = {name: value for name, value in block.items() if name not in _NOT_SAID and value is not None}
    if meant["type"] == "tool_result":
        meant["content"] = [_meant(b) for b in _blocks(block.get("content"))]
        meant["is_error"] = bool(block.get("is_error"))
    if (meant.get("caller") or {}).get("type") == "direct":
        del meant["caller"]
    return meant
