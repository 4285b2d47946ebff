"""Questions to a language server about one file, and its answers, one place a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codetether import UsageError
from lsprotocol import types as lsp

from codetether_tools_lsp.connection import LanguageServer
from codetether_tools_lsp.documents import edited, patch, path_of, symbol_at, text_at, uri_of


class Question:
    """One question about a file, with the place that it is about."""

    def __init__(self, server: LanguageServer, path: Path, workspace: Path, arguments: Mapping[str, Any]) -> None:
        self._server = server
        self._workspace = workspace
        self._arguments = arguments
        self._text = text_at(path)
        self._uri = uri_of(path)
        server.show(path, self._text)

    async def definition(self) -> list[str]:
        params = lsp.DefinitionParams(text_document=self._document(), position=self._position())
        found: Any = await self._server.answer(self._server.ask.text_document_definition_async(params))
        return self._places(found if isinstance(found, Sequence) else [found] if found else [])

    async def references(self) -> list[str]:
        params = lsp.ReferenceParams(
            text_document=self._document(),
            position=self._position(),
            context=lsp.ReferenceContext(include_declaration=True),
        )
        found = await self._server.answer(self._server.ask.text_document_references_async(params))
        return self._places(found or [])

    async def hover(self) -> list[str]:
        params = lsp.HoverParams(text_document=self._document(), position=self._position())
        found = await self._server.answer(self._server.ask.text_document_hover_async(params))
        contents: Any = found.contents if found else []
        parts = contents if isinstance(contents, Sequence) and not isinstance(contents, str) else [contents]
        return [part if isinstance(part, str) else part.value for part in parts]

    async def symbols(self) -> list[str]:
        if name := str(self._arguments.get("symbol", "")):
            asked = self._server.ask.workspace_symbol_async(lsp.WorkspaceSymbolParams(query=name))
            return [self._symbol(each) for each in await self._server.answer(asked) or []]
        told = lsp.DocumentSymbolParams(text_document=self._document())
        found: Any = await self._server.answer(self._server.ask.text_document_document_symbol_async(told)) or []
        return list(self._outline(found))

    async def renamed(self, new_name: str) -> str:
        """The patch that renames; empty where there is nothing to rename."""
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
        return lsp.TextDocumentIdentifier(uri=self._uri)

    def _position(self) -> lsp.Position:
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
            raise UsageError(
                "the language server wants to move files too; nothing was changed",
                remedy="Make the change by commands and apply_patch.",
            )
        found.setdefault(document.uri, []).extend(change.edits)  # type: ignore[union-attr]
    return found
