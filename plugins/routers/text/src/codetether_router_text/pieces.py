"""What several readers share: a value that may be repaired, the opening and the end of a code fence."""

from __future__ import annotations

import re
from typing import Any

from codetether_router_text.literals import CALLEE, JSON_STYLE, PYTHON_STYLE, Literal, Style, arguments
from codetether_router_text.offers import Call, Offers
from codetether_router_text.source import NoCall, Reading, Source

Calls = tuple[list[Call], int, bool]
"""The calls, where they end, and whether only the end of the text ended them."""
INFO = re.compile(r"[^\n`]*")
TICKS = re.compile(r"`*")
TILDES = re.compile(r"~*")


class Pieces:
    """Reads pieces of bodies."""

    def __init__(self, source: Source, offers: Offers) -> None:
        self.source = source
        self.offers = offers

    def literal(self, at: int, style: Style = JSON_STYLE, lenient: bool = True) -> Reading[tuple[Any, int]]:
        """A value in that style; one that had to be repaired only for a lenient reader."""
        literal = Literal(self.source, style)
        value, end = yield from literal.value(at)
        if literal.repaired and not (lenient and self.offers.lenient):
            raise NoCall(end)
        return value, end

    def opened_fence(self, at: int) -> Reading[tuple[str, int]]:
        """The label of the fence that opens there, and where its content begins."""
        source = self.source
        ticks = yield from source.run(TICKS if source.text[at] == "`" else TILDES, at, 40)
        end = yield from source.run(INFO, ticks, 200)
        if ticks - at < 3 or not (yield from source.starts("\n", end)):
            raise NoCall(end)
        return source.text[ticks:end].strip().lower(), end + 1

    def closed_fence(self, opened: int, at: int) -> Reading[int]:
        """The end of the fence that closes there; the end of the text does as well."""
        source = self.source
        mark = source.text[opened]
        at = yield from source.space(at)
        if not (yield from source.has(at + 1)):
            return at
        if not (yield from source.starts(mark * 3, at)):
            raise NoCall(at)
        return (yield from source.run(TICKS if mark == "`" else TILDES, at, 40))

    def python_call(self, at: int) -> Reading[tuple[Call, int]]:
        """One Python call."""
        source = self.source
        end = yield from source.run(CALLEE, at, 300)
        name = self.offers.name(source.text[at:end])
        if name is None or not (yield from source.starts("(", end)):
            raise NoCall(end)
        literal = Literal(source, PYTHON_STYLE)
        named, placed, end = yield from arguments(literal, source, end + 1)
        call = self.offers.placed(name, placed, named)
        if call is None or (literal.repaired and not self.offers.lenient):
            raise NoCall(end)
        return call, end

    def made(self, name: str, value: Any, at: int) -> Call:
        if isinstance(value, dict) and "arguments" not in self.offers.properties(name):
            own = self.offers.calls(value)  # the name stands in the object once more
            if own and len(own) == 1 and own[0].name == name:
                return own[0]
        call = self.offers.call(name, value)
        if call is None:
            raise NoCall(at)
        return call
