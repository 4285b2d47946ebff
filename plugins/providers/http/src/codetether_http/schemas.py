"""What OpenAI's strict mode takes of JSON schemas."""

from __future__ import annotations

from collections.abc import Mapping

from codetether import JSON


def is_strict(schema: JSON) -> bool:
    """Whether every object in the schema names all its properties as required, and admits no others."""
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or properties is not None:
        if schema.get("additionalProperties") is not False or not isinstance(properties, Mapping):
            return False
        if set(schema.get("required") or ()) != set(properties):
            return False
        if not all(map(is_strict, properties.values())):
            return False
    return all(is_strict(value) for name, value in schema.items() if name not in ("properties", "const", "enum"))
