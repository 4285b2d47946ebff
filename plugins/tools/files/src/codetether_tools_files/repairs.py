"""Finds the one place where a text stands but for white space, quotes or line ends."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

_QUOTES = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'",
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"',
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ",
})  # fmt: skip
_INDENT = re.compile(r"[ \t]*")


def plain_quotes(text: str) -> str:
    """The text with quotes, dashes and blanks as a keyboard has them; of the same length."""
    return text if text.isascii() else text.translate(_QUOTES)


@frozen(kw_only=True)
class Repair:
    """The text that was meant, as it stands in the file, what shall stand there instead, and what was repaired."""

    old: str
    new: str
    what: str


def repaired(text: str, old: str, new: str) -> Repair | None:
    """The repair that makes `old` stand in the text in exactly one place; None where none does, or many places fit."""
    quoted = _by_quotes(text, old, new)
    if quoted is not None or plain_quotes(old) in plain_quotes(text):
        return quoted
    for key, what in ((_right, "white space at line ends"), (_bare, "indentation")):
        fits = _fits(text, old, key)
        if len(fits) == 1:
            return _by_lines(fits[0], old, new, what)
        if fits:
            return None
    return None


def _by_quotes(text: str, old: str, new: str) -> Repair | None:
    plain, sought = plain_quotes(text), plain_quotes(old)
    if plain.count(sought) != 1:
        return None
    place = plain.index(sought)
    found = text[place : place + len(sought)]
    return Repair(old=found, new=_quoted_like(found, old, new), what="typographic quotes or dashes")


def _quoted_like(found: str, old: str, new: str) -> str:
    """The new text, with what it keeps of the old one written as the file writes it."""
    from difflib import SequenceMatcher

    out = list(new)
    for a, b, size in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        out[b : b + size] = found[a : a + size]
    return "".join(out)


def _right(line: str) -> str:
    return plain_quotes(line.rstrip())


def _bare(line: str) -> str:
    return plain_quotes(line.strip())


def _fits(text: str, old: str, key: object) -> list[list[str]]:
    """The runs of whole lines that are the wanted ones by the key."""
    assert callable(key)
    lines, wanted = text.splitlines(keepends=True), [key(line) for line in old.splitlines()]
    if not any(wanted):
        return []
    have = [key(line) for line in lines]
    size = len(wanted)
    return [
        lines[place : place + size]
        for place in range(len(lines) - size + 1)
        if have[place] == wanted[0] and have[place : place + size] == wanted
    ]


def _by_lines(found: list[str], old: str, new: str, what: str) -> Repair | None:
    if what == "indentation":
        if not _shift_is_one(found, old.splitlines()):
            return None
        new = "".join(indented_like(found, old.splitlines(keepends=True), new.splitlines(keepends=True)))
    last = found[-1]
    ended = old.endswith("\n")
    body = "".join(found)
    if not ended:
        body = body[: len(body) - (len(last) - len(last.rstrip("\r\n")))]
    elif not body.endswith("\n"):
        new = new.removesuffix("\n")
    if "\r\n" in body:
        new = new.replace("\r\n", "\n").replace("\n", "\r\n")
    return Repair(old=body, new=new, what=what)


def _shift_is_one(found: Sequence[str], old: Sequence[str]) -> bool:
    """Whether all lines lie the same way further in or out."""
    return len(_shifts(found, old)) == 1


def _shifts(found: Sequence[str], old: Sequence[str]) -> set[tuple[str, str]]:
    """By which indentation each line differs: (what the wanted one has in excess, what the found one has)."""
    shifts = set()
    for there, wanted in zip(found, old, strict=False):
        if not wanted.strip():
            continue
        a, b = _INDENT.match(there), _INDENT.match(wanted)
        assert a
        assert b
        common = 0
        for x, y in zip(reversed(a[0]), reversed(b[0]), strict=False):
            if x != y:
                break
            common += 1
        shifts.add((b[0][: len(b[0]) - common], a[0][: len(a[0]) - common]))
    return shifts


def indented_like(found: Sequence[str], old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The new lines, shifted as the found ones lie to the old ones; as they are where that is not one shift."""
    shifts = _shifts(found, old)
    if len(shifts) != 1:
        return list(new)
    ((excess, more),) = shifts
    return [more + line.removeprefix(excess) if line.strip() and line.startswith(excess) else line for line in new]
