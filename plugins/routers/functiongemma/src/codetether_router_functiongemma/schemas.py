"""Argument schemas: which arguments a call can have at all, and whether those that it has fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen
from codetether import ToolDefinition

from codetether_router_functiongemma.excerpt import Excerpt

DEPTH = 6
_QUOTES = ("``", '""', "''", "\u201c\u201d", "**")
_SCALARS = (str, int, float, bool)


@frozen(kw_only=True)
class Parameter:
    """A property of an object: `schema` is resolved."""

    name: str
    schema: Mapping[str, Any]
    required: bool


def resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind a reference within its document; of alternatives the first that says a type but null."""
    for _ in range(8):
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            schema = root
            for step in reference[2:].split("/"):
                schema = schema.get(step) if isinstance(schema, Mapping) else None
            continue
        branches = schema.get("anyOf") or schema.get("oneOf")
        if "type" in schema or "enum" in schema or not isinstance(branches, list):
            return schema
        schema = next((each for each in branches if not _is_null(each)), None)
    return {}


def kind(schema: Mapping[str, Any]) -> str:
    """The type of its values; empty where it says none."""
    said = schema.get("type")
    if isinstance(said, list):
        said = next((each for each in said if each != "null"), None)
    if isinstance(said, str):
        return said.lower()
    return "object" if "properties" in schema else "array" if "items" in schema else ""


def choices(schema: Mapping[str, Any]) -> list[Any] | None:
    """The values that are allowed, where they are listed."""
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    return [each for each in listed if isinstance(each, _SCALARS)] if isinstance(listed, list) else None


def parameters(schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Parameter]:
    """The properties of an object, in the order of their names."""
    known, required = schema.get("properties"), schema.get("required")
    if not isinstance(known, Mapping):
        return []
    must = set(required) if isinstance(required, list) else set()
    return [Parameter(name=name, schema=resolved(known[name], root), required=name in must) for name in sorted(known)]


def is_wanted(parameter: Parameter, among: int, shown: Excerpt) -> bool:
    """Whether a call may have it. An optional one only where it, or a value of its list, is spoken of: a small model
    fills in whatever it can. `among`: how many there are."""
    if parameter.required or among == 1:
        return True
    words = parameter.name.replace("-", "_").lower()
    if any(shown.speaks_of(word) for word in (words, words.replace("_", " "))):
        return True
    return any(isinstance(each, str) and shown.speaks_of(each) for each in choices(parameter.schema) or ())


def problem(tool: ToolDefinition, arguments: Mapping[str, Any], shown: Excerpt) -> str:
    """Why the arguments are not those of a call that was announced; empty where they are."""
    copies = _texts(arguments, resolved(tool.schema, tool.schema), tool.schema, 0)
    for value in copies:
        if not shown.holds(value):
            return f"{value[:60]!r} stands nowhere"
        if shown.describes(value):
            return f"{value[:60]!r} only tells what is meant"
    if any(value == name and not shown.quotes(name) for name, value in arguments.items()):
        return "an argument is its own name"
    if shown.literals and copies and not any(_overlap(copy, each) for copy in copies for each in shown.literals):
        return f"{shown.literals[0][:60]!r} is no part of it"
    spans = [*copies, *(str(value) for value in arguments.values() if type(value) in (int, float))]
    if any(_overlap(one, other) for number, one in enumerate(spans) for other in spans[:number]):
        return "two arguments are copies of the same words"
    import jsonschema_rs

    try:
        checker = jsonschema_rs.validator_for(dict(tool.schema), retriever=_refused)
        error = next(iter(checker.iter_errors(dict(arguments))), None)
    except ValueError as broken:
        return f"the schema of {tool.name} cannot be used: {broken}"
    return "" if error is None else error.message


def fitted(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int = 0) -> Any:
    """The value as the schema wants it: numbers out of texts and back, choices as they are listed."""
    listed, wish = choices(schema), kind(schema)
    if listed is not None:
        same = (each for each in listed if isinstance(each, str) and str(value).strip().lower() == each.lower())
        return value if value in listed else next(same, value)
    match value:
        case dict() if depth < DEPTH:
            known = {each.name: each.schema for each in parameters(schema, root)}
            return {key: fitted(each, known.get(key, {}), root, depth + 1) for key, each in value.items()}
        case list() if depth < DEPTH:
            items = resolved(schema.get("items"), root)
            return [fitted(each, items, root, depth + 1) for each in value]
        case bool():
            return value
        case float() if wish == "integer" and value.is_integer():
            return int(value)
        case int() | float() if wish == "string":
            return json.dumps(value)
        case str() if wish in ("integer", "number", "boolean"):
            return _scalar(value, wish)
        case str():
            return trimmed(value)
    return value


def trimmed(text: str) -> str:
    """A copied text without the quotes and the stop that stood around it."""
    text = _unstopped(text.strip().lstrip(",;:!?)]}").lstrip())
    for pair in _QUOTES:
        if len(text) > 2 and text[0] + text[-1] == pair and pair[0] not in text[1:-1]:
            text = _unstopped(text[1:-1].strip())
    for sign in '`"':
        if text.count(sign) == 1:
            text = text.strip(sign)
    return text


def _unstopped(text: str) -> str:
    if len(text) > 1 and (text[-1] in ",;:" or (text[-1] in ".!" and (text[-2].isalnum() or text[-2] in "`\"'*"))):
        return text[:-1].rstrip()
    return text


def _scalar(text: str, wish: str) -> Any:
    try:
        value = json.loads(text.strip().lower())
    except ValueError:
        return text
    fits = (
        isinstance(value, bool) if wish == "boolean" else isinstance(value, int | float) and not isinstance(value, bool)
    )
    return fitted(value, {"type": wish}, {}) if fits else text


def _texts(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> list[str]:
    """The texts in a value that are copies: those that no list of choices holds."""
    if choices(schema) is not None or depth > DEPTH:
        return []
    match value:
        case str():
            return [value]
        case dict():
            known = {each.name: each.schema for each in parameters(schema, root)}
            return [text for key, each in value.items() for text in _texts(each, known.get(key, {}), root, depth + 1)]
        case list():
            items = resolved(schema.get("items"), root)
            return [text for each in value for text in _texts(each, items, root, depth + 1)]
    return []


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"


def _overlap(one: str, other: str) -> bool:
    """Whether one of the two holds the other, in whole words."""
    return Excerpt(text=one).holds(other) or Excerpt(text=other).holds(one)


def _refused(uri: str) -> Any:
    raise ValueError(f"{uri}: nothing is fetched")
