"""Reads what a docstring says of a thing and of its parts: Google's, NumPy's and Sphinx's way of writing it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence

_PARTS = (
    *("args", "arguments", "parameters", "params", "attributes", "fields"),
    *("other parameters", "keyword args", "keyword arguments"),
)
_OTHER = ("returns", "return", "yields", "raises")
"""What is said to programmers, not to models."""
_ENTRY = re.compile(r"\*{0,2}(?P<name>\w+)\s*(?:\(.*?\))?\s*:(?:\s+(?P<text>.*)|$)")
_NUMPY = re.compile(r"\*{0,2}(?P<names>\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?")
_SPHINX = re.compile(
    r":(?:param|parameter|arg|argument|ivar|cvar|var)\s+(?:[^:]*\s)?\*{0,2}(?P<name>\w+):\s*(?P<text>.*)"
)


def read_docstring(text: str) -> tuple[str, Mapping[str, str]]:
    """The description without its sections, and what is said of each parameter or attribute."""
    lines = inspect.cleandoc(text).splitlines()
    told: list[str] = []
    notes: dict[str, str] = {}
    place = 0
    while place < len(lines):
        word = lines[place].strip().rstrip(":").lower()
        underlined = place + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[place + 1].strip())
        headed = lines[place].strip().endswith(":") and place + 1 < len(lines) and lines[place + 1].startswith(" ")
        if word in (*_PARTS, *_OTHER) and (underlined or headed):
            begin = place + 2 if underlined else place + 1
            place = _end(lines, begin, indented=not underlined)
            if word in _PARTS:
                notes |= _numpy(lines[begin:place]) if underlined else _google(lines[begin:place])
        elif lines[place].startswith(":") and re.match(r":\w[^:]*:", lines[place]):
            begin, place = place, place + 1
            while place < len(lines) and lines[place].startswith(" "):
                place += 1
            if found := _SPHINX.match(lines[begin]):
                notes[found["name"]] = _joined([found["text"], *lines[begin + 1 : place]])
        else:
            told.append(lines[place])
            place += 1
    return "\n".join(told).strip(), {name: note for name, note in notes.items() if note}


def _end(lines: Sequence[str], begin: int, *, indented: bool) -> int:
    """Where a section that begins there ends: at the next line that is not indented, or at the next heading."""
    for place in range(begin, len(lines)):
        if indented and lines[place].strip() and not lines[place].startswith(" "):
            return place
        if not indented and place + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[place + 1].strip()):
            return place
    return len(lines)


def _google(lines: Sequence[str]) -> dict[str, str]:
    """`name (type): text`, with what is indented further belonging to it."""
    depth = min((_indent(line) for line in lines if line.strip()), default=0)
    notes: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        found = _ENTRY.fullmatch(line.strip()) if _indent(line) == depth else None
        if found:
            current = notes[found["name"]] = [found["text"] or ""]
        else:
            current.append(line)
    return {name: _joined(note) for name, note in notes.items()}


def _numpy(lines: Sequence[str]) -> dict[str, str]:
    """`name : type`, with the text indented below it."""
    notes: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        found = _NUMPY.fullmatch(line) if line.strip() else None
        if found:
            current = []
            notes |= {name.strip(" *"): current for name in found["names"].split(",")}
        else:
            current.append(line)
    return {name: _joined(note) for name, note in notes.items()}


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())
