"""How recorded Responses requests are read, so that the wire can be tried on them."""

from __future__ import annotations

import contextlib
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
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

_SYSTEM = ("system", "developer")
_MODELLED = {
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "temperature",
    "top_p",
    "max_output_tokens",
    "include",
    "store",
    "stream",
}
_PART = {"type", "text", "image_url", "file_id", "file_url", "file_data", "filename", "refusal"}
_TOOL = {"type", "name", "description", "parameters", "function"}


class ResponsesDialect:
    """The Responses API, as clients write it."""

    wire = "openai-responses"

    def provider(self, recorded: str) -> str:
        """All are recorded under the name that we use."""
        return recorded

    def request(self, body: JSON, provider: str) -> CompletionRequest:
        """The conversation in a body."""
        return CompletionRequest(
            model=ModelRef(provider=provider, model=body.get("model") or ""),
            system=_system(body),
            messages=tuple(_messages(_items(body), provider)),
            tools=tuple(_tool(tool) for tool in _functions(body)),
            tool_choice=_choice(body),
            sampling=SamplingParams(
                temperature=body.get("temperature"),
                top_p=body.get("top_p"),
                max_output_tokens=body.get("max_output_tokens"),
            ),
        )

    def meaning(self, body: JSON) -> Mapping[str, JSON]:
        """What a body says, whichever of the allowed spellings it uses. Ids of items only speed the server up."""
        return {
            "model": body.get("model") or "",
            "system": _system(body),
            "input": [said for item in _items(body) if (said := _said(item))],
            "tools": [_offered(tool) for tool in _functions(body)],
            "tool_choice": _choice(body),
            "temperature": body.get("temperature"),
            "top_p": body.get("top_p"),
            "limit": body.get("max_output_tokens"),
        }

    def not_modelled(self, body: JSON) -> Iterable[str]:
        """Fields of the body, of its items, parts and tools that a CompletionRequest has no room for."""
        yield from (name for name in body if name not in _MODELLED)
        for item in _items(body):
            if item["type"] == "reasoning" and not item.get("encrypted_content"):
                yield "reasoning that the server stores"
            for part in _parts(item.get("content")) if item["type"] == "message" else ():
                yield from (f"content.{name}" for name in part if name not in _PART)
        for tool in body.get("tools") or ():
            if tool.get("type") == "function":
                yield from (f"tools.{name}" for name in tool if name not in _TOOL)
            else:
                yield f"tools of type {tool.get('type')}"

    def usage(self, raw: Mapping[str, JSON]) -> Mapping[str, int | None]:
        """The provider's own counts, as its SDK reads them: it knows of no writes to the cache."""
        into, out = raw.get("input_tokens_details") or {}, raw.get("output_tokens_details") or {}
        return {
            "input": raw.get("input_tokens"),
            "output": raw.get("output_tokens"),
            "cached": into.get("cached_tokens"),
            "cache_write": None,
            "reasoning": out.get("reasoning_tokens"),
        }


responses = ResponsesDialect()


def _every_item(body: Mapping[str, JSON]) -> list[dict[str, Any]]:
    given = body.get("input") or []
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    return [{**item, "type": item.get("type") or "message"} for item in given]


def _items(body: Mapping[str, JSON]) -> list[dict[str, Any]]:
    """The items but for what makes the system prompt."""
    return [item for item in _every_item(body) if item["type"] != "message" or item["role"] not in _SYSTEM]


def _system(body: Mapping[str, JSON]) -> str:
    said = [_text(i["content"]) for i in _every_item(body) if i["type"] == "message" and i["role"] in _SYSTEM]
    return "\n\n".join(text for text in (body.get("instructions") or "", *said) if text)


def _parts(content: JSON) -> list[dict[str, Any]]:
    if content is None or content == "":
        return []
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else content


def _text(content: JSON) -> str:
    return "".join(part.get("text") or part.get("refusal") or "" for part in _parts(content))


def _functions(body: Mapping[str, JSON]) -> list[dict[str, Any]]:
    """The function tools; some clients write them as for Chat Completions."""
    tools = [tool for tool in body.get("tools") or () if tool.get("type") == "function"]
    return [{**tool, **(tool.get("function") or {})} for tool in tools]


def _choice(body: Mapping[str, JSON]) -> str:
    choice = body.get("tool_choice") or "auto"
    if not _functions(body):
        return "auto"
    return str(choice["name"]) if isinstance(choice, dict) else str(choice)


