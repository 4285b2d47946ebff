"""A tool's JSON schema in the subset that Gemini takes: what it does not know is refused with the whole request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from codetether import JSON

_PLAIN = (
    "type",
    "title",
    "description",
    "enum",
    "nullable",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "propertyOrdering",
)
_FORMATS = ("date-time", "date", "time", "enum", "int32", "int64", "float", "double")
_DEEPEST = 48
_MOST = 20_000
"""Nested schemas that one tool may come to once its references are written out."""
_TYPES: Sequence[tuple[type, str]] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
    (type(None), "null"),
)


def portable(schema: Mapping[str, JSON]) -> dict[str, JSON]:
    """The schema of an object without what Gemini refuses.

    References within the schema are written out; those that lead back to themselves end as their bare type. `const`
    becomes an `enum` of one, `oneOf` an `anyOf`, `allOf` is joined. Constraints beyond the subset are left out: the
    arguments of a call are checked against the tool's own schema all the same.
    """
    made = _Translation(schema).schema(schema, ())
    made.setdefault("type", "object")
    if made["type"] == "object":
        made.setdefault("properties", {})
    return made


class _Translation:
    """One schema's way into the subset."""

    def __init__(self, root: Mapping[str, JSON]) -> None:
        self._root = root
        self._made = 0

    def schema(self, schema: JSON, through: tuple[str, ...], depth: int = 0) -> dict[str, JSON]:
        """`through`: the references on the way here. `True` and `False` allow anything: neither can be said."""
        if not isinstance(schema, Mapping):
            return {}
        self._made += 1
        if depth > _DEEPEST or self._made > _MOST:
            return _bare(schema)
        if "$ref" in schema:
            return self._referred(schema, through, depth)
        if isinstance(schema.get("allOf"), list):
            schema = self._joined(schema, through, depth)
        made = {name: schema[name] for name in _PLAIN if schema.get(name) is not None}
        if "default" in schema:
            made["default"] = schema["default"]
        if "const" in schema:
            made["enum"] = [schema["const"]]
            made.setdefault("type", next(word for kind, word in _TYPES if isinstance(schema["const"], kind)))
        _bound(schema, made)
        if schema.get("format") in _FORMATS:
            made["format"] = schema["format"]
        if isinstance(pattern := schema.get("pattern"), str) and "(?" not in pattern:
            made["pattern"] = pattern
        if isinstance(values := made.get("enum"), list):
            made["enum"] = [value for value in values if value != ""]
            if not made["enum"]:
                del made["enum"]
        self._nested(schema, made, through, depth + 1)
        return made

    def _nested(self, schema: Mapping[str, JSON], made: dict[str, JSON], through: tuple[str, ...], depth: int) -> None:
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            made["properties"] = {name: self.schema(value, through, depth) for name, value in properties.items()}
        required = schema.get("required")
        if isinstance(required, list | tuple):
            made["required"] = [name for name in required if name in made.get("properties", ())]
        others = schema.get("additionalProperties")
        if isinstance(others, bool):
            made["additionalProperties"] = others
        elif isinstance(others, Mapping):
            made["additionalProperties"] = self.schema(others, through, depth)
        items = schema.get("items")
        if isinstance(items, Mapping):
            made["items"] = self.schema(items, through, depth)
        places = items if isinstance(items, list) else schema.get("prefixItems")
        if isinstance(places, list):
            made["prefixItems"] = [self.schema(place, through, depth) for place in places]
        choices = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(choices, list) and choices:
            made["anyOf"] = [self.schema(choice, through, depth) for choice in choices]

    def _referred(self, schema: Mapping[str, JSON], through: tuple[str, ...], depth: int) -> dict[str, JSON]:
        reference = str(schema["$ref"])
        target = self._target(reference)
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        if reference in through:
            return {**_bare(target), **_described(beside)}
        return self.schema({**target, **beside}, (*through, reference), depth + 1)

    def _target(self, reference: str) -> Mapping[str, JSON]:
        """What a reference within the schema means; anything, where it leads elsewhere."""
        if not reference.startswith("#"):
            return {}
        found: Any = self._root
        for step in reference[1:].strip("/").split("/"):
            if step:
                step = unquote(step).replace("~1", "/").replace("~0", "~")
                found = found.get(step) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    def _joined(self, schema: Mapping[str, JSON], through: tuple[str, ...], depth: int) -> dict[str, JSON]:
        """The schema with all of its `allOf` in it."""
        whole: dict[str, JSON] = {}
        own = {name: value for name, value in schema.items() if name != "allOf"}
        for layer in (*(self.schema(part, through, depth + 1) for part in schema["allOf"]), own):
            properties = {**(whole.get("properties") or {}), **(layer.get("properties") or {})}
            required = [*(whole.get("required") or ()), *(layer.get("required") or ())]
            whole |= layer
            if properties:
                whole["properties"] = properties
            if required:
                whole["required"] = list(dict.fromkeys(required))
        return whole


def _bare(schema: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: schema[name] for name in ("type", "description") if isinstance(schema.get(name), str)}


def _described(schema: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"description": schema["description"]} if isinstance(schema.get("description"), str) else {}


def _bound(schema: Mapping[str, JSON], made: dict[str, JSON]) -> None:
    """Exclusive bounds as inclusive ones: by one of whole numbers, else a little wider."""
    whole = schema.get("type") == "integer"
    for name, other, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
        bound = schema.get(name)
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            made.setdefault(other, bound + step if whole else bound)
