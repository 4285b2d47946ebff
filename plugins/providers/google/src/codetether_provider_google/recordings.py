"""How recorded generateContent requests are read, so that the wire can be tried on them."""

from __future__ import annotations

import contextlib
from base64 import b64decode, b64encode
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

from codetether_provider_google.calls import MADE, given
from codetether_provider_google.schema import portable

_CONFIG = {
    "temperature": "temperature",
    "top_p": "topP",
    "limit": "maxOutputTokens",
    "stop": "stopSequences",
    "seed": "seed",
}
_MODELLED = {"model", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}
_GIVEN = {"inlineData", "fileData", "text"}
_DATA = {"functionCall", "functionResponse", *_GIVEN}
_BESIDE = {"thought", "thoughtSignature"}
_OPAQUE = ("args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels")
"""Fields whose own fields are not the api's."""
_OUTPUTS = ("output", "result", "return_value", "error")


class GenerateDialect:
    """generateContent, as clients write it, in either of the spellings that the api takes."""

    wire = "google-generate-content"

    def provider(self, recorded: str) -> str:
        """They are recorded under the names that we use."""
        return recorded

    def request(self, body: JSON, provider: str) -> CompletionRequest:
        """The conversation in a body."""
        body = _plain(body)
        config = body.get("generationConfig") or {}
        return CompletionRequest(
            model=ModelRef(provider=provider, model=body.get("model") or "recorded"),
            system=_system(body),
            messages=tuple(_messages(body["contents"], provider)),
            tools=tuple(_tool(declaration) for declaration in _declarations(body)),
            tool_choice=_choice(body),
            sampling=SamplingParams(
                temperature=config.get("temperature"),
                top_p=config.get("topP"),
                max_output_tokens=config.get("maxOutputTokens"),
                stop=tuple(config.get("stopSequences") or ()),
                seed=config.get("seed"),
            ),
        )

    def meaning(self, body: JSON) -> Mapping[str, JSON]:
        """What a body says, whichever of the allowed spellings it uses."""
        body = _plain(body)
        config = body.get("generationConfig") or {}
        return {
            "system": _system(body),
            "contents": _turns(body["contents"]),
            "tools": [_offered(declaration) for declaration in _declarations(body)],
            "tool_choice": _choice(body),
            **{name: config.get(field) or None for name, field in _CONFIG.items() if name != "temperature"},
            "temperature": config.get("temperature"),
        }

    def not_modelled(self, body: JSON) -> Iterable[str]:
        """Fields of the body, of its parts and tools that a CompletionRequest has no room for."""
        body = _plain(body)
        yield from (name for name, value in body.items() if name not in _MODELLED and value)
        config = body.get("generationConfig") or {}
        yield from (f"generationConfig.{name}" for name in config if name not in _CONFIG.values())
        yield from (f"tools.{name}" for tool in body["tools"] for name in tool if name != _FUNCTIONS)
        calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
        if calling.get("mode") == "VALIDATED" or len(calling.get("allowedFunctionNames") or ()) > 1:
            yield "toolConfig.functionCallingConfig"
        for part in (part for content in body["contents"] for part in content["parts"]):
            yield from (f"parts.{name}" for name in part if name not in _DATA and name not in _BESIDE)

    def usage(self, raw: Mapping[str, JSON]) -> Mapping[str, int | None]:
        """The provider's own counts."""
        return {
            "input": raw.get("promptTokenCount"),
            "output": raw.get("candidatesTokenCount"),
            "cached": raw.get("cachedContentTokenCount"),
            "cache_write": None,
            "reasoning": raw.get("thoughtsTokenCount"),
        }


generate = GenerateDialect()
_FUNCTIONS = "functionDeclarations"


def _spelled(value: JSON) -> JSON:
    """The api's own spelling, of a body in the other."""
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = ((_camel(name), item) for name, item in value.items())
    return {name: item if name in _OPAQUE else _spelled(item) for name, item in named}


