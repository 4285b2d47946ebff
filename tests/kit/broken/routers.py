"""One router for each promise of tool-call routers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from attrs import evolve
from codetether import CompletionResponse, RouterSpec, ToolCallPart, ToolDefinition

from tests.kit.broken import breaking

FENCE = re.compile(r"```tool\n(.*?)\n```", re.DOTALL)


class Fenced:
    """A router that keeps every promise."""

    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        if response.tool_calls:
            return response
        calls = tuple(filter(None, (self.call(text, offered) for text in FENCE.findall(response.message.text))))
        if not calls:
            return response
        return evolve(response, message=evolve(response.message, parts=calls))

    def call(self, text: str, offered: Sequence[ToolDefinition]) -> ToolCallPart | None:
        """The call in a fence."""
        try:
            wish = json.loads(text)
            known = self.knows(wish["name"], offered)
            return ToolCallPart(id="", name=wish["name"], arguments=self.written(wish["arguments"])) if known else None
        except (ValueError, KeyError, TypeError):
            return None

    def knows(self, name: str, offered: Sequence[ToolDefinition]) -> bool:
        return name in {tool.name for tool in offered}

    def written(self, arguments: Any) -> str:
        return json.dumps(arguments)


class Copying(Fenced):
    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        made = await super().reformat(response, offered)
        return evolve(made) if made is response and not response.tool_calls else made


class Meddling(Fenced):
    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        if response.tool_calls:
            return evolve(response, finish_reason="tool_calls")
        return await super().reformat(response, offered)


class Raising(Fenced):
    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        for text in FENCE.findall(response.message.text):
            json.loads(text)["name"].strip()
        return await super().reformat(response, offered)


class Generous(Fenced):
    def knows(self, name: str, offered: Sequence[ToolDefinition]) -> bool:
        return True


class Pythonic(Fenced):
    def written(self, arguments: Any) -> str:
        return repr(arguments)


class Swallowing(Fenced):
    """Holds back all that follows a `{`, and forgets it."""

    def scanner(self, offered: Sequence[ToolDefinition], native: bool) -> Any:
        return Scanner()


class Scanner:
    def feed(self, text: str) -> str:
        return text.partition("{")[0]

    def finish(self) -> str:
        return ""


def router(cls: type[Any]) -> Any:
    """A plugin with such a router."""
    return breaking("tool_call_routers", RouterSpec(name="probe", create=lambda ctx: cls()))


BROKEN: dict[str, Any] = {
    "plain text passes untouched": router(Copying),
    "structured calls are left alone": router(Meddling),
    "odd text raises nothing": router(Raising),
    "only offered tools are called": router(Generous),
    "calls have an object for arguments": router(Pythonic),
    "the screen loses no text": router(Swallowing),
}
