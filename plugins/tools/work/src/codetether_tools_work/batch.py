"""The tool batch: several calls in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from codetether import (
    JSON,
    FilePart,
    ImagePart,
    Resources,
    SessionContext,
    TextPart,
    ToolCall,
    ToolContext,
    ToolResult,
    Unknown,
    error_result,
)

from codetether_tools_work.definitions import BATCH

BARRED = frozenset({"batch", "task", "question", "plan_enter", "plan_exit"})
"""Tools that a batch does not call: they have several calls, a person or a whole session behind them."""


class Batch:
    """Makes calls."""

    definition = BATCH

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Nothing by itself: each of its calls is judged."""
        return Resources(effects=(), calls=tuple(each for each in _wanted(call) if each[0] not in BARRED))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The results, in the order of the calls; a success where all of them are."""
        wanted = _wanted(call)
        made = iter(await ctx.call([each for each in wanted if each[0] not in BARRED]))
        results = [_barred(name) if name in BARRED else next(made) for name, _ in wanted]
        content: list[TextPart | ImagePart | FilePart | Unknown] = []
        for number, ((name, _), result) in enumerate(zip(wanted, results, strict=True), 1):
            content.append(TextPart(text=f"[{number}] {name}: {'done' if result.success else 'failed'}"))
            content += result.content
        done = [result.success for result in results]
        return ToolResult(content=tuple(content), success=all(done), metadata={"done": sum(done), "calls": len(done)})


def _wanted(call: ToolCall) -> list[tuple[str, dict[str, JSON]]]:
    """The calls to make: names and arguments."""
    calls = cast(list[Mapping[str, dict[str, JSON]]], call.arguments["calls"])
    return [(str(each["tool"]), each.get("arguments", {})) for each in calls]


def _barred(name: str) -> ToolResult:
    return error_result(f"{name} cannot be called in a batch; call it by itself")
