"""The list of what is to be done: kept with the session, written by the model, shown to both."""

from __future__ import annotations

from codetether import (
    JSON,
    Resources,
    SessionContext,
    ToolCall,
    ToolContext,
    ToolResult,
    text_result,
)

from codetether_tools_work.definitions import TODO_READ, TODO_WRITE

KEY = "todos"
"""Under this the session remembers the list."""
MARKS = {"pending": "[ ]", "in_progress": "[>]", "completed": "[x]", "cancelled": "[-]"}


def shown(todos: JSON) -> str:
    """The list as people read it, with how much of it is done."""
    entries = [entry for entry in todos if isinstance(entry, dict)] if isinstance(todos, list) else []
    if not entries:
        return "nothing is to be done"
    lines = [f"{MARKS.get(str(e.get('status')), '[?]')} {' '.join(str(e.get('content')).split())}" for e in entries]
    done = sum(entry.get("status") == "completed" for entry in entries)
    return "\n".join([*lines, f"{done} of {len(entries)} done"])


class TodoWrite:
    """Keeps another list."""

    definition = TODO_WRITE

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Nothing but the session itself."""
        return Resources()

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The new list."""
        todos = call.arguments["todos"]
        await ctx.remember(KEY, todos)
        return text_result(shown(todos), todos=todos)


class TodoRead:
    """Looks at the list."""

    definition = TODO_READ

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Nothing but the session itself."""
        return Resources()

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The list."""
        todos = ctx.recall(KEY)
        return text_result(shown(todos), todos=todos)


class ShowTodo:
    """`/todo`."""

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx

    async def run(self, arguments: str) -> str | None:
        """The list."""
        return shown(self._ctx.recall(KEY))
