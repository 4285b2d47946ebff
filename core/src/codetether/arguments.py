"""Reads the arguments of a call, or says what is wrong with them so that the model can act on it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson

from codetether.models.record import JSON
from codetether.models.tools import ToolDefinition
from codetether.plugins.contracts import validator

SHOWN = 2000
"""Characters of a schema that an error shows."""
PROBLEMS = 5
_DEPTH = 5


class Misfit(Exception):
    """Arguments that are none, in words for the model."""


class Arguments:
    """Reads arguments by the schemas of the tools, each compiled once."""

    def __init__(self) -> None:
        self._validators: dict[str, tuple[ToolDefinition, Any]] = {}

    def read(self, text: str, definition: ToolDefinition) -> dict[str, JSON]:
        """The arguments that stand in the text. Raises Misfit with each wrong path, the schema and an example."""
        name = definition.name
        try:
            arguments = orjson.loads(text) if text.strip() else {}
        except orjson.JSONDecodeError as error:
            raise Misfit(f"the arguments of {name} are not valid JSON: {error}. {expected(definition)}") from error
        if not isinstance(arguments, dict):
            raise Misfit(f"the arguments of {name} are no JSON object. {expected(definition)}")
        if problems := self._problems(arguments, definition):
            raise Misfit(f"invalid arguments for {name}: {problems}. {expected(definition)}")
        return arguments

    def _problems(self, arguments: Mapping[str, Any], definition: ToolDefinition) -> str:
        """What breaks the schema, each with its path; empty where nothing does."""
        found = []
        for error in self._validator(definition).iter_errors(arguments):
            path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.instance_path)
            found.append(f"at ${path}: {error.message}")
            if len(found) == PROBLEMS:
                break
        return "; ".join(found)

    def _validator(self, definition: ToolDefinition) -> Any:
        known, made = self._validators.get(definition.name, (None, None))
        if known is not definition:
            made = validator(definition.schema)
            self._validators[definition.name] = definition, made
        return made


def expected(definition: ToolDefinition) -> str:
    """The schema of the arguments, with an example: the tool's own, or one made of the schema."""
    shape = orjson.dumps(definition.schema).decode()
    own = next((example.arguments for example in definition.examples), None)
    example = orjson.dumps(example_of(definition.schema) if own is None else dict(own)).decode()
    return f"Expected: {shape if len(shape) <= SHOWN else shape[:SHOWN] + '…'} Example: {example}"


def example_of(schema: Any, depth: int = 0, known: Mapping[str, Any] = MappingProxyType({})) -> JSON:
    """A small value of the kind that the schema speaks of, with what it requires; nothing is looked up elsewhere."""
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return None
    known = schema.get("$defs", known)
    if isinstance(reference := schema.get("$ref"), str):
        name = reference.removeprefix("#/$defs/")
        return example_of(known.get(name), depth + 1, {each: known[each] for each in known if each != name})
    if "default" in schema:
        return schema["default"]
    for key in ("examples", "enum", "anyOf", "oneOf", "allOf"):
        if isinstance(among := schema.get(key), list) and among:
            return among[0] if key in ("examples", "enum") else example_of(among[0], depth + 1, known)
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "object":
            properties = schema.get("properties", {})
            return {name: example_of(properties.get(name), depth + 1, known) for name in schema.get("required", ())}
        case "array":
            if isinstance(each := schema.get("prefixItems"), list):
                return [example_of(item, depth + 1, known) for item in each]
            item = example_of(schema.get("items"), depth + 1, known)
            return [] if item is None else [item]
        case "string":
            return "…"
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    return schema.get("const")
