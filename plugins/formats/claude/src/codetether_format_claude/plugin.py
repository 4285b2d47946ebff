"""What the plugin claude offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codetether import SessionFormatSpec, hookimpl


def _create(ctx: Any) -> Any:
    from codetether_format_claude.projects import Projects

    return Projects()


@hookimpl
def codetether_session_formats() -> Iterable[SessionFormatSpec]:
    """The session files of Claude Code, read and written."""
    yield SessionFormatSpec(name="claude", create=_create)
