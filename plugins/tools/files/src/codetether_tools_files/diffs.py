"""Differences as unified diffs, quick for large files too."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from itertools import islice, takewhile
from operator import eq

CONTEXT = 3
_LONG = 3000
"""Lines of change beyond which no finer difference is looked for, and only the first ones are shown."""
_SHOWN = 500
_HEAD = r"@@ -(\d+)((?:,\d+)?) \+(\d+)((?:,\d+)?) @@"


def unified(old: str, new: str, name: str, *, created: bool = False) -> str:
    """The change of one file as a unified diff, empty where there is none."""
    if old == new:
        return ""
    from difflib import unified_diff

    before, after = _lines(old), _lines(new)
    start = _common(before, after)
    end = _common(reversed(before[start:]), reversed(after[start:]))
    first = max(0, start - CONTEXT)
    last = max(0, end - CONTEXT)
    a, b = before[first : len(before) - last], after[first : len(after) - last]
    origin = "/dev/null" if created else f"a/{name}"
    if max(len(a), len(b)) > _LONG:
        body = [f"@@ -{first + 1},{len(a)} +{first + 1},{len(b)} @@\n", *_begun("-", a), *_begun("+", b)]
    else:
        body = [_moved(line, first) for line in islice(unified_diff(a, b, n=CONTEXT), 2, None)]
    return f"--- {origin}\n+++ b/{name}\n" + "".join(_ended(line) for line in body)


def _begun(sign: str, lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    shown = [sign + line for line in lines[:_SHOWN]]
    return [*shown, f"… and {len(lines) - _SHOWN} more lines\n"] if len(lines) > _SHOWN else shown


def _lines(text: str) -> list[str]:
    return io.StringIO(text, newline="\n").readlines()


def _common(one: Iterable[str], other: Iterable[str]) -> int:
    """How many lines are the same from the beginning on."""
    return sum(takewhile(bool, map(eq, one, other)))


def _moved(line: str, by: int) -> str:
    head = re.match(_HEAD, line)
    if head is None:
        return line
    return f"@@ -{int(head[1]) + by}{head[2]} +{int(head[3]) + by}{head[4]} @@\n"


def _ended(line: str) -> str:
    return line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"
