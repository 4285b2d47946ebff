"""The tool task: work that a subagent does."""

from __future__ import annotations

from typing import Any

from codetether import (
    Resources,
    SessionContext,
    SessionResult,
    ToolCall,
    ToolContext,
    ToolDefinition,
    ToolResult,
    text_result,
)

LONGEST = 30_000
"""Characters of an answer that the model is given."""


class Task:
    """Has a subagent do it."""

    def __init__(self, definition: ToolDefinition) -> None:
        self.definition = definition

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Nothing by itself: each call of the subagent is judged, by no looser rules."""
        return Resources(effects=())

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The subagent's last answer; where it did not come to its end, why."""
        limits: dict[str, Any] = {name: call.arguments.get(name) for name in ("max_steps", "max_seconds", "max_tokens")}
        result = await ctx.delegate(str(call.arguments["prompt"]), agent=str(call.arguments["agent"]), **limits)
        return text_result(
            _answer(result),
            success=result.status == "done",
            session_id=result.session_id,
            status=result.status,
            steps=result.steps,
            tokens=result.usage.total_tokens,
        )


def _answer(result: SessionResult) -> str:
    text = result.text
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}\n[… {len(text) - LONGEST:,} more characters, in session {result.session_id} …]"
    if result.status == "done":
        return text
    why = f"Error: the subagent ended as {result.status}: {result.reason or result.error}"
    return f"{why}\n\nIt had said:\n{text}" if text else why
