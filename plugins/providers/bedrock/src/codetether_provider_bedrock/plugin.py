"""What the plugin bedrock offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import ProviderSpec, hookimpl


@hookimpl
def codetether_providers() -> Iterable[ProviderSpec]:
    """The vendors that it brings."""
    yield from ()
