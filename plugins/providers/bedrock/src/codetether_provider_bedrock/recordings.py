"""How recorded Converse requests are read, so that the wire can be tried on them."""

from __future__ import annotations

import re
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
    SamplingParams,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
)

from codetether_provider_bedrock.blocks import is_run_there, kept
from codetether_provider_bedrock.render import BEFORE
from codetether_provider_bedrock.tools import GONE

_MODELLED = {"messages", "system", "inferenceConfig", "toolConfig"}
_INFERENCE = {"maxTokens", "temperature", "topP", "stopSequences"}
_BLOCKS = {"text", "image", "document", "toolUse", "toolResult", "reasoningContent"}
_SPEC = {"name", "description", "inputSchema"}
_TYPES = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}


class ConverseDialect:
    """Converse, as clients write it. The model stands in the address, not in the body."""

    wire = "bedrock-converse"

    def provider(self, recorded: str) -> str:
        """Recorded under the name that we use."""
        return recorded

    def request(self, body: JSON, provider: str) -> CompletionRequest:
        """The conversation in a body."""
        names = {call["toolUseId"]: call["name"] for call in _all(body, "toolUse")}
        inference = body.get("inferenceConfig") or {}
        return CompletionRequest(
            model=ModelRef(provider=provider, model="recorded"),
            system=_system(body),
            messages=tuple(_message(m, provider, names) for m in body["messages"]),
            tools=tuple(_tool(spec) for spec in _specs(body)),
            tool_choice=_choice(body),
            sampling=SamplingParams(
                temperature=inference.get("temperature"),
                top_p=inference.get("topP"),
                max_output_tokens=inference.get("maxTokens"),
                stop=tuple(inference.get("stopSequences") or ()),
            ),
        )

    def meaning(self, body: JSON) -> Mapping[str, JSON]:
        """What a body says: what one side says in a row is one message, and white space says nothing."""
        inference = body.get("inferenceConfig") or {}
        turns: list[dict[str, Any]] = []
        for role, block in _spoken(body):
            if not turns or turns[-1]["role"] != role:
                turns.append({"role": role, "text": "", "others": []})
            if "text" in block:
                turns[-1]["text"] += block["text"]
            else:
                turns[-1]["others"].append(_said(block))
        return {
            "system": _system(body),
            "messages": turns,
            "tools": [_offered(spec) for spec in _specs(body)],
            "tool_choice": _choice(body),
            "inference": {name: v for name in _INFERENCE if (v := inference.get(name)) not in (None, [])},
        }

    def not_modelled(self, body: JSON) -> Iterable[str]:
        """Fields of the body, kinds of blocks and of tools that a CompletionRequest has no room for."""
        yield from (name for name in body if name not in _MODELLED)
        yield from (f"inferenceConfig.{name}" for name in body.get("inferenceConfig") or () if name not in _INFERENCE)
        for block in (block for message in body["messages"] for block in message["content"]):
            yield from (f"content.{name}" for name in block if name not in _BLOCKS)
            if is_run_there(block.get("toolUse") or {}):
                yield "toolUse.type"
        yield from (f"system.{name}" for block in body.get("system") or () for name in block if name != "text")
        for tool in (body.get("toolConfig") or {}).get("tools") or ():
            yield from (f"tools.{name}" for name in tool if name != "toolSpec")
            yield from (f"toolSpec.{name}" for name in tool.get("toolSpec") or () if name not in _SPEC)

    def usage(self, raw: Mapping[str, JSON]) -> Mapping[str, int | None]:
        """The provider's own counts."""
        return {
            "input": raw.get("inputTokens"),
            "output": raw.get("outputTokens"),
            "cached": raw.get("cacheReadInputTokens"),
            "cache_write": raw.get("cacheWriteInputTokens"),
            "reasoning": None,
        }


converse = ConverseDialect()


def _all(body: JSON, kind: str) -> Iterable[Mapping[str, JSON]]:
    return (block[kind] for message in body["messages"] for block in message["content"] if kind in block)


