"""The tools lsp and lsp_rename: what a language server knows of the code, and a symbol renamed everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codetether import Resources, SessionContext, ToolCall, ToolContext, ToolResult, UsageError, text_result

from codetether_tools_lsp.definitions import LSP, RENAME
from codetether_tools_lsp.problems import problems

if TYPE_CHECKING:
    from codetether_tools_lsp.connection import LanguageServer
    from codetether_tools_lsp.servers import Servers

SHOWN = 200
"""Places that one answer names."""


class Ask:
    """Questions about code."""

    definition = LSP

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Reads the file; a server reads what it needs of the workspace besides."""
        return Resources(reads=(str(call.arguments["path"]), "."))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The answer, one place a line. Raises UsageError with what is wrong with the question."""
        operation = str(call.arguments["operation"])
        path, server = await _server(self._servers, str(call.arguments["path"]))
        if operation == "diagnostics":
            return text_result(await problems(self._servers, path) or "no problems found")
        from codetether_tools_lsp.questions import Question  # what it needs came with the server

        question = Question(server, path, self._servers.directory, call.arguments)
        lines = await {
            "definition": question.definition,
            "references": question.references,
            "hover": question.hover,
            "symbols": question.symbols,
        }[operation]()
        shown = lines[:SHOWN]
        if len(lines) > SHOWN:
            shown.append(f"… and {len(lines) - SHOWN} more")
        return text_result("\n".join(shown) or f"{server.name} knows of no {operation}")


class Rename:
    """A symbol's new name, everywhere."""

    definition = RENAME

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Reads the workspace, writes the file at least; all are written by apply_patch, which is judged too."""
        path = str(call.arguments["path"])
        return Resources(reads=(path, "."), writes=(path,))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """What was changed, as apply_patch says it. Where the server refuses, nothing is changed: UsageError."""
        path, server = await _server(self._servers, str(call.arguments["path"]))
        from codetether_tools_lsp.questions import Question  # what it needs came with the server

        question = Question(server, path, self._servers.directory, call.arguments)
        patch = await question.renamed(str(call.arguments["new_name"]))
        if not patch:
            raise UsageError(f"{server.name} found nothing to rename")
        (made,) = await ctx.call([("apply_patch", {"patch": patch})])
        return made


async def _server(servers: Servers, path: str) -> tuple[Path, LanguageServer]:
    real = servers.resolved(path)
    if real is None:
        raise UsageError(f"{path}: no such file in the workspace")
    server = await servers.of(real)
    if server is None:
        known = ", ".join(servers.suffixes) or "no files"
        raise UsageError(f"no language server for {real.name} (those installed know {known})")
    return real, server
