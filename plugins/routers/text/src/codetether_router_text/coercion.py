"""Values as the tool's schema wants them: the one place where a type is changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

INTEGER = re.compile(r"[+-]?\d{1,400}")
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "none": None}
DEPTH = 40


class Written(str):
    """Text of a format that has no types: what it is only the schema can say."""

    __slots__ = ()


class Typed(Written):
    """Such text of which the format says that it is no string."""

    __slots__ = ()


def fitted(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with each value as the schema wants it; one that cannot be made so stays as it is."""
    return _object(arguments, schema, schema, 0)


def _object(
    values: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], depth: int
) -> dict[str, Any]:
    known = schema.get("properties")
    known = known if isinstance(known, Mapping) else {}
    others = schema.get("additionalProperties")
    return {key: _value(value, known.get(key, others), root, depth) for key, value in values.items()}


def _value(value: Any, schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if depth > DEPTH:
        return _plain(value)
    schema = _resolved(schema, root)
    kinds = _kinds(schema, root, 0)
    if isinstance(value, str):
        return _text(value, kinds, schema, root, depth)
    if isinstance(value, dict):
        return _object(value, _one(schema, "object", root), root, depth + 1)
    if isinstance(value, list):
        items = _one(schema, "array", root).get("items")
        return [_value(item, items, root, depth + 1) for item in value]
    if kinds == {"integer"} and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _text(text: str, kinds: set[str], schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    """What a text means; without a wish for another type it stays a text."""
    stripped = text.strip()
    if not kinds:
        return _guessed(stripped) if isinstance(text, Typed) else str(text)
    if "null" in kinds and isinstance(text, Written) and stripped.lower() in ("null", "none"):
        return None
    if "string" in kinds:
        return str(text)
    if "boolean" in kinds and isinstance(WORDS.get(stripped.lower()), bool):
        return WORDS[stripped.lower()]
    if kinds & {"number", "integer"} and INTEGER.fullmatch(stripped):
        return int(stripped)
    if kinds & {"number", "integer"} and len(stripped) < 400 and NUMBER.fullmatch(stripped):
        number = float(stripped)
        if number.is_integer() and abs(number) < 2**53 and "integer" in kinds:
            return int(number)
        return number if "number" in kinds and abs(number) != float("inf") else str(text)
    if "null" in kinds and stripped.lower() in ("null", "none"):
        return None
    if kinds & {"array", "object"} and stripped[:1] in ("[", "{"):
        found = _parsed(stripped)
        if found is None and '\\"' in stripped:  # escaped once too often
            found = _parsed(stripped.replace('\\"', '"').replace("\\\\", "\\"))
        if isinstance(found, list if "array" in kinds else dict) or (isinstance(found, dict) and "object" in kinds):
            return _value(found, schema, root, depth + 1)
    return str(text)


def _guessed(text: str) -> Any:
    """A value that is said to be no string, of a type that nobody says."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    found = _parsed(text)
    return text if found is None else found


def _parsed(text: str) -> Any:
    """The value of a JSON text or a Python literal; None where it is neither."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        pass
    from codetether_router_text.literals import PYTHON_STYLE, Literal
    from codetether_router_text.source import NoCall, Source

    source = Source()
    source.text, source.ended = text, True
    try:
        next(literal := Literal(source, PYTHON_STYLE).value(0))
    except NoCall:
        return None
    except StopIteration as done:
        value, end = done.value
        return value if not text[end:].strip() else None
    literal.close()
    return None


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Written) else value


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind a reference within the same document."""
    for _ in range(8):
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        schema = root
        for step in reference[2:].split("/"):
            schema = schema.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(schema, Mapping) else None
    return schema if isinstance(schema, Mapping) else {}


def _kinds(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> set[str]:
    """The types that it allows; none where it says nothing."""
    said = schema.get("type")
    if isinstance(said, str):
        return {said.lower()}
    if isinstance(said, list):
        return {kind.lower() for kind in said if isinstance(kind, str)}
    found: set[str] = set()
    for word in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(word)
        if isinstance(branches, list) and depth < 8:
            for branch in branches:
                found |= _kinds(_resolved(branch, root), root, depth + 1)
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if not found and isinstance(values, list):
        found = {_kind(value) for value in values}
    if not found and "properties" in schema:
        return {"object"}
    return found | ({"array"} if not found and "items" in schema else set())


def _kind(value: Any) -> str:
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _one(schema: Mapping[str, Any], kind: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of several alternatives the one of that type."""
    for word in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(word)
        if isinstance(branches, list):
            for branch in branches:
                resolved = _resolved(branch, root)
                if kind in _kinds(resolved, root, 0):
                    return resolved
    return schema
