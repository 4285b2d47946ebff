"""What the plugin compaction offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import ContextPolicySpec, hookimpl


@hookimpl
def codetether_context_policies() -> Iterable[ContextPolicySpec]:
    """To come."""
    yield from ()