def _plain(body: Mapping[str, JSON]) -> dict[str, Any]:
    """A body in the api's own spelling, with lists where one thing may stand for a list of one."""
    made: dict[str, Any] = _spelled(body)
    made["contents"] = [_content(content) for content in _listed(made.get("contents"))]
    made["tools"] = _listed(made.get("tools"))
    return made


def _content(content: JSON) -> dict[str, Any]:
    if isinstance(content, str):
        return {"role": "user", "parts": [{"text": content}]}
    role = "model" if str(content.get("role")).lower() == "model" else "user"
    return {"role": role, "parts": _listed(content.get("parts"))}


def _listed(value: JSON) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _system(body: Mapping[str, JSON]) -> str:
    parts = _content(body.get("systemInstruction") or {})["parts"]
    return "\n\n".join(part["text"] for part in parts if part.get("text"))


def _declarations(body: Mapping[str, JSON]) -> list[Mapping[str, Any]]:
    return [declaration for tool in body["tools"] for declaration in _listed(tool.get(_FUNCTIONS))]


def _choice(body: Mapping[str, JSON]) -> str:
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    names: list[str] = calling.get("allowedFunctionNames") or []
    if not _declarations(body):
        return "auto"
    match str(calling.get("mode") or "").upper():
        case "NONE":
            return "none"
        case "ANY":
            return names[0] if len(names) == 1 else "required"
        case _:
            return "auto"


