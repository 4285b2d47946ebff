"""The tools lsp and lsp_rename: what a language server knows of the code, and a symbol renamed everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codetether import (
    Resources,
    SessionContext,
    ToolCall,
    ToolContext,
    ToolDefinition,
    ToolExample,
    ToolResult,
    UsageError,
    text_result,
)

from codetether_tools_lsp.problems import problems

if TYPE_CHECKING:
    from lsprotocol import types as lsp

    from codetether_tools_lsp.connection import LanguageServer
    from codetether_tools_lsp.servers import Servers

SHOWN = 200
"""Places that one answer names."""
PLACE: dict[str, Any] = {
    "path": {"type": "string", "minLength": 1, "description": "The file, from the workspace."},
    "line": {"type": "integer", "minimum": 1, "description": "The line that holds the symbol."},
    "symbol": {"type": "string", "minLength": 1, "description": "The symbol as it stands in that line."},
}
LSP = ToolDefinition(
    name="lsp",
    description=(
        "Asks the language server, which understands the code: `definition`, `references` or `hover` of a symbol "
        "(give path, line, symbol), `symbols` of a file (path) or of the workspace by name (path of any file of the "
        "language, symbol), `diagnostics` of a file (path)."
    ),
    schema={
        "type": "object",
        "properties": {
            "operation": {
                "type": "string",
                "enum": ["definition", "references", "hover", "symbols", "diagnostics"],
                "description": "What is asked.",
            },
            **PLACE,
        },
        "required": ["operation", "path"],
        "additionalProperties": False,
    },
    effects=("read",),
    examples=(
        ToolExample(
            prompt="where is parse in main.py defined?",
            arguments={"operation": "definition", "path": "main.py", "line": 3, "symbol": "parse"},
        ),
    ),
    timeout=90.0,
)
RENAME = ToolDefinition(
    name="lsp_rename",
    description="Renames a symbol in all files that use it, all of them or none, as the language server knows them.",
    schema={
        "type": "object",
        "properties": {**PLACE, "new_name": {"type": "string", "minLength": 1, "description": "Its new name."}},
        "required": ["path", "line", "symbol", "new_name"],
        "additionalProperties": False,
    },
    effects=("read", "write"),
    timeout=120.0,
)


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
            return text_result(await problems(self._servers, str(path)) or "no problems found")
        asked = _Asked(server, path, self._servers.directory, call.arguments)
        lines = await {
            "definition": asked.definition,
            "references": asked.references,
            "hover": asked.hover,
            "symbols": asked.symbols,
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
        asked = _Asked(server, path, self._servers.directory, call.arguments)
        patch = await asked.renamed(str(call.arguments["new_name"]))
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


class _Asked:
    """One question about a file, with the place that it is about."""

    def __init__(self, server: LanguageServer, path: Path, workspace: Path, arguments: Mapping[str, Any]) -> None:
        from codetether_tools_lsp.documents import text_at, uri_of

        self._server = server
        self._workspace = workspace
        self._arguments = arguments
        self._text = text_at(path)
        self._uri = uri_of(path)
        server.show(path, self._text)

    async def definition(self) -> list[str]:
        from lsprotocol import types as lsp

        params = lsp.DefinitionParams(text_document=self._document(), position=self._position())
        found: Any = await self._server.answer(self._server.ask.text_document_definition_async(params))
        return self._places(found if isinstance(found, Sequence) else [found] if found else [])

    async def references(self) -> list[str]:
        from lsprotocol import types as lsp

        params = lsp.ReferenceParams(
            text_document=self._document(),
            position=self._position(),
            context=lsp.ReferenceContext(include_declaration=True),
        )
        found = await self._server.answer(self._server.ask.text_document_references_async(params))
        return self._places(found or [])

    async def hover(self) -> list[str]:
        from lsprotocol import types as lsp

        params = lsp.HoverParams(text_document=self._document(), position=self._position())
        found = await self._server.answer(self._server.ask.text_document_hover_async(params))
        contents: Any = found.contents if found else []
        parts = contents if isinstance(contents, Sequence) and not isinstance(contents, str) else [contents]
        return [part if isinstance(part, str) else part.value for part in parts]

    async def symbols(self) -> list[str]:
        from lsprotocol import types as lsp

        if name := str(self._arguments.get("symbol", "")):
            asked = self._server.ask.workspace_symbol_async(lsp.WorkspaceSymbolParams(query=name))
            return [self._symbol(each) for each in await self._server.answer(asked) or []]
        told = lsp.DocumentSymbolParams(text_document=self._document())
        found: Any = await self._server.answer(self._server.ask.text_document_document_symbol_async(told)) or []
        return list(self._outline(found))

    async def renamed(self, new_name: str) -> str:
        """The patch that renames; empty where there is nothing to rename."""
        from lsprotocol import types as lsp

        from codetether_tools_lsp.documents import edited, patch, path_of, text_at

        params = lsp.RenameParams(text_document=self._document(), position=self._position(), new_name=new_name)
        edit = await self._server.answer(self._server.ask.text_document_rename_async(params))
        changes = []
        for uri, edits in sorted(_edits(edit).items()):
            path = path_of(uri)
            real = path.resolve() if path else None
            if real is None or not real.is_relative_to(self._workspace):
                raise UsageError(f"the symbol is used outside the workspace too, in {path or uri}; nothing was changed")
            text, name = text_at(real), real.relative_to(self._workspace).as_posix()
            changes.append((name, text, edited(text, edits, self._server.codec)))
        return patch([each for each in changes if each[1] != each[2]])

    def _document(self) -> lsp.TextDocumentIdentifier:
        from lsprotocol import types as lsp

        return lsp.TextDocumentIdentifier(uri=self._uri)

    def _position(self) -> lsp.Position:
        from codetether_tools_lsp.documents import symbol_at

        if "line" not in self._arguments or "symbol" not in self._arguments:
            raise UsageError("say which symbol: `line` and `symbol` are missing")
        line, symbol = int(self._arguments["line"]), str(self._arguments["symbol"])
        return symbol_at(self._text, line, symbol, self._server.codec)

    def _places(self, found: Iterable[Any]) -> list[str]:
        """Locations and links to them, each once, in the order of their files."""
        spots = {
            (getattr(each, "uri", None) or each.target_uri, start.line + 1, start.character + 1)
            for each in found
            for start in [(getattr(each, "range", None) or each.target_selection_range).start]
        }
        return [f"{self._name(uri)}:{line}:{column}" for uri, line, column in sorted(spots)]

    def _name(self, uri: str) -> str:
        from codetether_tools_lsp.documents import path_of

        path = path_of(uri)
        if path is None:
            return uri
        return str(path.relative_to(self._workspace) if path.is_relative_to(self._workspace) else path)

    def _symbol(self, found: Any) -> str:
        kind = found.kind.name if found.kind else "Symbol"
        start = found.location.range.start if getattr(found.location, "range", None) else None
        place = self._name(found.location.uri) + (f":{start.line + 1}" if start else "")
        return f"{place}: {kind} {found.name}"

    def _outline(self, found: Iterable[Any], depth: int = 0) -> Iterable[str]:
        for each in found:
            if getattr(each, "location", None) is not None:
                yield self._symbol(each)
                continue
            yield f"{'  ' * depth}{each.range.start.line + 1}: {each.kind.name} {each.name}"
            yield from self._outline(each.children or (), depth + 1)


def _edits(edit: lsp.WorkspaceEdit | None) -> dict[str, list[Any]]:
    """The edits of each file. Raises UsageError for an edit that makes, moves or removes files."""
    found: dict[str, list[Any]] = {}
    if edit is None:
        return found
    for uri, edits in (edit.changes or {}).items():
        found.setdefault(uri, []).extend(edits)
    for change in edit.document_changes or ():
        document = getattr(change, "text_document", None)
        if document is None:
            raise UsageError("the language server wants to move files too; nothing was changed")
        found.setdefault(document.uri, []).extend(change.edits)  # type: ignore[union-attr]
    return found
