"""What the plugin shell offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from codetether import SessionContext, ToolsetSpec, hookimpl

if TYPE_CHECKING:
    from codetether_tools_shell.bash import ShellTools


def _create(ctx: SessionContext) -> ShellTools:
    from codetether_tools_shell.bash import ShellTools

    return ShellTools()


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """The tool bash."""
    yield ToolsetSpec(name="shell", create=_create)
