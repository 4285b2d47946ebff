"""The tool read: a file's lines with their numbers."""

from __future__ import annotations

import os
from typing import BinaryIO

from attrs import evolve, frozen
from codetether import (
    IMAGE_LIMIT,
    ImagePart,
    Resources,
    SessionContext,
    TextPart,
    ToolCall,
    ToolContext,
    ToolResult,
    image_flaw,
    image_type,
    text_result,
)

from codetether_tools_files.definitions import LINES, READ
from codetether_tools_files.documents import document
from codetether_tools_files.text import Encoding, is_binary
from codetether_tools_files.workspace import CHUNK, Refused, Workspace, counted, file_at, result_of, shown

WIDTH = 2000
"""Characters of a line that are shown."""
SIZE = 48 * 1024
"""Bytes of text that one call shows, so that the loop's own limit never cuts a reading in the middle."""
COUNTED = 256 * 1024 * 1024
"""Bytes in which lines are counted."""
_HEAD = 8192
_LONGEST = WIDTH * 4 + 4
"""Bytes of a line that are read."""


@frozen(kw_only=True)
class Excerpt:
    """Lines of a file, and how many it has.

    Attributes:
        total: lines of the file; None where it is too long to count them.
        ended: the last line has its line end.
    """

    lines: tuple[bytes, ...]
    total: int | None
    ended: bool


class Read:
    """Reads files."""

    definition = READ

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def resources(self, call: ToolCall, ctx: SessionContext) -> Resources:
        """Reads the file."""
        return Resources(reads=self._workspace.declare(call, str(call.arguments["path"])))

    async def run(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        """The file's lines."""
        return await result_of(self._read, call)

    def _read(self, call: ToolCall) -> ToolResult:
        path = str(call.arguments["path"])
        offset, limit = int(call.arguments.get("offset", 1)), int(call.arguments.get("limit", LINES))
        real = self._workspace.target(call, path)
        name = shown(path)
        kind = ""
        with file_at(real, name) as (fd, status), os.fdopen(os.dup(fd), "rb") as file:
            head = file.read(_HEAD)
            file.seek(0)
            if media_type := image_type(head):
                self._workspace.saw(real, status)
                return _image(name, real, media_type, status.st_size, file)
            found = document(name, head, file)
            if found is None and is_binary(head):
                raise Refused(f"{name} is a binary file of {counted(status.st_size, 'byte')}, not text")
            file.seek(0)
            encoding = Encoding() if found else Encoding.of(head)
            if found:
                kind = f"{found.kind}, "
                excerpt = _lines_of(found.text, offset, limit)
            elif "16" in encoding.name:
                excerpt = _wide(file, encoding, offset, limit)
            else:
                excerpt = _excerpt(file, offset, limit)
        self._workspace.saw(real, status)
        if excerpt.total == 0:
            return text_result(f"{name}: empty file, 0 lines", path=real, lines=0)
        if not excerpt.lines:
            raise Refused(f"{name} has only {counted(excerpt.total or 0, 'line')}; offset {offset} is past its end")
        return self._shown(f"{name}: {kind}", real, excerpt, encoding, offset)

    def _shown(self, head: str, real: str, excerpt: Excerpt, encoding: Encoding, offset: int) -> ToolResult:
        raw = b"".join(excerpt.lines)
        used = Encoding() if "16" in encoding.name else Encoding.of(raw)
        if "16" in used.name:  # bytes in the midst of a file, which only look like a mark
            used = Encoding("latin-1")
        rows: list[str] = []
        size = 0
        lines = raw.decode(used.name, "replace").split("\n")[: len(excerpt.lines)]
        for number, line in enumerate(lines, offset):
            row = f"{number:>6}\t{_cut(line)}"
            size += (len(row) if row.isascii() else len(row.encode("utf-8", "replace"))) + 1
            if rows and size > SIZE:
                break
            rows.append(row)
        last = offset + len(rows) - 1
        notes = ["very many lines" if excerpt.total is None else counted(excerpt.total, "line")]
        if excerpt.total != len(rows):
            notes.append(f"{offset} to {last} shown")
        if not excerpt.ended:
            notes.append("no line end at the end of the file")
        if b"\r" in raw and raw.count(b"\r\n") * 2 > raw.count(b"\n"):
            notes.append("CRLF line ends")
        if used.name == "latin-1" or encoding.mark:
            notes.append(str(encoding if encoding.mark else used))
        rows.insert(0, head + ", ".join(notes))
        if excerpt.total is None or last < excerpt.total:
            rows.append(f"… go on with offset {last + 1}")
        return text_result("\n".join(rows), path=real, lines=excerpt.total, first=offset, last=last)


def _cut(line: str) -> str:
    text = line.rstrip("\r").removeprefix("\ufeff")
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}… [line cut]"


