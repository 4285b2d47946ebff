"""Listings: aligned columns for people, one JSON document for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from codetether.cli.terminal import Screen, columns_of, cut, json_line, visible

_LEAST = 20
"""Columns of the last column that are worth a place beside the others."""

as_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def print_json(screen: Screen, value: Any) -> None:
    """The value as indented JSON; what JSON does not know becomes text."""
    import orjson

    from codetether.wire import storable

    data = orjson.dumps(storable(value), default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    screen.write(json_line(data) + "\n")


def print_table(screen: Screen, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as their widest cell; on a terminal they are cut at its edge.

    Where that would leave too little of the last column, its cells stand on lines of their own below the others.
    """
    cells = [_cells(row) for row in (heads, *rows)]
    widths = [max(map(columns_of, column)) for column in zip(*cells, strict=True)]
    edge = screen.columns
    room = edge - sum(width + 2 for width in widths[:-1]) if edge else widths[-1]
    below = room < min(widths[-1], _LEAST)
    lines = []
    for *row, last in cells:
        padded = [cell + " " * (width - columns_of(cell)) for cell, width in zip(row, widths, strict=False)]
        line = "  ".join([*padded, *([] if below else [last])]).rstrip()
        lines += [line, f"  {last}"] if below and last else [line]
    shown = [line if not edge or columns_of(line) <= edge else cut(line, edge - 1) + "…" for line in lines]
    screen.write("\n".join([*shown, ""]))


def _cells(row: Sequence[object]) -> list[str]:
    """The cells as text, each on one line and with everything hidden made visible."""
    cells = ["" if cell is None else str(cell) for cell in row]
    whole = "".join(cells)
    if whole.isascii() and whole.isprintable():
        return cells
    return [visible(cell).replace("\n", " ") for cell in cells]
