"""What the plugin shell offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from codetether import SessionContext, ToolsetSpec, hookimpl

if TYPE_CHECKING:
    from codetether_tools_shell.toolset import ShellTools


def _create(ctx: SessionContext) -> ShellTools:
    from codetether_tools_shell.toolset import ShellTools

    secrets = [name for name, secret in ctx.core.secrets.items() if secret.commands]
    return ShellTools(ctx.directory, secrets)


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """The tools that run commands."""
    yield ToolsetSpec(name="shell", create=_create)
