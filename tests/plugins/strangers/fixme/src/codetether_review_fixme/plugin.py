"""Tells the model what it left to be done in the files that it wrote."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import Resources, ResultReviewerSpec, SessionContext, ToolCall, ToolResult, hookimpl


class Fixme:
    """Looks for FIXME in what a call wrote."""

    def __init__(self, ctx: SessionContext) -> None:
        self.directory = ctx.directory

    async def review(self, call: ToolCall, resources: Resources, result: ToolResult) -> str | None:
        """The lines that hold it."""
        left = [
            f"{path}:{number}: {line.strip()}"
            for path in resources.writes
            if (file := self.directory / path).is_file()
            for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1)
            if "FIXME" in line
        ]
        return "\n".join(["left to be done:", *left]) if left else None


@hookimpl
def codetether_result_reviewers() -> Iterable[ResultReviewerSpec]:
    """What a file still lacks."""
    yield ResultReviewerSpec(name="fixme", create=Fixme)
