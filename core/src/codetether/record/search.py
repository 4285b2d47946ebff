"""Where in a text secrets stand: those that are known, and those that look like one."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from codetether.values import frozen

if TYPE_CHECKING:
    from codetether.record.shapes import Shape

_BREAKS = b"\r\n"
_HEAD = 4
_SMALL = 40_000
"""Bytes of needles up to which the fastest kind of automaton is not too large."""
_LONG = 50_000
"""Bytes of a text for which it is worth to be made."""
_SO_FAR = re.compile(rb"[\w.-]{0,20}+[\"']?[ \t]{0,8}[:=>]{0,2}[ \t]{0,8}\\?[\"']?[A-Za-z]{0,6} ?")
_LETTERS = frozenset(bytes((c,)) for c in range(128) if chr(c).isalnum())


@frozen
class Span:
    """Bytes from `start` to `end` that are the secret `name`; `known`: somebody told of it."""

    start: int
    end: int
    name: str
    known: bool


class _Needles:
    """Finds needles in one pass; of those that begin at the same byte the longest."""

    def __init__(self, needles: Sequence[bytes]) -> None:
        self._needles = needles
        self._small = sum(map(len, needles)) <= _SMALL
        self._made: dict[bool, Any] = {}

    def find(self, data: bytes) -> list[tuple[int, int, int]]:
        """`(which, start, end)` of each."""
        fast = self._small and len(data) >= _LONG
        if fast not in self._made:
            from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

            kind = Implementation.DFA if fast else Implementation.ContiguousNFA
            self._made[fast] = BytesAhoCorasick(self._needles, matchkind=MatchKind.LeftmostLongest, implementation=kind)
        found: list[tuple[int, int, int]] = self._made[fast].find_matches_as_indexes(data)
        return found


class KnownForms:
    """The forms of known secrets. Line breaks within one do not hide it.

    Attributes:
        heads: the forms by their first four bytes. starts: the first one to three bytes of each.
    """

    def __init__(self) -> None:
        self.names: dict[bytes, str] = {}
        self._needles: list[bytes] = []
        self.heads: dict[bytes, list[bytes]] = {}
        self.starts: set[bytes] = set()
        self.longest = 0
        self._firsts: set[int] = set()
        self._automaton: _Needles | None = None

    def add(self, form: str, name: str) -> None:
        """Makes a form known; of several names the last one is shown."""
        needle = form.encode("utf-8", "surrogatepass").translate(None, _BREAKS)
        known = needle in self.names
        self.names[needle] = name
        if known:
            return
        self._needles.append(needle)
        self._firsts.add(needle[0])
        self.heads.setdefault(needle[:_HEAD], []).append(needle)
        self.starts.update(needle[:n] for n in range(1, _HEAD))
        self.longest = max(self.longest, len(needle))
        self._automaton = None

    def find(self, data: bytes) -> list[Span]:
        """Those that stand in the data, from left to right."""
        if not self._needles:
            return []
        automaton = self._automaton  # another thread may make one more form known meanwhile
        if automaton is None:
            automaton = self._automaton = _Needles(self._needles)
        broken = b"\n" in data or b"\r" in data
        found = automaton.find(data.translate(None, _BREAKS) if broken else data)
        if not found:
            return []
        breaks = [m.start() - n for n, m in enumerate(re.finditer(rb"[\r\n]", data))] if broken else []
        return [
            Span(
                start + bisect_right(breaks, start),
                end + bisect_right(breaks, end - 1),
                self.names[self._needles[which]],
                True,
            )
            for which, start, end in found
        ]

    def open_from(self, data: bytes, start: int) -> int:
        """Where the earliest end of the data begins, at `start` or later, that may grow into a secret."""
        reach = len(data) - start if b"\n" in data or b"\r" in data else self.longest
        tail = data[max(start, len(data) - reach) :].translate(None, _BREAKS)[-self.longest :]
        for at, first in enumerate(tail):
            if first not in self._firsts:
                continue
            head = tail[at : at + _HEAD]
            if len(head) < _HEAD:
                opens = head in self.starts
            else:
                opens = any(
                    len(form) > len(tail) - at and form.startswith(tail[at:]) for form in self.heads.get(head, ())
                )
            if opens:
                return _place_before_end(data, len(tail) - at)
        return len(data)


def _place_before_end(data: bytes, count: int) -> int:
    """Where the last `count` bytes begin, line breaks not counted."""
    at = len(data)
    while count:
        at -= 1
        count -= data[at] not in _BREAKS
    return at


class ShapeSearch:
    """Looks for secrets by their shapes, in time that grows with the length of the text alone.

    Attributes:
        first: the first four bytes of each head, or all three. starts: every beginning of a head.
    """

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self._shapes: dict[bytes, list[Shape]] = {}
        for shape in shapes:
            for head in shape.heads:
                self._shapes.setdefault(head.encode(), []).append(shape)
        self._heads = list(self._shapes)
        self.starts = {head[:n] for head in self._heads for n in range(1, len(head))}
        self._longest = max(map(len, self._heads))
        self.first = frozenset(head[:_HEAD] for head in self._heads)
        self._automaton = _Needles(self._heads)
        self.names = frozenset(shape.name for found in self._shapes.values() for shape in found)

    def find(self, data: bytes, known: Sequence[Span], before: bytes = b"") -> tuple[list[Span], int]:
        """Those beside the known ones, and where the first begins that more data could change.

        `before`: the byte that stood before the data, if any.
        """
        spans: list[Span] = []
        position, limit = 0, len(data)
        runs = _Runs(data)
        for which, begin, end in self._automaton.find(data):
            for shape in self._shapes[self._heads[which]]:
                if begin < position or (shape.bounded and (data[begin - 1 : begin] if begin else before) in _LETTERS):
                    continue
                span, still_open = _judged(data, shape, begin, end, runs)
                limit = min(limit, begin) if still_open else limit
                if span is not None and not _overlaps(span, known):
                    spans.append(span)
                    position = span.end
        return spans, limit

    def open_from(self, data: bytes, start: int) -> int:
        """Where the earliest end of the data begins, at `start` or later, that may grow into a head."""
        for at in range(max(start, len(data) - self._longest + 1), len(data)):
            if data[at:] in self.starts:
                return at
        return len(data)


class _Runs:
    """How far each alphabet goes on from a place; no byte is read twice for the same alphabet."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._known: dict[bytes, tuple[int, int]] = {}

    def end(self, alphabet: bytes, start: int) -> int:
        first, last = self._known.get(alphabet, (0, -1))
        if not first <= start <= last:
            found = _run(alphabet).match(self._data, start)
            last = found.end() if found else start
            self._known[alphabet] = start, last
        return last


@cache
def _run(alphabet: bytes) -> re.Pattern[bytes]:
    return re.compile(b"[" + re.escape(alphabet) + b"]*+")


def _judged(data: bytes, shape: Shape, begin: int, end: int, runs: _Runs) -> tuple[Span | None, bool]:
    """The secret at a head, None for none, and whether more data could change that."""
    if shape.opening is not None:
        opened = shape.opening.match(data, end)
        if opened is None:
            return None, bool(_SO_FAR.fullmatch(data, end))
        end = opened.end()
    stop = runs.end(shape.alphabet, end)
    if stop - end > shape.most:
        if not shape.clipped:
            return None, False
        stop = end + shape.most
    still_open = stop == len(data)
    if stop - end < shape.least:
        return None, still_open
    within = shape.find(data, begin if shape.headed else end, stop)
    return within and Span(*within, shape.name, False), still_open


def _overlaps(span: Span, known: Sequence[Span]) -> bool:
    last = bisect_left(known, span.end, key=lambda each: each.start) - 1
    return last >= 0 and known[last].end > span.start