def _spoken(body: JSON) -> Iterable[tuple[str, Mapping[str, JSON]]]:
    """Blocks that say something, each with who says it."""
    for message in body["messages"]:
        for block in message["content"]:
            silent = block.get("text") == BEFORE or not str(block.get("text", "-")).strip()
            if not silent and "cachePoint" not in block:
                yield message["role"], block


def _system(body: JSON) -> str:
    return "\n\n".join(block["text"] for block in body.get("system") or () if "text" in block)


def _specs(body: JSON) -> list[Mapping[str, JSON]]:
    tools = (body.get("toolConfig") or {}).get("tools") or ()
    specs = [tool["toolSpec"] for tool in tools if "toolSpec" in tool]
    return [spec for spec in specs if spec.get("description") != GONE]


def _choice(body: JSON) -> str:
    match (body.get("toolConfig") or {}).get("toolChoice") if _specs(body) else None:
        case {"tool": {"name": str(name)}}:
            return name
        case {"any": _}:
            return "required"
        case _:
            return "auto"


def _tool(spec: Mapping[str, JSON]) -> ToolDefinition:
    return ToolDefinition(
        name=spec["name"], description=spec.get("description") or "", schema=spec["inputSchema"]["json"]
    )


def _offered(spec: Mapping[str, JSON]) -> dict[str, JSON]:
    schema = spec["inputSchema"]["json"] or {"type": "object", "properties": {}}
    return {"name": spec["name"], "description": spec.get("description") or "", "schema": schema}


def _message(body: Mapping[str, JSON], provider: str, names: Mapping[str, str]) -> Message:
    parts = tuple(part for block in body["content"] for part in _parts(block, provider, names))
    if body["role"] == "assistant":
        return Message(role="assistant", parts=parts, provider=provider, model="recorded")
    return Message(role="user", parts=parts)


def _parts(block: Mapping[str, JSON], provider: str, names: Mapping[str, str]) -> Iterable[MessagePart]:
    match block:
        case {"text": str(text)}:
            yield TextPart(text=text)
        case {"toolUse": dict(call)} if not is_run_there(call):
            yield ToolCallPart(id=call["toolUseId"], name=call["name"], arguments=orjson.dumps(call["input"]).decode())
        case {"toolResult": {"toolUseId": id_, "content": content, **more}} if "type" not in more:
            yield ToolResultPart(
                tool_call_id=id_,
                name=names.get(id_, ""),
                content=tuple(part for piece in content for part in _parts(piece, provider, names)),  # type: ignore[misc]
                success=more.get("status") != "error",
            )
        case {"reasoningContent": {"reasoningText": {"text": text, **more}}}:
            signature = more.get("signature")
            yield ThinkingPart(text=text, provider_data={provider: {"signature": signature}} if signature else {})
        case {"reasoningContent": {"redactedContent": data}}:
            yield ThinkingPart(provider_data={provider: {"redacted": data}})
        case {"image": {"format": format_, "source": source}}:
            yield ImagePart(media_type=f"image/{format_}", **_place(source))
        case {"document": {"format": format_, "source": source, **more}} if "bytes" in source or "s3Location" in source:
            yield FilePart(media_type=_TYPES[format_], name=str(more.get("name") or ""), **_place(source))
        case {"cachePoint": _}:
            pass
        case _:
            yield kept(block)


def _place(source: Mapping[str, JSON]) -> dict[str, Any]:
    return {"data": b64decode(source["bytes"])} if "bytes" in source else {"url": source["s3Location"]["uri"]}


def _said(block: Mapping[str, JSON]) -> JSON:
    """A block's meaning: that a result is a success need not be said, and a name is told by its letters and digits."""
    match block:
        case {"document": dict(document)}:
            return {"document": {**document, "name": re.sub(r"[^A-Za-z0-9]+", " ", document["name"])}}
        case {"toolResult": dict(result)}:
            return {"toolResult": {k: v for k, v in result.items() if (k, v) != ("status", "success")}}
        case _:
            return block
