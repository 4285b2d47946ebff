"""The tool `convert`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from codetether import FunctionTools, ToolExample, ToolsetSpec, hookimpl, tool

Unit = Literal["m", "km", "ft", "mi"]
METRES: dict[Unit, float] = {"m": 1.0, "km": 1000.0, "ft": 0.3048, "mi": 1609.344}


@tool(
    effects=("read",),
    examples=[ToolExample(prompt="How far is 26.2 miles?", arguments={"length": 26.2, "unit": "mi", "into": "km"})],
)
def convert(length: float, unit: Unit, into: Unit) -> str:
    """Converts a length from one unit into another.

    Args:
        length: how many
        unit: what it is measured in
        into: what it should be measured in
    """
    return f"{length * METRES[unit] / METRES[into]:g} {into}"


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """One tool."""
    yield ToolsetSpec(name="units", create=lambda ctx: FunctionTools(convert))
