"""Listings: aligned columns for people, one JSON document for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codetether.cli.terminal import Screen, json_line, visible


def print_json(screen: Screen, value: Any) -> None:
    """The value as indented JSON; what JSON does not know becomes text."""
    import orjson

    from codetether.wire import storable

    data = orjson.dumps(storable(value), default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    screen.write(json_line(data) + "\n")


def print_table(screen: Screen, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as their widest cell; on a terminal the last one is cut at the edge."""
    cells = [[visible(str("" if cell is None else cell)).replace("\n", " ") for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(heads))]
    edge = screen.columns
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        line = "  ".join([*padded, row[-1]]).rstrip()
        if edge and len(line) > edge:
            line = line[: edge - 1] + "…"
        screen.line(line)
