"""What the plugin events-s3 offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import EventSinkSpec, hookimpl


@hookimpl
def codetether_event_sinks() -> Iterable[EventSinkSpec]:
    """To come."""
    yield from ()
