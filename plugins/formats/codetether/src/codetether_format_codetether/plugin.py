"""What the plugin codetether-json offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codetether import SessionFormatSpec, hookimpl


def _create(ctx: Any) -> Any:
    from codetether_format_codetether.reader import SessionFiles

    return SessionFiles()


@hookimpl
def codetether_session_formats() -> Iterable[SessionFormatSpec]:
    """The session files of the codetether before this one, read."""
    yield SessionFormatSpec(name="codetether", create=_create)
