"""What the model is told of each file tool."""

from __future__ import annotations

from codetether import ToolDefinition

from codetether_tools_files.examples import examples

LINES = 2000
"""Of a file that are shown at once."""
DEADLINE = 20.0
"""Seconds that a search may take."""
_FILE = {"type": "string", "minLength": 1, "description": "The file, from the workspace or absolute."}
_REPLACEMENT = {
    "old": {"type": "string", "minLength": 1, "description": "The text to replace, as it stands in the file."},
    "new": {"type": "string", "description": "The text to put in its place."},
    "replace_all": {"type": "boolean", "default": False, "description": "Replace every occurrence."},
}

LIST = ToolDefinition(
    name="list",
    description=(
        "Lists a directory: its absolute path, its entries (directories end with /) and how many files and directories "
        "there are."
    ),
    schema={
        "type": "object",
        "properties": {
            "path": {"type": "string", "default": ".", "description": "The directory; `.` is the workspace."}
        },
        "additionalProperties": False,
    },
    effects=("read",),
    examples=examples("list"),
    timeout=60.0,
)
READ = ToolDefinition(
    name="read",
    description=(
        "Reads a text file: how many lines it has, then its lines with their numbers. Long files come in parts: go on "
        "with offset. Images are shown; of notebooks and PDF the text."
    ),
    schema={
        "type": "object",
        "properties": {
            "path": _FILE,
            "offset": {"type": "integer", "minimum": 1, "default": 1, "description": "The first line to show."},
            "limit": {"type": "integer", "minimum": 1, "default": LINES, "description": "How many lines to show."},
        },
        "required": ["path"],
        "additionalProperties": False,
    },
    effects=("read",),
    examples=examples("read"),
    timeout=60.0,
)
WRITE = ToolDefinition(
    name="write",
    description=(
        "Writes a whole text file; missing directories are made. A file that is there already must have been read in "
        "this session first; to change a part of one use edit."
    ),
    schema={
        "type": "object",
        "properties": {
            "path": _FILE,
            "content": {"type": "string", "description": "All that the file shall hold."},
        },
        "required": ["path", "content"],
        "additionalProperties": False,
    },
    effects=("write",),
    idempotent=True,
    examples=examples("write"),
    timeout=60.0,
)
EDIT = ToolDefinition(
    name="edit",
    description=(
        "Replaces an exact text in a file by another. `old` must stand in the file exactly once, white space included "
        "and without line numbers; give more of the lines around it to make it unique, or set replace_all."
    ),
    schema={
        "type": "object",
        "properties": {"path": _FILE, **_REPLACEMENT},
        "required": ["path", "old", "new"],
        "additionalProperties": False,
    },
    effects=("read", "write"),
    examples=examples("edit"),
    timeout=60.0,
)
MULTIEDIT = ToolDefinition(
    name="multiedit",
    description=(
        "Makes several replacements in one file, each as edit does, in their order: a later one sees what the earlier "
        "ones left. All of them are made or none."
    ),
    schema={
        "type": "object",
        "properties": {
            "path": _FILE,
            "edits": {
                "type": "array",
                "minItems": 1,
                "description": "The replacements, in their order.",
                "items": {
                    "type": "object",
                    "properties": _REPLACEMENT,
                    "required": ["old", "new"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["path", "edits"],
        "additionalProperties": False,
    },
    effects=("read", "write"),
    timeout=60.0,
)
APPLY_PATCH = ToolDefinition(
    name="apply_patch",
    description=(
        "Changes one or more files by a patch: all of it or nothing. Either `*** Begin Patch`, then for each file "
        "`*** Add File: path` with lines `+…`, `*** Delete File: path`, or `*** Update File: path` (then perhaps "
        "`*** Move to: path`) with hunks of lines that begin with a space, `-` or `+`, each hunk after `@@` or "
        "`@@ a line above it`, at last `*** End Patch`; or a unified diff."
    ),
    schema={
        "type": "object",
        "properties": {
            "patch": {"type": "string", "minLength": 1, "description": "The whole patch."},
            "input": {"type": "string", "minLength": 1, "description": "The same as `patch`, under another name."},
        },
        "additionalProperties": False,
        "oneOf": [{"required": ["patch"]}, {"required": ["input"]}],
    },
    effects=("read", "write"),
    timeout=60.0,
)
UNDO = ToolDefinition(
    name="undo",
    description=(
        "Takes back, as a whole, what the file tools changed last: in this turn, or else in the last one that changed "
        "files. Nothing is touched when one of the files was changed since by something else."
    ),
    schema={"type": "object", "properties": {}, "additionalProperties": False},
    effects=("read", "write"),
    timeout=60.0,
)
GLOB = ToolDefinition(
    name="glob",
    description=(
        "Finds files by name: `**/*.py` at any depth, `*.md` in the directory itself, `{a,b}` for either. The newest "
        "come first; what .gitignore names is left out."
    ),
    schema={
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "minLength": 1, "description": "The glob, e.g. `**/*.py`."},
            "path": {"type": "string", "default": ".", "description": "The directory to look in."},
        },
        "required": ["pattern"],
        "additionalProperties": False,
    },
    effects=("read",),
    examples=examples("glob"),
    timeout=DEADLINE * 2,
)
GREP = ToolDefinition(
    name="grep",
    description=(
        "Searches the content of files for a regular expression and returns `path:line: text` for each match. `(?i)` "
        "ignores case, `\\n` leads into the next line. What .gitignore names is left out, as are files with "
        "secrets and binary ones."
    ),
    schema={
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "minLength": 1, "description": "The regular expression (no look-around)."},
            "path": {"type": "string", "default": ".", "description": "The file or directory to search."},
            "glob": {
                "type": "string",
                "minLength": 1,
                "description": "Only files that fit, e.g. `*.py`, `src/**/*.ts`; all others with `!` before it.",
            },
        },
        "required": ["pattern"],
        "additionalProperties": False,
    },
    effects=("read",),
    examples=examples("grep"),
    timeout=DEADLINE * 2,
)
