"""What the plugin sandbox offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import ExecutorSpec, hookimpl


@hookimpl
def codetether_executors() -> Iterable[ExecutorSpec]:
    """To come."""
    yield from ()