def _schema(declaration: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The parameters as JSON schema, whether they are one or in the manner of OpenAPI."""
    schema = declaration.get("parametersJsonSchema") or _lowered(declaration.get("parameters"))
    return schema if isinstance(schema, Mapping) else {}


def _lowered(schema: JSON) -> JSON:
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {_camel(name): value for name, value in schema.items()}
    if isinstance(made.get("type"), str):
        made["type"] = made["type"].lower()
    if made.pop("nullable", False) and "type" in made:
        made["type"] = [made["type"], "null"]
    if "properties" in made:
        made["properties"] = {name: _lowered(value) for name, value in made["properties"].items()}
    if "anyOf" in made:
        made["anyOf"] = [_lowered(choice) for choice in made["anyOf"]]
    return made | {name: _lowered(made[name]) for name in ("items", "additionalProperties") if name in made}


def _tool(declaration: Mapping[str, JSON]) -> ToolDefinition:
    description = declaration.get("description") or ""
    return ToolDefinition(name=declaration["name"], description=description, schema=_schema(declaration))


def _offered(declaration: Mapping[str, JSON]) -> dict[str, JSON]:
    return {
        "name": declaration["name"],
        "description": declaration.get("description") or "",
        "parameters": portable(_schema(declaration)),
    }


def _messages(contents: Iterable[Mapping[str, Any]], provider: str) -> Iterable[Message]:
    """Calls without ids get some, and so do their results, by their order."""
    waiting: list[tuple[str, str]] = []
    number = 0
    for content in contents:
        parts = content["parts"]
        if content["role"] == "model":
            said = []
            for part in parts:
                id_ = (part.get("functionCall") or {}).get("id") or f"{MADE}{number}"
                number += 1
                if "functionCall" in part:
                    waiting.append((part["functionCall"].get("name") or "", id_))
                said.append(_said(part, provider, id_))
            yield Message(role="assistant", parts=tuple(said), provider=provider)
            continue
        results = [_result(part["functionResponse"], waiting) for part in parts if "functionResponse" in part]
        if results:
            yield Message(role="tool", parts=tuple(results))
        others = [_part(part, {}) for part in parts if _GIVEN & part.keys()]
        if others:
            yield Message(role="user", parts=tuple(others))


def _said(part: Mapping[str, Any], provider: str, id_: str) -> MessagePart:
    own = {name: part[name] for name in _BESIDE if part.get(name)}
    thought = "text" in part and own.pop("thought", False)
    data = {provider: own} if own else {}
    match part:
        case {"functionCall": call}:
            arguments = orjson.dumps(call.get("args") or {}).decode()
            return ToolCallPart(id=id_, name=call.get("name") or "", arguments=arguments, provider_data=data)
        case {"text": text} if thought:
            return ThinkingPart(text=text, provider_data=data)
        case _ if _DATA & part.keys():
            return _part(part, data)
        case _:
            return ThinkingPart(provider_data={provider: {"part": dict(part)}})


def _part(part: Mapping[str, Any], data: Mapping[str, JSON]) -> MessagePart:
    if "text" in part:
        return TextPart(text=part["text"], provider_data=data)
    source = part.get("inlineData") or part["fileData"]
    media_type = source.get("mimeType") or ""
    kind = ImagePart if media_type.startswith("image/") else FilePart
    if "fileData" in part:
        return kind(media_type=media_type, url=source["fileUri"], provider_data=data)
    written = source.get("data") or ""
    with contextlib.suppress(ValueError):  # what is no base64 goes as it came
        if b64encode(b64decode(written)).decode() == written:
            return kind(media_type=media_type, data=b64decode(written), provider_data=data)
    return kind(media_type=media_type, url=f"data:{media_type};base64,{written}", provider_data=data)


def _result(response: Mapping[str, Any], waiting: list[tuple[str, str]]) -> ToolResultPart:
    name = response.get("name") or ""
    call = next((entry for entry in waiting if entry[0] == name), (name, f"{MADE}none"))
    if call in waiting:
        waiting.remove(call)
    text, success = _output(response)
    media = tuple(_part(part, {}) for part in response.get("parts") or ())
    return ToolResultPart(
        tool_call_id=response.get("id") or call[1],
        name=name,
        content=(TextPart(text=text), *media),  # type: ignore[arg-type]
        success=success,
    )


def _output(response: Mapping[str, Any]) -> tuple[str, bool]:
    """What a tool gave, in words, and whether it did what it should: clients put it under names of their own."""
    given_ = response.get("response")
    if not given_:
        return "", True
    name = next(iter(given_)) if isinstance(given_, dict) and len(given_) == 1 else ""
    value = given_[name] if name in _OUTPUTS else given_
    return value if isinstance(value, str) else orjson.dumps(value).decode(), name != "error"


def _turns(contents: Iterable[Mapping[str, Any]]) -> list[dict[str, JSON]]:
    """The contents with those of one role together: results first, in their order, then what they show."""
    turns: list[dict[str, Any]] = []
    for content in contents:
        parts = [part for part in content["parts"] if part.get("text") != "" or part.get("thoughtSignature")]
        if content["role"] == "user":
            parts = [part for part in parts if _DATA & part.keys()]
        if not parts:
            continue
        if not turns or turns[-1]["role"] != content["role"]:
            turns.append({"role": content["role"], "parts": []})
        turns[-1]["parts"] += parts
    for turn in turns:
        parts = turn["parts"]
        if turn["role"] == "user":
            results = [part for part in parts if "functionResponse" in part]
            shown = [part for result in results for part in result["functionResponse"].get("parts") or ()]
            parts = [*results, *shown, *(part for part in parts if "functionResponse" not in part)]
        turn["parts"] = [_meant(part) for part in parts]
    return turns


def _meant(part: Mapping[str, Any]) -> dict[str, JSON]:
    """A part's meaning: ids where they were given, arguments parsed, what the api takes for granted left out."""
    if not _DATA & part.keys():
        return dict(part)
    made = {name: value for name, value in part.items() if name in _DATA or (name in _BESIDE and value)}
    for name in ("inlineData", "fileData"):
        if name in part:
            made[name] = {field: part[name].get(field) or "" for field in ("mimeType", "data", "fileUri")}
    if "functionCall" in part:
        call = part["functionCall"]
        id_ = given(call.get("id") or "")
        made["functionCall"] = {"name": call.get("name") or "unknown", "id": id_, "args": call.get("args") or {}}
    if "functionResponse" in part:
        response = part["functionResponse"]
        id_ = given(response.get("id") or "")
        answer = {"name": response.get("name") or "unknown", "id": id_, "output": list(_output(response))}
        made["functionResponse"] = answer
    return made
