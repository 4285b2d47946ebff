"""Characters that no reader would see: taken out of a text, or spelled out in it."""

from __future__ import annotations

import re

_CONTROLS = "\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f"
_FORMATS = "\\u00ad\\u061c\\u200b\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u206f\\ufeff\\U000e0000-\\U000e0fff"
_UNSEEN = re.compile(f"[{_CONTROLS}{_FORMATS}]")
"""Controls, bidirectional and zero-width characters, tags; but not the joiners that scripts and emoji are made of."""


def without_unseen(text: str) -> str:
    """The text as it is seen."""
    return _UNSEEN.sub("", text)


def with_unseen_spelled(text: str) -> str:
    """The text with `\\u{…}` in their places."""
    return _UNSEEN.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)
