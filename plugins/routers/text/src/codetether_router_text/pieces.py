"""What several readers share: a value that may be repaired, the opening and the end of a code fence."""

from __future__ import annotations

import re
from typing import Any

from codetether_router_text.literals import JSON_STYLE, Literal, Style
from codetether_router_text.offers import Offers
from codetether_router_text.source import NoCall, Reading, Source

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
