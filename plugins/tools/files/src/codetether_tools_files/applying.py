"""Lays the hunks of a patch over a text: where they fit exactly, else where they fit in one place only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from unicodedata import normalize

from attrs import evolve, frozen

from codetether_tools_files.patches import Hunk
from codetether_tools_files.repairs import indented_like, plain_quotes
from codetether_tools_files.text import has_crlf
from codetether_tools_files.workspace import Refused

FUZZ = 2
"""Lines of context at each end of a hunk that may be others."""


def _exact(line: str) -> str:
    return line


def _unended(line: str) -> str:
    plain = line.rstrip("\r\n")
    return plain if plain.isascii() else "".join("\ufffd" if "\udc80" <= c <= "\udcff" else c for c in plain)


def _trimmed(line: str) -> str:
    plain = _unended(line).rstrip()
    return plain if plain.isascii() else plain_quotes(normalize("NFC", plain))


def _shifted(line: str) -> str:
    return _trimmed(line).lstrip()


_WAYS: tuple[tuple[Callable[[str], str], str], ...] = (
    (_exact, ""),
    (_unended, ""),
    (_trimmed, "but for white space at line ends or typographic quotes"),
    (_shifted, "but for its indentation"),
)


@frozen(kw_only=True)
class Applied:
    """The new text, and what was not quite as the patch says."""

    text: str
    notes: tuple[str, ...] = ()


@frozen(kw_only=True)
class _Fit:
    place: int
    hunk: Hunk
    key: Callable[[str], str]
    note: str = ""


def lines_of(text: str) -> list[str]:
    """Lines with their line ends; only a line feed ends one."""
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def applied(text: str, hunks: Sequence[Hunk], name: str) -> Applied:
    """The text after all hunks, in their order. Refused, with the hunk, where one fits nowhere or in many places."""
    lines, out, notes = lines_of(text), [], []
    crlf = has_crlf(text)
    done, moved = 0, 0
    for number, hunk in enumerate(hunks, 1):
        fit = _fit(lines, done, moved, hunk, f"hunk {number} of {len(hunks)} for {name}")
        out += lines[done : fit.place]
        out += _laid(lines[fit.place : fit.place + len(fit.hunk.old)], fit, crlf)
        done = fit.place + len(fit.hunk.old)
        if hunk.line is not None and fit.hunk is hunk and hunk.old:
            moved = fit.place - (hunk.line - 1)
        if fit.note:
            notes.append(f"hunk {number} fits at line {fit.place + 1} {fit.note}")
    out += lines[done:]
    ended = [line if line.endswith("\n") else line + ("\r\n" if crlf else "\n") for line in out[:-1]] + out[-1:]
    return Applied(text="".join(ended), notes=tuple(notes))


def _laid(found: list[str], fit: _Fit, crlf: bool) -> list[str]:
    """What stands in place of the lines that were found: context as it is there, new lines ended as those around."""
    hunk = fit.hunk
    new = list(hunk.new)
    if fit.key is _exact and (hunk.old or not crlf):
        return new
    if fit.key is _shifted:
        new = indented_like(found, _with_signs(hunk, found), new)
    if crlf and not any(line.endswith("\r\n") for line in new):
        new = [line[:-1] + "\r\n" if line.endswith("\n") else line for line in new]
    if not crlf and found and not any(line.endswith("\r\n") for line in found):
        new = [line[:-2] + "\n" if line.endswith("\r\n") else line for line in new]
    if not hunk.old:
        return new
    from difflib import SequenceMatcher

    was, now = [fit.key(line) for line in hunk.old], [fit.key(line) for line in hunk.new]
    a = b = 0
    for _, run in groupby(hunk.signed, lambda line: line[0] == " "):  # context stays; of changed lines what is the same
        signs = [sign for sign, _ in run]
        c, d = a + len(signs) - signs.count("+"), b + len(signs) - signs.count("-")
        for i, j, size in SequenceMatcher(None, was[a:c], now[b:d], autojunk=False).get_matching_blocks():
            new[b + j : b + j + size] = found[a + i : a + i + size]
        a, b = c, d
    if new and found and not found[-1].endswith("\n"):
        new[-1] = new[-1].rstrip("\r\n")
    return new


def _with_signs(hunk: Hunk, found: list[str]) -> list[str]:
    """The old lines; of context whose first blank was taken for its sign, the line as it was found."""
    signs = [sign for sign, _ in hunk.signed if sign != "+"]
    return [
        there if sign == " " and _unended(there) == " " + _unended(line) else line
        for sign, line, there in zip(signs, hunk.old, found, strict=True)
    ]


def _fit(lines: list[str], done: int, moved: int, hunk: Hunk, what: str) -> _Fit:
    if not hunk.old:
        return _Fit(place=_insertion(lines, done, hunk, what), hunk=hunk, key=_exact)
    for key, note in _WAYS:
        for tried in _tries(hunk):
            places = _places(lines, done, moved, tried, key, what, note)
            if len(places) == 1:
                return _Fit(place=places[0], hunk=tried, key=key, note=note)
            if places:
                raise Refused(_many(places, what, bool(hunk.anchors)))
    for fuzz in range(1, FUZZ + 1):
        less = _less(hunk, fuzz)
        if less is None:
            continue
        places = _places(lines, done, moved, less, _unended, what, "fuzz")
        if len(places) == 1:
            return _Fit(place=places[0], hunk=less, key=_unended, note="but for the outer lines of its context")
        if places:
            raise Refused(_many(places, what, bool(hunk.anchors)))
    if above := _found(lines[:done], 0, hunk.old, _unended):
        raise Refused(f"{what}: its lines stand at line {above[0] + 1}, above the hunk before; put the hunks in order")
    from codetether_tools_files.nearest import nearest

    near = nearest("".join(lines), "".join(hunk.old))
    raise Refused(f"{what}: its lines do not stand there. {near or 'Read the file'}")


def _many(places: list[int], what: str, anchored: bool) -> str:
    named = ", ".join(str(place + 1) for place in places[:20])
    more = "" if anchored else " or a line `@@ …` that stands above"
    return f"{what} fits at lines {named}; give more lines of context{more}"


def _tries(hunk: Hunk) -> list[Hunk]:
    """The hunk, then without a last empty line of context that many write for nothing."""
    if hunk.line is None and hunk.after and len(hunk.old) > 1 and not hunk.old[-1].strip():
        return [hunk, evolve(hunk, signed=hunk.signed[:-1])]
    return [hunk]


def _less(hunk: Hunk, fuzz: int) -> Hunk | None:
    """The hunk without so many lines of context at each end; None where nothing would be left to go by."""
    head, tail = min(fuzz, hunk.before), min(fuzz, hunk.after)
    left = hunk.old[head : len(hunk.old) - tail]
    if not head + tail or sum(bool(line.strip()) for line in left) < 2 or hunk.old == hunk.new:
        return None
    line = None if hunk.line is None else hunk.line + head
    return evolve(hunk, signed=hunk.signed[head : -tail or None], line=line)


def _places(
    lines: list[str], done: int, moved: int, hunk: Hunk, key: Callable[[str], str], what: str, note: str
) -> list[int]:
    """Where the old lines may be meant to stand."""
    found = _found(lines, done, hunk.old, key)
    if hunk.line is not None and hunk.line - 1 + moved in found and not note:
        return [hunk.line - 1 + moved]
    if hunk.at_end and len(lines) - len(hunk.old) in found:
        return [len(lines) - len(hunk.old)]
    if hunk.anchors and found:
        after = _anchored(lines, done, hunk.anchors)
        first = {next((place for place in found if place >= start), None) for start in after} - {None}
        if first:
            return sorted(place for place in first if place is not None)
    return found


def _found(lines: list[str], start: int, old: Sequence[str], key: Callable[[str], str]) -> list[int]:
    wanted = [key(line) for line in old]
    have = lines if key is _exact else [key(line) for line in lines]
    last = len(have) - len(wanted)
    return [
        place
        for place in range(start, last + 1)
        if have[place] == wanted[0] and have[place : place + len(wanted)] == wanted
    ]


def _anchored(lines: list[str], start: int, anchors: Sequence[str]) -> list[int]:
    """The lines after the last of the anchors, which may be context themselves."""
    starts = [start]
    for anchor in anchors:
        sought = _shifted(anchor)
        hits = [i for i in range(start, len(lines)) if _shifted(lines[i]) == sought]
        hits = hits or [i for i in range(start, len(lines)) if _shifted(lines[i]).startswith(sought)]
        starts = [hit for hit in hits if any(hit >= each for each in starts)]
    return starts


def _insertion(lines: list[str], done: int, hunk: Hunk, what: str) -> int:
    """Where new lines without context go: where the patch says, below its anchor, else at the end."""
    if hunk.anchors:
        starts = _anchored(lines, done, hunk.anchors)
        if len(starts) != 1:
            found = f"stands at lines {', '.join(str(s + 1) for s in starts[:20])}" if starts else "stands nowhere"
            raise Refused(f"{what}: {hunk.anchors[-1]!r} {found}; give lines of context")
        return starts[0] + 1
    if hunk.line is not None and done <= hunk.line <= len(lines):
        return hunk.line
    return len(lines)
