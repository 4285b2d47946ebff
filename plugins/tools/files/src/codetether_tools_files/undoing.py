"""`/undo`: the last turn's changes taken back, and the model told of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codetether import JSON, SessionContext

if TYPE_CHECKING:
    from codetether_tools_files.changes import Undone

UNDONE = "undone"
"""Under this key the session remembers what was taken back, the last ones."""
REMEMBERED = 20


class Undo:
    """The command."""

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx

    async def run(self, arguments: str) -> str | None:
        """What was done, file by file. Raises Refused, with the files named, when nothing was."""
        from codetether_tools_files.changes import Changes, told

        ctx = self._ctx
        changes = Changes(ctx.state_dir, ctx.session.id, ctx.directory)
        undone = await asyncio.to_thread(changes.undo)
        if undone is None:
            return "nothing to undo: the tools changed no file in this session"
        await ctx.remember(UNDONE, remembered(ctx.recall(UNDONE), undone))
        return told(undone)


def remembered(before: JSON, undone: Undone) -> JSON:
    """What the session remembers from now on of what was taken back."""
    entry: JSON = {"turn": undone.turn, "files": [*undone.restored, *undone.removed]}
    return [*(before if isinstance(before, list) else []), entry][-REMEMBERED:]


class TakenBack:
    """A section of the system prompt, empty until something was taken back."""

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx

    async def render(self) -> str | None:
        """Which files are not as the conversation says that they were left."""
        undone = self._ctx.recall(UNDONE)
        if not isinstance(undone, list) or not undone:
            return None
        lines = [f"- turn {it['turn']}: {', '.join(it['files'])}" for it in undone if isinstance(it, dict)]
        return "The user took back changes of yours; read these files again before you change them:\n" + "\n".join(
            lines
        )
