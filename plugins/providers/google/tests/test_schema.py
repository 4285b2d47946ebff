"""Schemas of tools in the subset that Gemini takes."""

from __future__ import annotations

from typing import Any

import pytest
from codetether_provider_google.schema import portable
from hypothesis import given
from hypothesis import strategies as st


def of(schema: dict[str, Any], **root: Any) -> Any:
    """What becomes of a property."""
    return portable({"type": "object", "properties": {"x": schema}, **root})["properties"]["x"]


def test_what_gemini_takes_stays_as_it_is() -> None:
    schema = {
        "type": "object",
        "title": "Search",
        "description": "where",
        "properties": {
            "path": {"type": "string", "description": "a path", "minLength": 1, "pattern": "^[a-z]+$"},
            "kind": {"type": "string", "enum": ["file", "folder"], "default": None},
            "depth": {"type": ["integer", "null"], "minimum": 0, "maximum": 9},
            "names": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
            "when": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
            "any": {},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        "required": ["path"],
        "additionalProperties": False,
    }
    assert portable(schema) == schema


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"const": 3, "type": "number"}, {"type": "number", "enum": [3]}),
        ({"const": None}, {"type": "null", "enum": [None]}),
        ({"const": True}, {"type": "boolean", "enum": [True]}),
        ({"oneOf": [{"const": 1}, {"type": "null"}]}, {"anyOf": [{"type": "integer", "enum": [1]}, {"type": "null"}]}),
        (
            {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9},
            {"type": "integer", "minimum": 1, "maximum": 8},
        ),
        ({"type": "number", "exclusiveMinimum": 0.5}, {"type": "number", "minimum": 0.5}),
        ({"type": "number", "minimum": 3, "exclusiveMinimum": True}, {"type": "number", "minimum": 3}),
        ({"type": "string", "format": "uri", "examples": ["a"], "$comment": "c"}, {"type": "string"}),
        ({"type": "string", "pattern": "(?<!a)b"}, {"type": "string"}),
        ({"type": "string", "enum": ["", "a"]}, {"type": "string", "enum": ["a"]}),
        ({"type": "string", "enum": [""]}, {"type": "string"}),
        (
            {"type": "array", "items": [{"type": "string"}], "uniqueItems": True},
            {"type": "array", "prefixItems": [{"type": "string"}]},
        ),
        ({"type": "array", "items": True}, {"type": "array"}),
        ({"type": "object", "required": ["gone"], "patternProperties": {"a": {}}}, {"type": "object", "required": []}),
        ({"not": {"type": "string"}, "if": {}, "then": {}, "$id": "x"}, {}),
        (
            {
                "allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"properties": {"b": {}}}],
                "type": "object",
            },
            {"type": "object", "properties": {"a": {"type": "integer", "enum": [1]}, "b": {}}, "required": ["a"]},
        ),
        ({"allOf": [{"$ref": "#/$defs/p"}], "description": "own"}, {"type": "string", "description": "own"}),
        ({"$ref": "#/$defs/p"}, {"type": "string", "description": "theirs"}),
        ({"$ref": "#/$defs/p", "description": "own"}, {"type": "string", "description": "own"}),
        ({"$ref": "#/$defs/a~1b%20c"}, {"type": "boolean"}),
        ({"$ref": "#/$defs/gone", "description": "own"}, {"description": "own"}),
        ({"$ref": "https://elsewhere/schema.json"}, {}),
        (
            {"$ref": "#/$defs/again"},
            {"type": "object", "properties": {"next": {"type": "object", "description": "again"}}},
        ),
        ({"$ref": "#/$defs/itself"}, {}),
    ],
)
def test_what_gemini_refuses_is_said_otherwise_or_left_out(schema: dict[str, Any], made: dict[str, Any]) -> None:
    again = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/again", "description": "again"}},
    }
    defs = {"p": {"type": "string", "description": "theirs"}, "a/b c": {"type": "boolean"}, "again": again}
    assert of(schema, **{"$defs": {**defs, "itself": {"$ref": "#/$defs/itself"}}}) == made


@pytest.mark.parametrize("schema", [{}, {"$schema": "x"}, {"type": "object"}, {"type": "object", "properties": {}}])
def test_a_tool_without_parameters_takes_an_object(schema: dict[str, Any]) -> None:
    assert portable(schema) == {"type": "object", "properties": {}}


def test_references_that_double_at_each_step_end() -> None:
    defs: dict[str, Any] = {f"l{n}": {"anyOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(40)}
    made = portable({"type": "object", "properties": {"x": {"$ref": "#/$defs/l0"}}, "$defs": defs})
    assert str(made).count("anyOf") < 30_000


def test_a_schema_of_10_000_levels_ends() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(10_000):
        schema = {"type": "array", "items": schema}
    assert str(portable({"type": "object", "properties": {"x": schema}})).count("items") < 100


SCHEMAS = st.recursive(
    st.sampled_from(
        [{"type": "string"}, {"const": 1}, {"type": ["string", "null"]}, {"$ref": "#/$defs/a"}, {"$ref": "#"}, True, {}]
    ),
    lambda inner: (
        st.fixed_dictionaries({"type": st.just("array"), "items": inner})
        | st.fixed_dictionaries({"type": st.just("object"), "properties": st.dictionaries(st.text(max_size=3), inner)})
        | st.builds(lambda choices: {"anyOf": choices}, st.lists(inner, max_size=3))
        | st.builds(lambda layers: {"allOf": layers}, st.lists(inner, max_size=3))
        | st.builds(lambda others: {"type": "object", "additionalProperties": others}, inner)
    ),
    max_leaves=12,
)
KEYS = {
    *("type", "title", "description", "enum", "default", "nullable", "format", "pattern", "anyOf"),
    *("minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"),
    *("properties", "required", "additionalProperties", "items", "prefixItems", "propertyOrdering"),
}


def keywords(schema: Any) -> set[str]:
    """All keywords in a schema."""
    if not isinstance(schema, dict):
        return set()
    nested = [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *schema.get("prefixItems", ())]
    nested += [schema.get("items"), schema.get("additionalProperties")]
    return set(schema).union(*map(keywords, nested))


@given(schema=SCHEMAS, definition=SCHEMAS)
def test_any_schema_comes_out_in_the_subset_and_stays_there(schema: Any, definition: Any) -> None:
    made = portable({"type": "object", "properties": {"x": schema}, "$defs": {"a": definition}})
    assert keywords(made) <= KEYS
    assert portable(made) == made
    from google.genai.types import JSONSchema

    JSONSchema.model_validate(made)
