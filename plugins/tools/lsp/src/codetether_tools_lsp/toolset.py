"""The tools of one session, offered where a language server is installed; their code is loaded by their first call."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from codetether import DeferredTool, Tool

from codetether_tools_lsp.servers import Servers


class LspTools:
    """lsp and lsp_rename; the servers end when this is left."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    async def __aenter__(self) -> LspTools:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._servers.close()

    async def tools(self) -> Sequence[Tool]:
        """None where no server is installed: they would only cost tokens."""
        if not self._servers.suffixes:
            return ()
        from codetether_tools_lsp.definitions import LSP, RENAME

        return (DeferredTool(LSP, self._ask), DeferredTool(RENAME, self._rename))

    def _ask(self) -> Tool:
        from codetether_tools_lsp.tools import Ask

        return Ask(self._servers)

    def _rename(self) -> Tool:
        from codetether_tools_lsp.tools import Rename

        return Rename(self._servers)
