"""How a tool call reads on a screen: its arguments on a line, its output cut to head and tail."""

from __future__ import annotations

import json

from codetether.cli.terminal import visible


def arguments_shown(text: str) -> str:
    """Arguments as `path="." depth=2`, or as the model wrote them where they are no object."""
    try:
        values = json.loads(text)
        return " ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
    except (ValueError, AttributeError, RecursionError):
        return text


def lines_shown(output: str, head: int, tail: int) -> list[str]:
    """The lines of an output, made visible; of one that is longer the first and the last, what lies between counted."""
    lines = visible(output).rstrip("\n").split("\n")
    if len(lines) <= head + tail:
        return lines
    return [*lines[:head], f"… {len(lines) - head - tail:,} more lines", *lines[-tail:]]
