"""Answers by a schema: enforced where the provider can, else asked for again, and never half right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from codetether import ModelDefaults, Runtime, UsageError, hookimpl
from codetether.models.session import SessionResult
from codetether.testing.scripted import Call, ScriptedProvider

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
ADA = '{"name": "Ada", "age": 36}'


async def asked(model: ScriptedProvider, schema: Any = PERSON, plugins: Iterable[Any] = ()) -> SessionResult:
    """What a prompt with a schema comes to."""
    async with Runtime.open(plugins=[model, *plugins]) as runtime, runtime.session() as session:
        return await session.prompt("who?", schema=schema)


@pytest.mark.parametrize("text", [ADA, f"```json\n{ADA}\n```", f"Here it is:\n```\n{ADA}\n```\nGood?", f"\n {ADA}\n"])
async def test_an_answer_that_fits_is_the_value(text: str) -> None:
    result = await asked(ScriptedProvider(text))
    assert (result.status, result.structured) == ("done", {"name": "Ada", "age": 36})
    assert result.text == '{\n  "name": "Ada",\n  "age": 36\n}'


async def test_what_does_not_fit_is_said_and_asked_for_again() -> None:
    model = ScriptedProvider("Ada, who is 36.", '{"name": "Ada", "age": -1}', ADA)
    result = await asked(model)
    assert (result.status, result.steps, result.structured) == ("done", 3, {"name": "Ada", "age": 36})
    first, second = (model.requests[n].messages[-1].text for n in (1, 2))
    assert first.startswith("Your answer does not fit the JSON schema: it is no JSON: ")
    assert "$.age: -1 is less than the minimum of 0" in second


async def test_the_third_miss_ends_it_with_the_path_that_failed() -> None:
    result = await asked(ScriptedProvider(*['{"name": "Ada", "age": "x"}'] * 4))
    assert (result.status, result.steps, result.structured) == ("error", 3, None)
    assert result.reason == 'the answer does not fit the schema: $.age: "x" is not of type "integer"'


async def test_tools_are_used_on_the_way() -> None:
    model = ScriptedProvider(["I look.", Call("list", {})], ADA)
    result = await asked(model)
    assert (result.status, result.structured, [c.name for c in result.tool_calls]) == (
        "done",
        {"name": "Ada", "age": 36},
        ["list"],
    )


class Enforcing:
    """Says that the model's provider enforces schemas."""

    __codetether_name__ = "enforcing"

    @hookimpl
    def codetether_model_defaults(self) -> Iterable[ModelDefaults]:
        yield ModelDefaults(match="scripted/*", capabilities={"structured_output": True})


async def test_a_provider_that_can_is_given_the_schema() -> None:
    model = ScriptedProvider(ADA)
    await asked(model, plugins=[Enforcing()])
    plain = ScriptedProvider(ADA)
    await asked(plain)
    assert (model.requests[0].schema, plain.requests[0].schema) == (PERSON, None)
    assert '"additionalProperties":false' in plain.requests[0].system


@pytest.mark.parametrize("schema", [{"type": "nothing"}, {"type": "object", "properties": 3}, {"$ref": "http://x/y"}])
async def test_what_is_no_schema_is_refused_before_anything_is_asked(schema: Any) -> None:
    model = ScriptedProvider(ADA)
    with pytest.raises(UsageError, match="no JSON schema"):
        await asked(model, schema)
    assert model.requests == []


async def test_a_session_goes_on_without_a_schema() -> None:
    model = ScriptedProvider("nonsense", "nonsense", "nonsense", "fine")
    async with Runtime.open(plugins=[model]) as runtime, runtime.session() as session:
        assert (await session.prompt("who?", schema=PERSON)).status == "error"
        assert (await session.prompt("and?")).text == "fine"
        assert model.requests[-1].schema is None
