"""Stories about the tool, called by a model that plays a script."""

from __future__ import annotations

from codetether.testing.scripted import Call
from codetether.testing.sessions import opened, results

NAME = "change-me"

SETTINGS = {"plugins": {"only": [NAME]}}


async def test_the_model_asks_for_the_weather() -> None:
    async with opened([Call(NAME, {"city": "Oslo"})], "Take a coat.", settings=SETTINGS) as (session, model):
        result = await session.prompt("What shall I wear in Oslo tomorrow?")
    assert NAME in [offered.name for offered in model.requests[0].tools]
    assert results(session) == [(NAME, True, "snow, -3 °C")]
    assert (result.status, result.text) == ("done", "Take a coat.")


async def test_a_city_without_a_forecast_is_an_error_that_the_model_can_act_on() -> None:
    async with opened([Call(NAME, {"city": "Atlantis"})], "Sorry.", settings=SETTINGS) as (session, _):
        await session.prompt("And in Atlantis?")
    assert results(session) == [(NAME, False, "Error: no forecast for Atlantis; there is one for Lisbon, Oslo, Quito")]
