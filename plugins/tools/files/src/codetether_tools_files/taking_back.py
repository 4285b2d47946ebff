"""The tool undo: what the file tools changed last, taken back as a whole."""

from __future__ import annotations

from codetether import Resources, SessionContext, ToolCall, ToolContext, ToolResult, text_result

from codetether_tools_files.changes import Changes, told
from codetether_tools_files.definitions import UNDO
from codetether_tools_files.workspace import Refused, result_of


class TakeBack:
    """Takes changes back."""

    definition = UNDO

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Writes each file of the turn. Raises Refused where that cannot be, and in a subagent."""
        if ctx.session.id != ctx.root.id:
            raise Refused("a subagent takes nothing back: others work in the same turn; edit the files instead")
        undone = self._changes.undo(dry_run=True)
        if undone is None:
            return Resources(writes=(".",))
        above = f"{ctx.directory}/"
        writes = tuple(change.path.removeprefix(above) for change in self._changes.of(undone.turn))
        return Resources(writes=writes, preview=told(undone, dry_run=True))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """What was done, file by file."""
        return await result_of(self._take_back)

    def _take_back(self) -> ToolResult:
        undone = self._changes.undo()
        if undone is None:
            return text_result("nothing to undo: the tools changed no file in this session", files=0)
        return text_result(told(undone), files=len(undone.restored) + len(undone.removed))
