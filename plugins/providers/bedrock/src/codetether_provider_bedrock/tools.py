"""Tools, their calls and what pairs a call with its result, as Converse takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson
from codetether import JSON, CompletionRequest, Message, ToolCallPart, ToolDefinition, ToolResultPart

_EMPTY_SCHEMA: Mapping[str, JSON] = {"type": "object", "properties": {}}
GONE = "Was called before, and is not offered any more."
"""Describes a tool that stands in a request only because the history holds calls of it."""
_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}\Z")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


def tool_config(request: CompletionRequest, system_tools: Sequence[str], *, cached: bool) -> dict[str, JSON]:
    """The `toolConfig`, empty where nothing is offered and nothing was called.

    A history that holds calls must be sent with tools: where none is offered, those that were called stand there.
    """
    offered = request.tools if request.tool_choice != "none" else ()
    tools: list[dict[str, JSON]] = [_spec(tool) for tool in offered]
    tools += [{"systemTool": {"name": name}} for name in system_tools]
    if not tools:
        tools = [_gone(name) for name in dict.fromkeys(_called(request.messages))]
    if not tools:
        return {}
    if cached:
        tools.append({"cachePoint": {"type": "default"}})
    choice = _choice(request.tool_choice) if offered else None
    return {"tools": tools, "toolChoice": choice} if choice else {"tools": tools}


def _spec(tool: ToolDefinition) -> dict[str, JSON]:
    spec: dict[str, JSON] = {"name": tool.name, "inputSchema": {"json": tool.schema or _EMPTY_SCHEMA}}
    if tool.description:
        spec["description"] = tool.description
    return {"toolSpec": spec}


def _gone(name: str) -> dict[str, JSON]:
    return {"toolSpec": {"name": name, "description": GONE, "inputSchema": {"json": _EMPTY_SCHEMA}}}


def _called(messages: Iterable[Message]) -> Iterable[str]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCallPart | ToolResultPart):
                yield call_name(part.name)


def _choice(choice: str) -> JSON:
    match choice:
        case "auto" | "none":
            return None
        case "required":
            return {"any": {}}
        case name:
            return {"tool": {"name": name}}


def call_block(part: ToolCallPart) -> dict[str, JSON]:
    """A `toolUse` block; arguments that are no JSON object go back within one, as the model wrote them."""
    return {
        "toolUse": {"toolUseId": call_id(part.id), "name": call_name(part.name), "input": _arguments(part.arguments)}
    }


def _arguments(text: str) -> Any:
    try:
        parsed = orjson.loads(text) if text.strip() else {}
    except orjson.JSONDecodeError:
        return {"arguments": text}
    if not isinstance(parsed, dict):
        return {"arguments": parsed}
    return orjson.Fragment(text) if parsed else {}


def call_id(id_: str) -> str:
    """An id as Converse takes it; one that another vendor made otherwise becomes another that is always the same."""
    return id_ if _ID.match(id_) else f"tooluse_{sha256(id_.encode('utf-8', 'replace')).hexdigest()[:24]}"


def call_name(name: str) -> str:
    """A name as Converse takes it, for calls of tools that do not exist."""
    return name if _NAME.match(name) else re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64] or "unnamed"
