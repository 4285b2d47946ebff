"""Files as language servers count them: lines by their ends, columns in the units that were agreed on."""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Sequence
from pathlib import Path

from codetether import UsageError
from lsprotocol.types import Position, TextEdit
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import PositionCodec

LARGEST = 4 * 1024 * 1024
"""Bytes of a file that is still shown to a server."""


def lines_of(text: str) -> list[str]:
    """The lines with their ends, as the protocol counts them: other separators of Unicode end none."""
    return list(io.StringIO(text, newline=""))


def text_at(path: Path) -> str:
    """The text of a file. Raises UsageError where it is none, or larger than 4 MiB."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise UsageError(f"{path.name} is larger than {LARGEST // 1024 // 1024} MiB")
        return data.decode()
    except (OSError, ValueError) as error:
        what = "no UTF-8 text" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", None) or error
        raise UsageError(f"{path.name}: {what}") from error


def uri_of(path: Path) -> str:
    """The file's URI."""
    return str(from_fs_path(str(path)))


def path_of(uri: str) -> Path | None:
    """The file that a URI names; None for what is no file."""
    return Path(path) if uri.startswith("file:") and (path := to_fs_path(uri)) else None


def symbol_at(text: str, line: int, symbol: str, codec: PositionCodec) -> Position:
    """Where the symbol stands in that line, counted from 1. Raises UsageError, which names the lines that hold it."""
    lines = lines_of(text)
    word = re.compile(rf"(?<!\w){re.escape(symbol)}(?!\w)")
    if 0 < line <= len(lines) and (found := word.search(lines[line - 1])):
        return codec.position_to_client_units(lines, Position(line=line - 1, character=found.start()))
    near = [str(number) for number, each in enumerate(lines, 1) if word.search(each)]
    where = f"; it is in line {', '.join(near[:10])}" if near else "; it is nowhere in this file"
    raise UsageError(f"line {line} does not hold {symbol!r}{where}")


def edited(text: str, edits: Sequence[TextEdit], codec: PositionCodec) -> str:
    """The text after the edits of a server. Raises UsageError where two of them overlap."""
    lines = lines_of(text) or [""]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(position: Position) -> int:
        if position.line >= len(lines):
            return len(text)
        at = codec.position_from_client_units(lines, position)
        return min(starts[at.line] + at.character, starts[at.line + 1])

    spans = sorted((offset(e.range.start), offset(e.range.end), number, e.new_text) for number, e in enumerate(edits))
    pieces, end = [], 0
    for start, stop, _, new in spans:
        if start < end:
            raise UsageError(
                "the language server gave edits that overlap", remedy="Make the change by edit or apply_patch."
            )
        pieces += [text[end:start], new]
        end = stop
    return "".join([*pieces, text[end:]])


def patch(changes: Sequence[tuple[str, str, str]]) -> str:
    """A unified diff of files: (name, before, after)."""
    made = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for name, before, after in changes
        for line in difflib.unified_diff(lines_of(before), lines_of(after), f"a/{name}", f"b/{name}")
    )
    return "".join(made)
