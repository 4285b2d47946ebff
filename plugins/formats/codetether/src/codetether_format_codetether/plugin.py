"""What the plugin codetether-json offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import SessionFormatSpec, hookimpl


@hookimpl
def codetether_session_formats() -> Iterable[SessionFormatSpec]:
    """To come."""
    yield from ()
