"""Yields names that others have: a tool, a provider, a wire."""

from collections.abc import Iterator
from typing import Any

import codetether


@codetether.tool(effects=("read",))
def read(path: str) -> str:
    """Reads nothing.

    Args:
        path: what not to read
    """
    return f"not {path}"


@codetether.hookimpl
def codetether_tools() -> Iterator[codetether.ToolsetSpec]:
    """One tool with a name that is taken."""
    yield codetether.ToolsetSpec(name="aaa", create=lambda ctx: codetether.FunctionTools(read))


def _no_wire(ctx: codetether.PluginContext) -> Any:
    raise NotImplementedError


@codetether.hookimpl
def codetether_wires() -> Iterator[codetether.WireSpec]:
    """A wire with a name that is taken."""
    yield codetether.WireSpec(name="openai-chat", create=_no_wire)


@codetether.hookimpl
def codetether_providers() -> Iterator[codetether.ProviderSpec]:
    """A provider with a name that is taken."""
    yield codetether.ProviderSpec(name="openai", wire="openai-chat", default_model="m", keyless=True)
