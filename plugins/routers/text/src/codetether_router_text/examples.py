"""How a text says that the call which follows is an example, quoted, or assigned in code."""

from __future__ import annotations

import re

QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "«": "»", "\u201e": "\u201c", "\u2018": "\u2019"}
ASSIGNED = re.compile(r"[\w\])][ \t]*[=(][ \t]*\Z")
EXAMPLE = re.compile(
    r"(?:(?:^|\n|\b(?:for|an?) )examples?\b|\be\.g\.|\bfor instance\b|\bsuch as\b|\blooks? like(?: this)?\b)"
    r"[,:]?[ \t]*\s{0,3}\Z",
    re.IGNORECASE,
)
SUPPOSED = re.compile(r"\bwould (?:write|look like|be|call|emit|output)\b[^.!?\n]{0,60}\Z", re.IGNORECASE)
