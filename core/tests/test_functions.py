"""Stories about functions that become tools."""

from __future__ import annotations

import enum
import json
from typing import Any, Literal

import attrs
import pytest
from codetether import ToolCallComplete, ToolContext, ToolDefinition, ToolResult, UsageError, tool
from codetether.testing.scripted import Call
from codetether.testing.sessions import heard, opened


class Unit(enum.Enum):
    """How warm it is counted."""

    celsius = "C"
    fahrenheit = "F"


@attrs.frozen
class Place:
    """A place on earth."""

    name: str
    height: float = 0.0


@tool(effects=("read",))
def forecast(
    place: Place,
    days: Literal[1, 3, 7] = 1,
    unit: Unit = Unit.celsius,
    words: list[str] | None = None,
    more: dict[str, int] | None = None,
) -> str:
    """Tells the weather.

    It knows nothing of tomorrow.

    Args:
        place: where,
            as exactly as can be
        days: how many
    """
    return f"{place.name} {place.height} {days} {unit.name} {words} {more}"


def test_the_definition_is_the_functions_own_words() -> None:
    assert forecast.definition == ToolDefinition(
        name="forecast",
        description="Tells the weather.\n\nIt knows nothing of tomorrow.",
        effects=("read",),
        schema={
            "type": "object",
            "properties": {
                "place": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "height": {"type": "number"}},
                    "required": ["name"],
                    "additionalProperties": False,
                    "description": "where, as exactly as can be",
                },
                "days": {"enum": [1, 3, 7], "description": "how many"},
                "unit": {"enum": ["C", "F"]},
                "words": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
                "more": {"anyOf": [{"type": "object", "additionalProperties": {"type": "integer"}}, {"type": "null"}]},
            },
            "required": ["place"],
            "additionalProperties": False,
        },
    )


async def answer(function: Any, arguments: dict[str, Any]) -> tuple[bool, str]:
    async with opened([Call(function.definition.name, arguments)], "ok", tools=[function]) as (session, _):
        events = await heard(session)
    completed = next(e for e in events if isinstance(e, ToolCallComplete))
    return completed.success, completed.output


async def test_arguments_arrive_as_the_types_of_the_hints() -> None:
    arguments = {"place": {"name": "Ulm", "height": 478}, "days": 3, "unit": "F", "words": ["a"], "more": {"x": 1}}
    assert await answer(forecast, arguments) == (True, "Ulm 478.0 3 fahrenheit ['a'] {'x': 1}")


async def test_wrong_arguments_are_answered_with_their_path() -> None:
    success, text = await answer(forecast, {"place": {"name": "Ulm", "depth": 1}})
    assert not success
    assert text.startswith("Error: invalid arguments for forecast: at $.place: Additional properties are not allowed")


async def test_a_function_may_take_the_context_and_wait() -> None:
    @tool(name="where", effects=("read",))
    async def here(ctx: ToolContext) -> dict[str, str]:
        """Says where it works."""
        ctx.progress("looking…")
        return {"directory": str(ctx.directory), "call": ctx.call_id}

    assert here.definition.schema["properties"] == {}
    success, text = await answer(here, {})
    assert success
    assert json.loads(text)["call"] == "call-1"


async def test_nothing_is_an_empty_text_and_a_result_stays_one() -> None:
    @tool(effects=("read",))
    def nothing() -> None:
        """Does nothing."""

    @tool(effects=("read",))
    def own() -> ToolResult:
        """Fails in its own way."""
        return ToolResult(success=False)

    assert await answer(nothing, {}) == (True, "")
    assert await answer(own, {}) == (False, "")


def test_a_tool_is_still_the_function() -> None:
    assert forecast(Place("Ulm")) == "Ulm 0.0 1 celsius None None"


def test_a_type_without_a_schema_is_named() -> None:
    @tool
    def odd(x: complex) -> str:
        """Takes a complex number."""
        return str(x)

    with pytest.raises(UsageError, match=r"odd\.x: no JSON schema for the type <class 'complex'>"):
        _ = odd.definition


def test_a_tool_that_says_nothing_is_taken_to_do_everything() -> None:
    @tool
    def plain(x: int) -> int:
        """Adds one."""
        return x + 1

    assert plain.definition.effects == ("read", "write", "execute", "network")
