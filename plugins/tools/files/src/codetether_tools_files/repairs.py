"""Finds the one place where a text stands but for white space, quotes or line ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from unicodedata import normalize

from attrs import frozen

_QUOTES = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'",
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"',
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ",
})  # fmt: skip


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
    for form in ("NFC", "NFD"):
        if text.count(there := normalize(form, old)) == 1:
            return Repair(old=there, new=normalize(form, new), what="the normal form of its letters")
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
        indented = _indentation(found, old.splitlines())
        if indented is None:
            return None
        new = "".join(map(indented, new.splitlines(keepends=True)))
    last = found[-1]
    body = "".join(found)
    if "\r\n" in body:
        new = new.replace("\r\n", "\n").replace("\n", "\r\n")
    if what != "indentation":
        new = _kept_lines(found, old, new)
    if not old.endswith("\n"):
        body = body[: len(body) - (len(last) - len(last.rstrip("\r\n")))]
    elif not body.endswith("\n"):
        new = new.removesuffix("\n")
    return Repair(old=body, new=new, what=what)


def _kept_lines(found: Sequence[str], old: str, new: str) -> str:
    """The new text, with the lines that it keeps of the old one as the file has them."""
    from difflib import SequenceMatcher

    lines = new.splitlines(keepends=True)
    was, now = [_right(line) for line in old.splitlines()], [_right(line) for line in lines]
    for a, b, size in SequenceMatcher(None, was, now, autojunk=False).get_matching_blocks():
        lines[b : b + size] = found[a : a + size]
    made = "".join(lines)
    return made if new.endswith("\n") else made.rstrip("\r\n")


def indented_like(found: Sequence[str], old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The new lines, indented as the found ones are where the old ones stood; as they are where that is not one way."""
    indented = _indentation(found, old)
    return list(new) if indented is None else [indented(line) for line in new]


def _indentation(found: Sequence[str], old: Sequence[str]) -> Callable[[str], str] | None:
    """Indents a line as the found ones are beside the old ones; None where that is now this way, now that."""
    pairs = [(_indent(there), _indent(wanted)) for there, wanted in zip(found, old, strict=False) if wanted.strip()]
    widths = {_width(there, wanted) for there, wanted in pairs if there or wanted}
    if len(widths) == 1 and (width := widths.pop()):
        return partial(_tabbed, width)
    shifts = {_shift(there, wanted) for there, wanted in pairs}
    return partial(_shifted, shifts.pop()) if len(shifts) == 1 else None


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _shift(there: str, wanted: str) -> tuple[str, str]:
    """What the wanted indentation has in excess before the part that both end with, and what the found one has."""
    common = 0
    for x, y in zip(reversed(there), reversed(wanted), strict=False):
        if x != y:
            break
        common += 1
    return wanted[: len(wanted) - common], there[: len(there) - common]


def _shifted(shift: tuple[str, str], line: str) -> str:
    excess, more = shift
    return more + line.removeprefix(excess) if line.strip() and line.startswith(excess) else line


def _width(there: str, wanted: str) -> int:
    """How many blanks of the wanted indentation stand for each tab of the found one; 0 where they do not."""
    fits = there and set(there) == {"\t"} and set(wanted) == {" "} and len(wanted) % len(there) == 0
    return len(wanted) // len(there) if fits else 0


def _tabbed(width: int, line: str) -> str:
    blanks = len(line) - len(line.lstrip(" "))
    return "\t" * (blanks // width) + line[blanks - blanks % width :]
