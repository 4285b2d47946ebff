"""What the plugin opencode offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codetether import SessionFormatSpec, hookimpl


def _create(ctx: Any) -> Any:
    from codetether_format_opencode.layouts import Layouts

    return Layouts()


@hookimpl
def codetether_session_formats() -> Iterable[SessionFormatSpec]:
    """The sessions of OpenCode in all its layouts, and its export file, which is written too."""
    yield SessionFormatSpec(name="opencode", create=_create)
