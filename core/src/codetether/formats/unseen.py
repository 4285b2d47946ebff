"""Characters that no reader sees, spelled out where a model would be told them unseen."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)
"""Controls, bidirectional and zero-width characters, tags; but not the joiners that scripts and emoji are made of."""


def spelled_out(text: str) -> str:
    """The text with each of them as `<U+202E>`; `\\r\\n` is a line end like any other."""
    return _UNSEEN.sub(lambda found: f"<U+{ord(found[0]):04X}>", text.replace("\r\n", "\n"))
