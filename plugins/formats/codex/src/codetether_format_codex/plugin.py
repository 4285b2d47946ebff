"""What the plugin codex offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codetether import SessionFormatSpec, hookimpl


def _create(ctx: Any) -> Any:
    from codetether_format_codex.rollouts import Rollouts

    return Rollouts()


@hookimpl
def codetether_session_formats() -> Iterable[SessionFormatSpec]:
    """The rollouts of Codex, read and written."""
    yield SessionFormatSpec(name="codex", create=_create)
