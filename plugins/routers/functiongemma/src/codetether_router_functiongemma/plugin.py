"""What the plugin functiongemma offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import RouterSpec, hookimpl


@hookimpl
def codetether_tool_call_routers() -> Iterable[RouterSpec]:
    """To come."""
    yield from ()
