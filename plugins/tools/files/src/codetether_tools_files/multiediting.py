"""The tool multiedit: several replacements in one file, one after the other, all of them or none."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import frozen
from codetether import Resources, SessionContext, ToolCall, ToolContext, ToolResult, text_result

from codetether_tools_files.changes import Changes
from codetether_tools_files.definitions import MULTIEDIT
from codetether_tools_files.diffs import unified
from codetether_tools_files.editing import change
from codetether_tools_files.replacing import content_of
from codetether_tools_files.text import Encoding, is_binary
from codetether_tools_files.workspace import Refused, Workspace, counted, result_of, shown
from codetether_tools_files.writing import DIFF, PREVIEWED, encoded


@frozen(kw_only=True)
class _Made:
    before: str
    after: str
    said: tuple[str, ...]


class MultiEdit:
    """Changes several parts of a file."""

    definition = MULTIEDIT

    def __init__(self, workspace: Workspace, changes: Changes) -> None:
        self._workspace = workspace
        self._changes = changes

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Reads and writes the file; the preview is the change as a whole."""
        path = str(call.arguments["path"])
        paths = self._workspace.declare(call, path)
        return Resources(reads=paths, writes=paths, preview=self._preview(call, path))

    def _preview(self, call: ToolCall, path: str) -> str:
        with suppress(Refused, OSError, ValueError):
            real = self._workspace.looked_at(call, path)
            if Path(real).lstat().st_size <= PREVIEWED:
                data, _ = content_of(real, shown(path))
                made = _changed(Encoding.of(data).decode(data), call, shown(path))
                return unified(made.before, made.after, shown(path))
        return ""

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """What was replaced where."""
        return await result_of(self._edit, call, ctx.root.turn)

    def _edit(self, call: ToolCall, turn: int) -> ToolResult:
        path = str(call.arguments["path"])
        real, name = self._workspace.target(call, path), shown(path)
        data, status = content_of(real, name)
        if is_binary(data[:8192]):
            raise Refused(f"{name} is a binary file; multiedit changes text only")
        encoding = Encoding.of(data)
        made = _changed(encoding.decode(data), call, name)
        new = encoded(encoding, made.after, name)
        self._workspace.saw(real, self._changes.replace(turn, real, name, new, (data, status)))
        head = f"{name} edited, {counted(len(made.said), 'edit')}:"
        diff = unified(made.before, made.after, name)
        return text_result("\n".join([head, *made.said]), path=real, diff=diff[:DIFF])


def _changed(text: str, call: ToolCall, name: str) -> _Made:
    """All the changes. Refused, with the number of the edit, where one cannot be made."""
    edits: Any = call.arguments["edits"]
    after, said = text, []
    for number, edit in enumerate(edits, 1):
        try:
            made = change(after, edit, name)
        except Refused as refused:
            raise Refused(f"edit {number} of {len(edits)}: {refused.message}. No edit was made") from refused
        after = made.after
        said.append(f"  {number}. {counted(made.count, 'replacement')} at {made.where}{made.note}")
    return _Made(before=text, after=after, said=tuple(said))
