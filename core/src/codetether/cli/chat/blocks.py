"""Where streamed Markdown can be cut: what stands before the cut will never be drawn otherwise."""

from __future__ import annotations

import re

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


def finished_blocks(text: str) -> tuple[str, str]:
    """The blocks that are finished, and what still grows.

    A block ends with a blank line outside of a code fence, or with the line that closes its fence.
    """
    cut = position = 0
    fence = ""
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        position += len(line)
        match = _FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and not match[2].strip():
                fence, cut = "", position
        elif match:
            fence = match[1]
        elif not line.strip():
            cut = position
    return text[:cut], text[cut:]
