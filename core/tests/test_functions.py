"""Stories about functions that become tools."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import json
import threading
from collections.abc import Iterator, MutableMapping
from datetime import date, time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict
from uuid import UUID

import attrs
import pytest
from codetether import (
    JSON,
    ApprovalRequired,
    Resources,
    ToolCall,
    ToolCallComplete,
    ToolContext,
    ToolDefinition,
    ToolExample,
    ToolResult,
    UsageError,
    tool,
)
from codetether.testing.scripted import Call
from codetether.testing.sessions import heard, opened, results


class Unit(enum.Enum):
    """How warm it is counted."""

    celsius = "C"
    fahrenheit = "F"


@attrs.frozen
class Place:
    """A place on earth.

    Attributes:
        name: as its people call it
        height: in metres
    """

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
        days (Literal[1, 3, 7] (one of them), optional): how many

    Keyword Arguments:
        unit: of its warmth
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
                    "properties": {
                        "name": {"type": "string", "description": "as its people call it"},
                        "height": {"type": "number", "description": "in metres", "default": 0.0},
                    },
                    "required": ["name"],
                    "additionalProperties": False,
                    "description": "where, as exactly as can be",
                },
                "days": {"type": "integer", "enum": [1, 3, 7], "description": "how many", "default": 1},
                "unit": {"type": "string", "enum": ["C", "F"], "default": "C", "description": "of its warmth"},
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


@attrs.frozen
class Circle:
    """Round."""

    radius: float = attrs.field(validator=attrs.validators.gt(0))


@dataclasses.dataclass
class Box:
    """Not round.

    :param int width: from left to right,
        in metres
    :ivar height: from below to above
    :returns: nothing
    """

    width: int
    height: int
    tags: list[str] = dataclasses.field(default_factory=list)


Colour = Literal["red", "green"]
Name = NewType("Name", str)


@tool(effects=("write",), touches=lambda file, **_: Resources(writes=(str(file),)))
def draw(
    file: Path,
    shapes: list[Circle | Box],
    size: tuple[int, int],
    colours: dict[Colour, int] | None = None,
    day: date = date(2024, 2, 29),
    by: Name | None = None,
    *,
    note: Annotated[str, "what stands below"] = "",
    more: Any = None,
) -> str:
    """Draws shapes.

    Example: `draw(...)`

    Parameters
    ----------
    file : Path
        where it is kept
    shapes, size : list, tuple
        what is drawn,
        and how large

    Returns
    -------
    what was drawn
    """
    return repr((file, shapes, size, colours, day, by, note, more))


def test_nested_types_have_schemas_and_descriptions_in_any_usual_style() -> None:
    definition = draw.definition
    assert definition.description == "Draws shapes.\n\nExample: `draw(...)`"
    circle = {"radius": {"type": "number"}}
    box = {
        "width": {"type": "integer", "description": "from left to right, in metres"},
        "height": {"type": "integer", "description": "from below to above"},
        "tags": {"type": "array", "items": {"type": "string"}},
    }
    closed = {"type": "object", "additionalProperties": False}
    shapes = [
        {**closed, "properties": circle, "required": ["radius"]},
        {**closed, "properties": box, "required": ["width", "height"]},
    ]
    drawn = {"description": "what is drawn, and how large"}
    integers = [{"type": "integer"}, {"type": "integer"}]
    colours = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert definition.schema["properties"] == {
        "file": {"type": "string", "description": "where it is kept"},
        "shapes": {"type": "array", "items": {"anyOf": shapes}, **drawn},
        "size": {"type": "array", "prefixItems": integers, "minItems": 2, "maxItems": 2, **drawn},
        "colours": {"anyOf": [{**colours, "propertyNames": {"enum": ["red", "green"]}}, {"type": "null"}]},
        "day": {"type": "string", "format": "date"},
        "by": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "note": {"type": "string", "description": "what stands below", "default": ""},
        "more": {},
    }


DRAWN = {"file": "a.svg", "shapes": [{"radius": 1}, {"width": 2, "height": 3}], "size": [4, 5]}


async def test_nested_arguments_arrive_as_their_classes() -> None:
    result = await draw.run(ToolCall(id="1", name="draw", arguments={**DRAWN, "day": "2024-03-01"}), anybody())
    shapes = [Circle(1.0), Box(2, 3)]
    assert result.output == repr((Path("a.svg"), shapes, (4, 5), None, date(2024, 3, 1), None, "", None))
    assert draw.resources(ToolCall(id="1", name="draw", arguments=DRAWN), anybody()) == Resources(writes=("a.svg",))


async def test_what_a_class_itself_refuses_is_said_with_its_path_and_an_example() -> None:
    success, text = await answer(draw, {**DRAWN, "shapes": [{"width": 1, "height": 1}, {"radius": -1}]})
    assert (success, text.partition(" Expected: ")[0]) == (
        False,
        "Error: invalid arguments for draw: at $.shapes[1]: 'radius' must be > 0: -1.0.",
    )
    assert text.endswith('Example: {"file":"…","shapes":[{"radius":1}],"size":[1,1]}')


async def test_an_error_shows_the_tools_own_example() -> None:
    @tool(effects=("read",), examples=[ToolExample(prompt="add one to 3", arguments={"x": 3})])
    def plus_one(x: int) -> int:
        """Adds one."""
        return x + 1

    success, text = await answer(plus_one, {"x": "three"})
    assert (success, text.startswith('Error: invalid arguments for plus_one: at $.x: "three" is not of type')) == (
        False,
        True,
    )
    assert text.endswith('Example: {"x":3}')


def anybody() -> Any:
    """A context that nobody looks at."""
    return None


@attrs.frozen
class Tree:
    """Holds itself.

    Attributes:
        branches: smaller ones
    """

    branches: list[Tree]
    fruit: Fruit | None = None


@dataclasses.dataclass
class Fruit:
    """Holds what holds it."""

    seed: Tree


async def test_classes_that_hold_themselves_are_described_once_and_arrive() -> None:
    @tool(effects=("read",))
    def plant(tree: Tree, beside: Tree | Place, eaten: Fruit | None = None) -> str:
        """Plants."""
        return repr((tree, beside, eaten))

    tree = {"$ref": "#/$defs/Tree"}
    closed = {"type": "object", "additionalProperties": False}
    branches = {"type": "array", "items": tree, "description": "smaller ones"}
    seed = {**closed, "properties": {"seed": tree}, "required": ["seed"]}
    place = plant.definition.schema["properties"]["beside"]["anyOf"][1]
    assert plant.definition.schema == {
        **closed,
        "properties": {
            "tree": tree,
            "beside": {"anyOf": [tree, place]},
            "eaten": {"anyOf": [seed, {"type": "null"}]},
        },
        "required": ["tree", "beside"],
        "$defs": {
            "Tree": {
                **closed,
                "properties": {"branches": branches, "fruit": {"anyOf": [seed, {"type": "null"}]}},
                "required": ["branches"],
            },
        },
    }
    leaf: JSON = {"branches": []}
    grown = {"branches": [leaf, {"branches": [], "fruit": {"seed": leaf}}]}
    assert await answer(plant, {"tree": grown, "beside": leaf, "eaten": {"seed": leaf}}) == (
        True,
        repr((Tree([Tree([]), Tree([], Fruit(Tree([])))]), Tree([]), Fruit(Tree([])))),
    )
    success, text = await answer(plant, {"tree": {"branches": [{"branches": 1}]}, "beside": leaf})
    assert (success, text.partition(" Expected: ")[0]) == (
        False,
        'Error: invalid arguments for plant: at $.tree.branches[0].branches: 1 is not of type "array".',
    )
    assert text.endswith('Example: {"tree":{"branches":[]},"beside":{"branches":[]}}')


class Request(TypedDict):
    """Text for annotations does not hide what may be missing."""

    id: UUID
    price: NotRequired[Decimal | None]


async def test_values_of_the_standard_library_arrive_and_null_is_one_of_them() -> None:
    @tool(effects=("read",))
    def order(of: Request, at: time, image: bytes, also: MutableMapping[str, object], few: int | None = 3) -> str:
        """Orders."""
        return repr((of, at, image, also, few))

    of = {"id": str(UUID(int=7)), "price": None}
    schema = order.definition.schema["properties"]["of"]
    assert (schema["required"], list(schema["properties"])) == (["id"], ["id", "price"])
    rest = {"at": "10:00", "image": "aGk=", "also": {"x": [1]}, "few": None}
    wanted = repr(({"id": UUID(int=7), "price": None}, time(10), b"hi", {"x": [1]}, None))
    assert await answer(order, {"of": of, **rest}) == (True, wanted)
    success, text = await answer(order, {"of": {"id": "seven"}, **rest})
    assert (success, text.partition(". Expected")[0]) == (
        False,
        "Error: invalid arguments for order: at $.of: badly formed hexadecimal UUID string",
    )


async def test_what_a_function_does_oddly_neither_hangs_nor_is_lost() -> None:
    @tool(effects=("read",))
    def first() -> int:
        """Looks into an empty list."""
        return next(iter(list[int]()))

    @tool(effects=("read",))
    def several() -> object:
        """Returns what JSON has no word for."""
        return {1}

    @tool(effects=("read",))
    def later() -> object:
        """Returns what is to be waited for."""
        return asyncio.sleep(0, "slept")

    assert (await answer(first, {}))[1].endswith("first raised StopIteration")
    assert await answer(several, {}) == (True, "{1}")
    assert await answer(later, {}) == (True, "slept")


def numbers(n: int) -> Iterator[int]:
    """Counts."""
    yield from range(n)


class Counter:
    """Counts for itself."""

    def up(self, by: int) -> int:
        """Counts up."""
        return by


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (tool(numbers), "numbers: a tool has one result, and yields none"),
        (tool(partial(numbers, 3)), "partial: not a function"),
        (tool(Counter.up), "up.self: a method of no object"),
    ],
)
def test_what_is_no_function_of_arguments_is_refused(made: Any, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        _ = made.definition
    assert caught.value.message == why
    assert tool(Counter().up).definition.schema["required"] == ["by"]


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (dict[int, str], "odd.x: the keys of an object are text, not <class 'int'>"),
        (list[complex], "odd.x[]: no JSON schema for the type <class 'complex'>"),
    ],
)
def test_a_type_without_a_schema_is_named_where_it_stands(hint: Any, why: str) -> None:
    def odd(x: int) -> None:
        """Takes something odd."""

    odd.__annotations__["x"] = hint
    with pytest.raises(UsageError) as caught:
        _ = tool(odd).definition
    assert caught.value.message == why


def test_a_parameter_without_a_name_of_its_own_is_refused() -> None:
    @tool
    def odd(*numbers: int) -> None:
        """Takes any."""

    with pytest.raises(UsageError, match=r"odd\.numbers: a model gives arguments by name"):
        _ = odd.definition


async def test_a_plain_function_keeps_nobody_waiting() -> None:
    @tool(effects=("read",))
    def wait() -> str:
        """Waits in its own thread."""
        return "other" if threading.current_thread() is not threading.main_thread() else "main"

    assert await answer(wait, {}) == (True, "other")


@tool(effects=("read",))
async def follow(place: str, ctx: ToolContext) -> str:
    """Goes where a place leads.

    Args:
        place: where to begin
    """
    decision = await ctx.permitted(Resources(hosts=("docs.example",), effects=("network",)))
    return f"{place} leads to docs.example: {decision.verdict}"


@pytest.mark.parametrize(
    ("allow", "verdict", "status"),
    [(("network(docs.example)",), "allow", "done"), (("network(*.example.org)",), "deny", "denied")],
)
async def test_what_a_call_comes_to_touch_besides_is_judged_as_a_call(
    allow: tuple[str, ...], verdict: str, status: str
) -> None:
    script = Call("follow", {"place": "here"}), "done"
    async with opened(*script, tools=[follow], allow=allow) as (session, _):
        events = await heard(session)
        assert results(session) == [("follow", True, f"here leads to docs.example: {verdict}")]
    asked = [event.name for event in events if isinstance(event, ApprovalRequired)]
    assert (events[-1].status, asked) == (status, ["follow"] if verdict == "deny" else [])  # type: ignore[union-attr]
