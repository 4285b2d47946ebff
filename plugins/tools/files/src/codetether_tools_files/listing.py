"""The tool list: what is in a directory."""

from __future__ import annotations

import os

from codetether import Resources, SessionContext, ToolCall, ToolContext, ToolResult, text_result

from codetether_tools_files.definitions import LIST
from codetether_tools_files.workspace import Refused, Workspace, counted, directory_at, result_of, shown, told

SHOWN = 1000


class List:
    """Lists directories."""

    definition = LIST

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Reads the directory."""
        return Resources(reads=self._workspace.declare(call, str(call.arguments.get("path", "."))))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The listing."""
        return await result_of(self._list, call)

    def _list(self, call: ToolCall) -> ToolResult:
        path = str(call.arguments.get("path", "."))
        real = self._workspace.target(call, path)
        with told(real, shown(path)):
            if not os.path.isdir(real) and os.path.lexists(real):  # noqa: PTH112
                raise Refused(f"{shown(path)} is a file; use read to see its content")
            with directory_at(real) as fd:
                readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
            try:
                with os.scandir(readable) as entries:
                    lines = sorted(_line(entry, readable) for entry in entries)
            finally:
                os.close(readable)
        directories = sum(is_directory for _, is_directory, _ in lines)
        files = len(lines) - directories
        rows = [text for _, _, text in lines[:SHOWN]]
        if len(lines) > SHOWN:
            rows.append(f"… and {len(lines) - SHOWN} more")
        count = f"{counted(files, 'file')}, {counted(directories, 'directory', 'directories')}"
        return text_result("\n".join([shown(real), *rows, "", count]), path=real, files=files, directories=directories)


def _line(entry: os.DirEntry[str], fd: int) -> tuple[str, bool, str]:
    name = shown(entry.name)
    if entry.is_symlink():
        return name, False, f"{name} -> {shown(os.readlink(entry.name, dir_fd=fd))}"
    is_directory = entry.is_dir(follow_symlinks=False)
    return name, is_directory, name + "/" if is_directory else name
