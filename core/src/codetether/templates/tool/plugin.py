"""The tool `change-me`: tomorrow's weather, from a table."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import FunctionTools, ToolExample, ToolsetSpec, UsageError, hookimpl, tool

NAME = "change-me"

FORECASTS = {"Lisbon": "sunny, 24 °C", "Oslo": "snow, -3 °C", "Quito": "rain, 15 °C"}


@tool(
    name=NAME,
    effects=("read",),
    examples=[ToolExample(prompt="Do I need an umbrella in Quito?", arguments={"city": "Quito"})],
)
def forecast(city: str) -> str:
    """Tells tomorrow's weather in a city.

    Args:
        city: the city's name, e.g. Lisbon
    """
    if city not in FORECASTS:
        raise UsageError(f"no forecast for {city}; there is one for {', '.join(FORECASTS)}")
    return FORECASTS[city]


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """One tool."""
    yield ToolsetSpec(name=NAME, create=lambda ctx: FunctionTools(forecast))