def _excerpt(file: BinaryIO, offset: int, limit: int) -> Excerpt:
    """Lines `offset` to `offset + limit`, each at most a little longer than what is shown of it."""
    number, last = 0, b""
    while number < offset - 1 and file.tell() < COUNTED and (skipped := _skipped(file)):
        number, last = number + 1, skipped
    lines: list[bytes] = []
    size = 0  # of what is shown of them, at least
    while number == offset - 1 and len(lines) < limit and size < SIZE and (line := file.readline(_LONGEST)):
        if not line.endswith(b"\n"):
            line = _clipped(line, file)
        lines.append(line)
        size += min(len(line), WIDTH)
    total, ended = _rest(file, number + len(lines), lines[-1] if lines else last)
    return Excerpt(lines=tuple(lines), total=total, ended=ended)


def _clipped(line: bytes, file: BinaryIO) -> bytes:
    """The beginning of a line, and the line end that follows somewhere behind it."""
    tail = _skipped(file)
    end = b"\r\n" if tail.endswith(b"\r\n") else b"\n" if tail.endswith(b"\n") else b""
    return (_whole(line) if tail else line) + end


def _whole(cut: bytes) -> bytes:
    """Without the first bytes of a character that was cut apart."""
    for place in range(1, 4):
        if cut[-place] >= 0xC0:
            return cut[:-place]
        if cut[-place] < 0x80:
            break
    return cut


def _skipped(file: BinaryIO) -> bytes:
    """Passes over the rest of a line; the last piece of it."""
    last = b""
    while piece := file.readline(CHUNK):
        last = piece
        if piece.endswith(b"\n") or file.tell() >= COUNTED:
            break
    return last


def _rest(file: BinaryIO, number: int, last: bytes) -> tuple[int | None, bool]:
    """How many lines there are in all, None where nobody should count, and whether the last has its end."""
    while piece := file.read(CHUNK):
        if file.tell() >= COUNTED:
            return None, True
        if not last.endswith(b"\n") and last:
            number -= 1
        number += piece.count(b"\n") + (0 if piece.endswith(b"\n") else 1)
        last = piece
    return number, last.endswith(b"\n") or not last


def _wide(file: BinaryIO, encoding: Encoding, offset: int, limit: int) -> Excerpt:
    """The same for UTF-16, as UTF-8 lines."""
    data = file.read(COUNTED // 16)
    text = data.removeprefix(encoding.mark).decode(encoding.name, "replace")
    excerpt = _lines_of(text, offset, limit)
    return excerpt if not file.read(1) else evolve(excerpt, total=None)


def _lines_of(text: str, offset: int, limit: int) -> Excerpt:
    lines = [line.encode("utf-8", "replace") for line in text.splitlines(keepends=True)]
    ended = not text or text.endswith("\n")
    return Excerpt(lines=tuple(lines[offset - 1 : offset - 1 + limit]), total=len(lines), ended=ended)


def _image(name: str, real: str, media_type: str, size: int, file: BinaryIO) -> ToolResult:
    data = b"" if size > IMAGE_LIMIT else file.read(IMAGE_LIMIT)
    if flaw := "is too large to be shown" if size > IMAGE_LIMIT else image_flaw(data):
        raise Refused(f"{name} begins as an image ({media_type}) but {flaw}: {counted(size, 'byte')}")
    said = TextPart(text=f"{name}: {media_type}, {counted(size, 'byte')}")
    image = ImagePart(media_type=media_type, data=data)
    return ToolResult(content=(said, image), metadata={"path": real})
