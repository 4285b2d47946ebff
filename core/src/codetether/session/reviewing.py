"""What reviewers add to the results of tool calls, e.g. the mistakes that a language server sees in an edited file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from codetether.errors import PluginError
from codetether.models.messages import TextPart
from codetether.models.tools import Resources, ToolCall, ToolResult
from codetether.plugins.boundary import BROKEN, asked
from codetether.protocols import ResultReviewer
from codetether.values import frozen

HOOK = "codetether_result_reviewers"
LIMIT = 30.0
"""Seconds for one reviewer: the model waits for the result."""


@frozen(kw_only=True)
class Reviewing:
    """The reviewers of a session. One that fails adds nothing; `failed(plugin, hook, error)` is told."""

    reviewers: Sequence[tuple[str, ResultReviewer]]
    failed: Callable[[str, str, BaseException], None]

    async def reviewed(self, call: ToolCall, resources: Resources, result: ToolResult) -> ToolResult:
        """The result, with what the reviewers say behind it."""
        for name, reviewer in self.reviewers:
            try:
                said = await asked(reviewer.review, call, resources, result, limit=LIMIT)
                if said is not None and not isinstance(said, str):
                    raise PluginError(f"review() gave {type(said).__name__}, neither text nor None")
            except BROKEN as error:  # the call was done: its result stands without the review
                self.failed(name, HOOK, error)
                continue
            if said:
                result = attrs.evolve(result, content=(*result.content, TextPart(text=said)))
        return result
