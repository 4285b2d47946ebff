"""The tool write: a whole file, new or in place of one that the session has read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from codetether import Resources, SessionContext, ToolCall, ToolContext, ToolResult, text_result

from codetether_tools_files.changes import Changes
from codetether_tools_files.definitions import WRITE
from codetether_tools_files.diffs import unified
from codetether_tools_files.replacing import content_of
from codetether_tools_files.text import Encoding, has_crlf, is_binary, line_count, with_crlf
from codetether_tools_files.workspace import Refused, Stamp, Workspace, counted, result_of, shown

PREVIEWED = 256 * 1024
"""Bytes of a file for which a person is shown the change beforehand."""
DIFF = 64 * 1024
"""Characters of a diff that are kept with a result."""


class Write:
    """Writes files."""

    definition = WRITE

    def __init__(self, workspace: Workspace, changes: Changes) -> None:
        self._workspace = workspace
        self._changes = changes

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Writes the file; the preview is the change it makes."""
        path, content = str(call.arguments["path"]), str(call.arguments["content"])
        writes = self._workspace.declare(call, path)
        return Resources(writes=writes, preview=self._preview(call, path, content))

    def _preview(self, call: ToolCall, path: str, content: str) -> str:
        with suppress(Refused, OSError, ValueError):
            real = self._workspace.looked_at(call, path)
            if not os.path.lexists(real):
                return unified("", content, shown(path), created=True)
            if Path(real).lstat().st_size <= PREVIEWED:
                data, _ = content_of(real, shown(path))
                return unified(Encoding.of(data).decode(data), content, shown(path))
        return content[:PREVIEWED]

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """What was written."""
        return await result_of(self._write, call, ctx.root.turn)

    def _write(self, call: ToolCall, turn: int) -> ToolResult:
        path, content = str(call.arguments["path"]), str(call.arguments["content"])
        real, name = self._workspace.target(call, path), shown(path)
        if not os.path.lexists(real):
            data = encoded(Encoding(), content, name)
            self._workspace.saw(real, self._changes.replace(turn, real, name, data, None))
            return self._said(name, real, "created", content, len(data), unified("", content, name, created=True))
        old, status = content_of(real, name)
        encoding = Encoding.of(old)
        before = "" if is_binary(old[:8192]) else encoding.decode(old)
        new = content.removeprefix("\ufeff") if encoding.mark else content
        new = with_crlf(new) if has_crlf(before) else new
        data = encoded(encoding, new, name)
        if data == old:
            return self._said(name, real, "already holds exactly this", content, len(data), "")
        self._must_be_read(real, name, status)
        self._workspace.saw(real, self._changes.replace(turn, real, name, data, (old, status)))
        return self._said(name, real, "replaced", content, len(data), unified(before, new, name))

    def _must_be_read(self, real: str, name: str, status: os.stat_result) -> None:
        seen = self._workspace.seen(real)
        if seen is None:
            raise Refused(
                f"{name} exists and was not read in this session; read it first, or change a part of it with edit"
            )
        if seen != Stamp.of(status):
            raise Refused(f"{name} was changed since it was read; read it again")

    def _said(self, name: str, real: str, what: str, content: str, size: int, diff: str) -> ToolResult:
        measure = f"{counted(line_count(content), 'line')}, {counted(size, 'byte')}"
        return text_result(f"{name} {what} ({measure})", path=real, diff=diff[:DIFF])


def encoded(encoding: Encoding, text: str, name: str) -> bytes:
    """The text's bytes; refused where the file's encoding cannot hold it."""
    try:
        return encoding.encode(text)
    except UnicodeEncodeError as error:
        character = text[error.start].encode("unicode_escape").decode()
        raise Refused(f"{name} is {encoding} text, which cannot hold the character {character}") from error
