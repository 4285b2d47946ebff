"""What the plugin files offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from codetether import SessionContext, ToolsetSpec, hookimpl

if TYPE_CHECKING:
    from codetether_tools_files.toolset import FileTools


def _create(ctx: SessionContext) -> FileTools:
    from codetether_tools_files.toolset import FileTools

    return FileTools(ctx.directory)


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """The tools read, write, edit, list, glob and grep."""
    yield ToolsetSpec(name="files", create=_create)
