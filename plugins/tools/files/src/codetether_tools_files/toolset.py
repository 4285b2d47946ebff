"""The file tools of one session, which share what the session has seen of its files.

The code of each is loaded by its first call.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from codetether import DeferredTool, SessionContext, Tool

from codetether_tools_files import definitions

if TYPE_CHECKING:
    from codetether_tools_files.changes import Changes
    from codetether_tools_files.workspace import Workspace


class FileTools:
    """The tools of this plugin, in the order in which they are offered."""

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx

    async def tools(self) -> Sequence[Tool]:
        """list, read, write, edit, multiedit, apply_patch, undo, glob, grep."""
        return (
            DeferredTool(definitions.LIST, self._list),
            DeferredTool(definitions.READ, self._read),
            DeferredTool(definitions.WRITE, self._write),
            DeferredTool(definitions.EDIT, self._edit),
            DeferredTool(definitions.MULTIEDIT, self._multiedit),
            DeferredTool(definitions.APPLY_PATCH, self._apply_patch),
            DeferredTool(definitions.UNDO, self._undo),
            DeferredTool(definitions.GLOB, self._glob),
            DeferredTool(definitions.GREP, self._grep),
        )

    @cached_property
    def _workspace(self) -> Workspace:
        from codetether_tools_files.workspace import Workspace

        return Workspace(self._ctx.directory)

    @cached_property
    def _changes(self) -> Changes:
        from codetether_tools_files.changes import Changes

        return Changes(self._ctx.state_dir, self._ctx.root.id, self._ctx.directory)

    def _list(self) -> Tool:
        from codetether_tools_files.listing import List

        return List(self._workspace)

    def _read(self) -> Tool:
        from codetether_tools_files.reading import Read

        return Read(self._workspace)

    def _write(self) -> Tool:
        from codetether_tools_files.writing import Write

        return Write(self._workspace, self._changes)

    def _edit(self) -> Tool:
        from codetether_tools_files.editing import Edit, edited

        return Edit(definitions.EDIT, edited, self._workspace, self._changes)

    def _multiedit(self) -> Tool:
        from codetether_tools_files.editing import Edit
        from codetether_tools_files.multiediting import all_edited

        return Edit(definitions.MULTIEDIT, all_edited, self._workspace, self._changes)

    def _apply_patch(self) -> Tool:
        from codetether_tools_files.patching import ApplyPatch

        return ApplyPatch(self._workspace, self._changes)

    def _undo(self) -> Tool:
        from codetether_tools_files.taking_back import TakeBack

        return TakeBack(self._changes)

    def _glob(self) -> Tool:
        from codetether_tools_files.searching import Glob

        return Glob(self._workspace)

    def _grep(self) -> Tool:
        from codetether_tools_files.searching import Grep

        return Grep(self._workspace)
