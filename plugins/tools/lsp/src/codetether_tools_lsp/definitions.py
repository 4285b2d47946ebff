"""What the model is told of the tools lsp and lsp_rename; their code is loaded by their first call."""

from __future__ import annotations

from typing import Any

from codetether import ToolDefinition, ToolExample

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
