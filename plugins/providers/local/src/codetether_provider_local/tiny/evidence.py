"""What of a tool's output a tiny model should read: the lines that can hold what was asked."""

from __future__ import annotations

import re
from collections import Counter

from codetether_provider_local.tiny.words import STOP, stem, words

_LINES = 10
_FEW = 4
_STEMMED_STOP = frozenset(stem(word) for word in STOP)
_WIDTH = 160
_NAMES = 40
_CUT = re.compile(r"… and (\d+) more")
_COUNT = re.compile(r"\b\d+ ([a-z]+)")
_UNITS = frozenset(stem(unit) for unit in ("line", "file", "folder", "match", "test", "entry"))
_PLACES = frozenset(stem(word) for word in ("folder", "path", "pwd", "where", "place"))

_WHETHER = frozenset(("is", "are", "does", "do", "has", "have", "can", "was"))
_WHERE = re.compile(r"\b(where|pwd|path|(which|what) (folder|directory))\b", re.IGNORECASE)
_ELSE = frozenset(("how", "many", "count", "number"))

_JOINING = """
The the It it is are has have holds contains defines says There there was were does no No not yes Yes and in of on to
by from with at a an all All I created wrote changed passed failed file files line lines name branch version port value
You you nothing found defined called set listed directory project here this
"""


def evidence(asked: str, output: str, lines: int = _LINES) -> str:
    """At most `lines` lines in their order: those that share the rarest words with the request, else the first.

    Line numbers are left out. Sums such as `12 lines` are kept only where a request counts that unit, and then alone;
    the directory at the head of a listing only where a place is asked for.
    """
    rows = [re.sub(r"^ *\d+\t", "", row).rstrip()[:_WIDTH] for row in output.splitlines() if row.strip()]
    stems = {word.stem for word in words(asked)}
    sums = [row for row in rows if _sums(row)]
    if stem("many") in stems or stem("long") in stems:
        wanted = [row for row in sums if _sums(row) & (stems if stems & _UNITS else _UNITS - {stem("line")})]
        if wanted:
            return "\n".join(wanted)
    if rows and rows[0].startswith("/") and not stems & _PLACES:
        rows = rows[1:]
    rows = [row for row in rows if row not in sums] or rows
    if len(rows) <= _FEW:
        return "\n".join(rows)
    held = [{stem(part) for part in re.findall(r"[A-Za-z]+|\d+", row)} & stems - _STEMMED_STOP for row in rows]
    counts = Counter(word for row in held for word in row)
    score = [sum(1 / counts[word] for word in row) for row in held]
    for i, row in enumerate(rows):  # what stands below a heading that fits is what was asked for
        if row.startswith("#") and score[i]:
            score[i + 1 : i + 4] = [max(below, score[i] / 2) for below in score[i + 1 : i + 4]]
    best = sorted(range(len(rows)), key=lambda i: (-score[i], i))[:lines]
    return "\n".join(rows[i] for i in sorted(best) if score[i] or not any(score))


def wants_names(asked: str) -> bool:
    """Whether a request for a listing is for what is there, and not whether, how much or where something is."""
    said = asked.lower().split()
    whether, where = said[:1] and said[0] in _WHETHER and said[:2] != ["are", "there"], _WHERE.search(asked)
    return not whether and not where and _ELSE.isdisjoint(said)


def listed(output: str) -> str:
    """A listing as a sentence: what lies at its top, without the directory at its head and its sums."""
    rows = [row for row in output.splitlines() if row.strip() and not _sums(row)]
    rows = rows[1:] if rows and rows[0].startswith("/") else rows
    edge = min((len(row) - len(row.lstrip()) for row in rows), default=0)
    names = [row.strip() for row in rows if not row[edge].isspace()]
    cut = _CUT.fullmatch(names[-1]) if names else None
    names = names[:-1] if cut else names
    left = max(len(names) - _NAMES, 0) + (int(cut[1]) if cut else 0)
    more = [f"{left} more"] if left else []
    if not names:
        return "There are no files."
    *most, last = [*names[:_NAMES], *more]
    return f"The files are {', '.join(most)} and {last}." if most else f"The only file is {last}."


def speakable(asked: str, shown: str) -> list[str]:
    """The words that an answer may be made of: those of the output, those of the request, and what joins them."""
    return [*_JOINING.split(), *_words(shown), *_words(asked)]


def telling(asked: str, shown: str) -> list[str]:
    """The words of the output of which an answer holds one, so that it says something: those that are not asked."""
    told, known = _words(shown), {*_JOINING.split(), *_words(asked)}
    return [word for word in told if word not in known] or told


def _words(text: str) -> list[str]:
    pieces = text.split()
    bare = [piece.strip("\"'`?,.:;!()[]{}*#<>|") for piece in pieces]
    return [word for word in (*bare, *(piece.rstrip(".!?") for piece in pieces)) if word]


def _sums(row: str) -> set[str]:
    """The units that a line counts, e.g. file and folder in `3 files, 4 directories`."""
    return {stem(unit) for unit in _COUNT.findall(row)} & _UNITS
