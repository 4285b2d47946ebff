"""What the plugin lsp offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import ToolsetSpec, hookimpl


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """To come."""
    yield from ()
