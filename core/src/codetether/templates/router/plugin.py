"""The router `change-me`: a JSON block marked `tool` in the text of an answer is a tool call."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from attrs import evolve
from codetether import (
    CompletionResponse,
    Message,
    RouterSpec,
    TextPart,
    ToolCallPart,
    ToolCallScanner,
    ToolDefinition,
    hookimpl,
)

NAME = "change-me"

FENCE = re.compile(r"```tool\n(.*?)\n```", re.DOTALL)


class FencedCalls:
    """Reads the whole text; what is no call stays as it is."""

    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        """The response with its fenced calls as calls; the very same object where there are none."""
        text = response.message.text
        calls = [call for block in FENCE.findall(text) if (call := _call(block, {tool.name for tool in offered}))]
        if not calls:
            return response
        rest = FENCE.sub("", text).strip()
        parts = (*((TextPart(text=rest),) if rest else ()), *calls)
        return evolve(response, message=Message(role="assistant", parts=parts), finish_reason="tool_calls")

    def scanner(self, offered: Sequence[ToolDefinition], native: bool) -> ToolCallScanner | None:
        """None: the fences may be seen as they stream."""
        return None


def _call(block: str, names: set[str]) -> ToolCallPart | None:
    try:
        wish = json.loads(block)
        if wish["name"] not in names:
            return None
        return ToolCallPart(id="", name=wish["name"], arguments=json.dumps(wish["arguments"]))
    except (ValueError, KeyError, TypeError):
        return None


@hookimpl
def codetether_tool_call_routers() -> Iterable[RouterSpec]:
    """One router; `place` puts it before or after others."""
    yield RouterSpec(name=NAME, create=lambda ctx: FencedCalls())
