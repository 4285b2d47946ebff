"""What a call may be made of: the grammar of an answer, and what becomes of the values in it."""

from __future__ import annotations

from typing import Any

import pytest
from codetether import Message, TextPart, ToolDefinition
from codetether_router_functiongemma.chat import ChatForm
from codetether_router_functiongemma.evidence import evidence
from codetether_router_functiongemma.excerpt import Excerpt, excerpt
from codetether_router_functiongemma.functiongemma import FunctionGemmaForm
from codetether_router_functiongemma.grammar import call_grammar
from codetether_router_functiongemma.schemas import fitted, problem

TEXT = {"type": "string"}
WEATHER = ToolDefinition(
    name="get_weather",
    description="The weather.",
    schema={
        "type": "object",
        "properties": {"city": TEXT, "days": {"type": "integer"}, "unit": {"enum": ["c", "f"]}, "station": TEXT},
        "required": ["city", "days"],
    },
)
SHOWN = Excerpt(text="I'll call get_weather for `Oslo`, 3 days.", apart=("get_weather", "I'll"))


def tool(schema: dict[str, Any]) -> ToolDefinition:
    return ToolDefinition(name="t", description="", schema=schema)


def test_the_grammar_holds_a_call_to_the_schema_and_to_what_is_shown() -> None:
    assert call_grammar(WEATHER, SHOWN, FunctionGemmaForm()) == (
        "%llguidance {}\n"
        'start: <start_function_call> "call:get_weather{" r2 "}" <end_function_call> | /[^<{}](.|\\n)*/\n'
        'r0: "3"\n'
        'r1: "," "days:" r0 ""\n'
        'r2: "city:" <escape> copy <escape> r1\n'
        "copy: COPY_0 | COPY_1\n"
        'COPY_0: %regex {"substring_chunks": [" ", "call", " "]}\n'
        'COPY_1: %regex {"substring_chunks": [" ", "for", " ", "`", "Oslo", "`", ",", " ", "3", " ", "days", "."]}\n'
    )


def test_a_model_that_has_no_such_marks_spells_them() -> None:
    grammar = call_grammar(WEATHER, SHOWN, FunctionGemmaForm(tokens=False)) or ""
    assert 'start: "<start_function_call>" "call:get_weather{"' in grammar
    assert '"city:" "<escape>" copy "<escape>"' in grammar


def test_json_is_written_with_its_escapes_and_optional_arguments_only_where_they_are_spoken_of() -> None:
    shown = Excerpt(text='Call get_weather: "Oslo\\", 3 days, unit f.', apart=("get_weather",))
    grammar = call_grammar(WEATHER, shown, ChatForm()) or ""
    assert grammar.splitlines()[1] == r'start: "{\"name\": \"get_weather\", \"arguments\": {" r5 "}}" | "no_call"'
    assert r'"\\\"", "Oslo\\\\", "\\\""' in grammar
    assert r'"\"unit\": "' in grammar
    assert "station" not in grammar


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"n": {"type": "integer"}}, "required": ["n"]},  # no number stands there
        {"properties": {"o": {"type": "object"}}, "required": ["o"]},  # nobody says what is in it
        {"properties": {"x": {"type": "null"}}, "required": ["x"]},
        {"properties": {"x": {"enum": []}}, "required": ["x"]},
        {"properties": {"x": {"type": "array", "items": {"type": "number"}}}, "required": ["x"]},
    ],
)
def test_a_call_that_cannot_be_made_is_not_asked_for(schema: dict[str, Any]) -> None:
    assert call_grammar(tool(schema), Excerpt(text="I'll call t.", apart=("t", "I'll")), ChatForm()) is None


@pytest.mark.parametrize(
    ("value", "schema", "made"),
    [
        (" `src/a.py`. ", TEXT, "src/a.py"),
        ("src/a.py.", TEXT, "src/a.py"),
        (", Oslo,", TEXT, "Oslo"),
        ('"two words"', TEXT, "two words"),
        ('echo "a b"', TEXT, 'echo "a b"'),
        (".env", TEXT, ".env"),
        ("git add .", TEXT, "git add ."),
        ("3", {"type": "integer"}, 3),
        (3.0, {"type": "integer"}, 3),
        ("3.5", {"type": "number"}, 3.5),
        ("true", {"type": "boolean"}, True),
        (42, TEXT, "42"),
        ("CELSIUS", {"enum": ["celsius"]}, "celsius"),
        ([" a. ", "`b`"], {"type": "array", "items": TEXT}, ["a", "b"]),
        ({"n": "1"}, {"properties": {"n": {"type": ["null", "integer"]}}}, {"n": 1}),
        ("many", {"type": "integer"}, "many"),
    ],
)
def test_values_are_made_to_fit(value: Any, schema: dict[str, Any], made: Any) -> None:
    found = fitted(value, schema, schema)
    assert (found, type(found)) == (made, type(made))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"city": "Oslo", "days": 3}, ""),
        ({"city": "Bergen", "days": 3}, "'Bergen' stands nowhere"),
        ({"city": "Os", "days": 3}, "'Os' stands nowhere"),
        ({"city": "", "days": 3}, "'' stands nowhere"),
        ({"city": "Oslo"}, '"days" is a required property'),
        ({"city": "Oslo", "days": "3"}, '"3" is not of type "integer"'),
        ({"city": "Oslo", "days": 3, "unit": "k"}, '"k" is not one of "c" or "f"'),
        ({"city": "Oslo", "days": 3, "station": "Oslo"}, "two arguments are copies of the same words"),
    ],
)
def test_a_call_must_fit_and_copy(arguments: dict[str, Any], why: str) -> None:
    assert problem(WEATHER, arguments, SHOWN) == why


def test_words_that_only_tell_what_is_meant_are_no_value() -> None:
    shown = Excerpt(text="I'll call get_weather for the capital, 3 days.")
    assert problem(WEATHER, {"city": "the capital", "days": 3}, shown) == "'the capital' only tells what is meant"
    quoted = Excerpt(text="I'll call get_weather for `the capital`, 3 days.")
    assert problem(WEATHER, {"city": "the capital", "days": 3}, quoted) == ""


def test_only_a_tool_that_changes_nothing_may_have_arguments_from_the_request() -> None:
    text = "I'll open it with open_it."
    asked = (Message(role="user", parts=(TextPart(text="Show me a.py<end_of_turn>."),)),)
    for effects, request in ((("read",), "Show me a.py."), (("read", "write"), "")):
        given = ToolDefinition(name="open_it", description="", schema={}, effects=effects)  # type: ignore[arg-type]
        (found,) = evidence(text, [given])
        assert excerpt(text, found, asked) == Excerpt(text=text, request=request, apart=("open_it", "I'll"))
