"""What of a tool's output a tiny model should read: the head, and the lines that speak of what was asked."""

from __future__ import annotations

import re
from collections import Counter

from codetether_provider_local.tiny.words import stem, words

_LINES = 12
_WIDTH = 160


def evidence(asked: str, output: str, lines: int = _LINES) -> str:
    """At most `lines` lines in their order: first, last, and those that share the rarest words with the request."""
    rows = [row.rstrip()[:_WIDTH] for row in output.splitlines() if row.strip()]
    if len(rows) <= lines:
        return "\n".join(rows)
    wanted = {word.stem for word in words(asked) if not word.stop}
    held = [{stem(part) for part in re.findall(r"[A-Za-z]+|\d+", row)} & wanted for row in rows]
    counts = Counter(word for row in held for word in row)
    score = [sum(1 / counts[word] for word in row) for row in held]
    best = sorted(range(1, len(rows) - 1), key=lambda i: (-score[i], i))[: lines - 2]
    return "\n".join(rows[i] for i in sorted({0, len(rows) - 1, *best}))
