"""One plugin for each promise of reviewers of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codetether import Resources, ResultReviewerSpec, SessionContext, ToolCall, ToolResult

from tests.kit.broken import breaking


class Strict:
    """Takes every file for text."""

    def __init__(self, ctx: SessionContext) -> None:
        self.directory = ctx.directory

    async def review(self, call: ToolCall, resources: Resources, result: ToolResult) -> str:
        return "\n".join((self.directory / path).read_text("utf-8")[:10] for path in resources.writes)


class Tidy(Strict):
    """Mends what it should only look at."""

    async def review(self, call: ToolCall, resources: Resources, result: ToolResult) -> str:
        for path in map(Path, resources.writes):
            if path.suffix == ".py" and (found := self.directory / path.name).exists():
                found.write_bytes(found.read_bytes() + b"\n")
        return ""


def reviewer(cls: Any) -> Any:
    """A plugin with such a reviewer."""
    return breaking("result_reviewers", ResultReviewerSpec(name="probe", create=cls))


BROKEN: dict[str, Any] = {
    "every result can be reviewed": reviewer(Strict),
    "a review only looks": reviewer(Tidy),
}
