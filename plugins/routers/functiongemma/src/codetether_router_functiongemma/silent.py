"""The router where it is off, which costs nothing."""

from __future__ import annotations

from collections.abc import Sequence

from codetether import CompletionResponse, ToolCallScanner, ToolDefinition


class Silent:
    """The router that is off."""

    async def reformat(self, response: CompletionResponse, offered: Sequence[ToolDefinition]) -> CompletionResponse:
        """The very same response."""
        return response

    def scanner(self, offered: Sequence[ToolDefinition], native: bool) -> ToolCallScanner | None:
        """None: what is announced may be seen."""
        return None