def _tool(tool: Mapping[str, JSON]) -> ToolDefinition:
    return ToolDefinition(
        name=tool["name"], description=tool.get("description") or "", schema=tool.get("parameters") or {}
    )


def _offered(tool: Mapping[str, JSON]) -> dict[str, JSON]:
    return {
        "name": tool["name"],
        "description": tool.get("description") or "",
        "parameters": tool.get("parameters") or {"type": "object", "properties": {}},
    }


def _messages(items: Iterable[Mapping[str, JSON]], provider: str) -> Iterator[Message]:
    """Messages of the user and results as they stand; what the model made up to its next text is one message."""
    names: dict[str, str] = {}
    own: list[MessagePart] = []
    for item in items:
        said = item["type"] == "message"
        theirs = item["type"] == "function_call_output" or (said and item["role"] == "user")
        if own and (theirs or (said and any(isinstance(part, TextPart) for part in own))):
            yield Message(role="assistant", parts=tuple(own), provider=provider)
            own = []
        if not theirs:
            names |= {item["call_id"]: item["name"]} if item["type"] == "function_call" else {}
            own += _own(item, provider)
        elif said:
            yield Message(role="user", parts=tuple(_part(part, provider) for part in _parts(item["content"])))
        else:
            yield Message(role="tool", parts=(_result(item, names, provider),))
    if own:
        yield Message(role="assistant", parts=tuple(own), provider=provider)


def _own(item: Mapping[str, JSON], provider: str) -> Iterable[MessagePart]:
    match item["type"]:
        case "message":
            note = {name: item[name] for name in ("id", "phase") if item.get(name)}
            yield from (
                TextPart(text=part.get("text") or part.get("refusal") or "", provider_data={provider: note})
                for part in _parts(item["content"])
            )
        case "function_call":
            note = {name: item[name] for name in ("id", "namespace") if item.get(name)}
            yield ToolCallPart(
                id=item["call_id"], name=item["name"], arguments=item["arguments"], provider_data={provider: note}
            )
        case _:
            yield ThinkingPart(provider_data={provider: {"item": item}})


def _result(item: Mapping[str, JSON], names: Mapping[str, str], provider: str) -> ToolResultPart:
    content: Any = tuple(_part(part, provider) for part in _parts(item["output"]))
    return ToolResultPart(
        tool_call_id=item["call_id"], name=names.get(item["call_id"], ""), content=content, success=True
    )


def _part(part: Mapping[str, JSON], provider: str) -> MessagePart:
    stored = {provider: {"file_id": part["file_id"]}} if part.get("file_id") else {}
    match part["type"]:
        case "input_image":
            url = part.get("image_url")
            media_type, data = _data(url or "")
            return ImagePart(media_type=media_type, data=data, url=None if data else url, provider_data=stored)
        case "input_file":
            media_type, data = _data(part.get("file_data") or "")
            name = part.get("filename") or ""
            return FilePart(media_type=media_type, name=name, data=data, url=part.get("file_url"), provider_data=stored)
        case _:
            return TextPart(text=part.get("text") or "")


def _data(url: str) -> tuple[str, bytes | None]:
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:")):
        return "", None
    return head.removeprefix("data:").removesuffix(";base64"), b64decode(data)


def _said(item: Mapping[str, JSON]) -> dict[str, JSON] | None:
    """An item's meaning; None for reasoning that only the server that stored it could read."""
    match item["type"]:
        case "message":
            return {"role": item["role"], **_content(item["content"]), "phase": item.get("phase")}
        case "function_call":
            arguments = item["arguments"]
            with contextlib.suppress(orjson.JSONDecodeError):  # some are broken: they go back as they came
                arguments = orjson.loads(arguments or "{}")
            return {
                "call": item["call_id"],
                "name": item["name"],
                "arguments": arguments,
                "namespace": item.get("namespace"),
            }
        case "function_call_output":
            return {"result": item["call_id"], **_content(item["output"])}
        case "reasoning" if not item.get("encrypted_content"):
            return None
        case _:
            return {name: value for name, value in item.items() if name != "id" and value}


def _content(content: JSON) -> dict[str, JSON]:
    others = [p for p in _parts(content) if p["type"] in ("input_image", "input_file")]
    told = ("file_id", "image_url", "file_url", "file_data")
    return {"text": _text(content), "others": [{n: p[n] for n in told if p.get(n)} for p in others]}
