"""One place where calls may stand: its wrapper, then the rows of the table that fit it, one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import evolve, frozen

from codetether_router_text.bodies import Bodies, Named, names_of
from codetether_router_text.offers import Call
from codetether_router_text.source import NoCall, Reading
from codetether_router_text.table import ROWS, Row, Wrapper
from codetether_router_text.tokens import Token, token

NAME_TAGS = frozenset(
    ["name", "tool", "tool_name", "function", "function_name", "action", "invoke", "recipient_name", "fn"]
)
NAMED_TAGS = frozenset(["invoke", "function", "tool_call", "call", "tool", "function_call"])
"""Tags that name a tool in an attribute: what stands in one of a tool that is not offered is no call either."""
FILLER = re.compile(r"[\w ./:?,-]*")
WORD = re.compile(r"[\w.:/-]*")
CLOSING = re.compile(r"s$|end_|.*(?:tool|func|call|invoke|args|arguments|action)", re.IGNORECASE)
ADDRESS = re.compile(r"\bto=[\w.]+")
CHANNELS = frozenset(["final", "analysis"])
"""What a message in one of these says is said to the user, or to nobody."""
MARKS = 12
"""More marks in a row are no wrapper."""
CODE = frozenset(["tool_code", "tool_call", "tool_calls", "tool_use", "tool", "function_call", "tool_request"])
DATA = CODE | {"", "json", "jsonc", "json5", "jsonl"}
INDENT = re.compile(r"[ \t]*")
INFO = re.compile(r"[^\n`]*")


class Echo(NoCall):
    """From the mark to its end, everything is quoted: it was said by tools, about them, or to one that is not there."""

    def __init__(self, mark: Token, message: bool = False) -> None:
        super().__init__(mark.end)
        self.mark = mark
        self.message = message


@frozen(kw_only=True)
class Site:
    """Calls that stand together.

    Attributes:
        end: where what belongs to them ends.
        cut: only the end of the text ended them, so that a text that was cut off may have cut them too.
    """

    calls: tuple[Call, ...]
    end: int
    cut: bool = False


class Sites(Bodies):
    """Reads a site from where it begins: a Site, or NoCall."""

    def whole(self, reading: Reading[Site]) -> Reading[Site | Echo]:
        """The site, or what is quoted there instead."""
        try:
            return (yield from reading)
        except Echo as echo:
            return echo

    def read(self, at: int) -> Reading[Site]:
        """What begins with a mark or a bracket there."""
        first = self.source.text[at]
        if first != "{" and (mark := (yield from token(self.source, at))) is not None:
            return (yield from self.marked(at, mark))
        if first in "{[":
            return (yield from self.bare(at))
        raise NoCall(at + 1)

    def bare(self, at: int) -> Reading[Site]:
        """Calls without a wrapper."""
        site = yield from self._rows("nothing", at, ())
        after = yield from self.source.space(site.end)
        for sign in ("->", "=>", "→", "(", "[", "."):  # the record of a call, the text of a link, a part of code
            if (yield from self.source.starts(sign, after)) and (sign not in "[." or after == site.end):
                raise NoCall(after)
        return (yield from self._tail(site, []))

    def marked(self, at: int, mark: Token) -> Reading[Site]:
        """Calls after marks; the marks after them belong to them.

        Where there are none, none begins with a later one of these marks either.
        """
        opened: list[Token] = []
        try:
            return (yield from self._after(at, mark, opened))
        except Echo:
            raise
        except NoCall as no:
            raise NoCall(no.at, opened[-1].end if opened else mark.end) from None

    def _after(self, at: int, mark: Token, opened: list[Token]) -> Reading[Site]:
        source = self.source
        while len(opened) < MARKS:
            if mark.echoes and not mark.closes and (mark.name == "think" or self.offers.name(mark.name) is None):
                raise Echo(mark)
            if mark.closes:
                raise NoCall(at)
            opened.append(mark)
            site = yield from self._element(mark, tuple(opened[:-1]))
            if site is not None:
                return (yield from self._tail(site, opened))
            at = yield from source.space(mark.end)
            if not (yield from source.has(at + 1)):
                raise NoCall(at)
            if (following := (yield from token(source, at))) is not None:
                mark = following
                continue
            if source.text[at] not in "{[`~" and (skipped := (yield from self._filler(mark, at))) is not None:
                at, mark = skipped
                continue
            if mark.kind == "tag" and source.text[at] not in "{[`~":
                yield from self._name_follows(at)
            site = yield from self._rows("marks", at, tuple(opened))
            return (yield from self._tail(site, opened))
        raise NoCall(at)

    def _rows(self, wrapper: Wrapper, at: int, opened: tuple[Token, ...]) -> Reading[Site]:
        """The first row that reads calls there."""
        farthest = at + 1
        for row in _fitting(wrapper, self.source.text[at : at + 1]):
            try:
                calls, end, cut = yield from self.body(row, at, opened)
            except NoCall as no:
                farthest = max(farthest, no.at)
                continue
            return Site(calls=tuple(calls), end=end, cut=cut)
        raise NoCall(farthest)

    def _name_follows(self, at: int) -> Reading[None]:
        """NoCall for a word that is no tool's name: most tags are no marks of calls."""
        end = yield from self.source.run(WORD, at, 300)
        word = self.source.text[at:end]
        if ":" not in word and word != "print" and self.offers.name(word) is None:
            raise NoCall(end)

    def _filler(self, before: Token, at: int) -> Reading[tuple[int, Token] | None]:
        """A few words between two marks, such as an id or a role, and the mark after them; None for a name."""
        source = self.source
        if before.kind == "tag":
            return None
        word = yield from source.run(WORD, at, 300)
        if self.offers.name(source.text[at:word]) is not None:
            return None
        try:
            end = yield from source.run(FILLER, at, 80)
        except NoCall:
            return None
        if not (yield from source.has(end + 1)) or end == at or "call:" in source.text[at:end]:
            return None
        address = ADDRESS.search(source.text, at, end)
        if address is None and (yield from source.starts("=", end)) and source.text[at:end].split()[-1:] == ["to"]:
            begin = end + 1
            end = yield from source.run(WORD, begin, 300)
            if self.offers.name(source.text[begin:end]) is not None:
                return None
            address = ADDRESS.search(source.text, at, end)
        mark = yield from token(source, end)
        if mark is None or mark.kind != "special" or mark.closes:
            return None
        if address is not None or (source.text[at:end].strip() in CHANNELS and mark.name == "message"):
            raise Echo(mark, message=True)
        return end, mark

    def _element(self, mark: Token, outer: tuple[Token, ...]) -> Reading[Site | None]:
        """The call of an element that names its tool; None where it names none."""
        if mark.kind == "special":
            return None
        named = names_of(mark)
        name = self.tool_of(mark)
        if name is None and not mark.attributes and mark.value is None:
            name = self.offers.name(mark.name)
        if name is not None:
            found, end = yield from self.element(name, mark, outer)
        elif mark.name in NAME_TAGS and not named:
            child = yield from self._child(mark, outer)
            if child is None:
                return None
            found, end = child
        elif named and mark.name in NAMED_TAGS:
            raise Echo(mark)
        else:
            return None
        return Site(calls=(found,), end=end)

    def _child(self, mark: Token, outer: tuple[Token, ...]) -> Reading[tuple[Call, int] | None]:
        """`<tool>NAME</tool><tool_input>…</tool_input>`, within a wrapper or without one."""
        source = self.source
        at = yield from source.space(mark.end)
        end = yield from source.run(WORD, at, 300)
        name = self.offers.name(source.text[at:end])
        if name is None:
            return None
        at = yield from source.space(end)
        closing = yield from token(source, at)
        if closing is None or not closing.closes or closing.name != mark.name:
            return None
        at = yield from source.space(closing.end)
        inner = yield from token(source, at)
        if inner is None or inner.closes or inner.kind != mark.kind:
            raise NoCall(at)
        return (yield from self.inputs(name, inner, outer))

    def _tail(self, site: Site, opened: list[Token]) -> Reading[Site]:
        """The site with the closing marks after it, and with marks that end a turn."""
        source, end = self.source, site.end
        names = {mark.name for mark in opened}
        while True:
            at = yield from source.space(end)
            if not (yield from source.has(at + 1)):
                return evolve(site, end=end)
            mark = yield from token(source, at)
            if mark is None:
                return evolve(site, end=end)
            if mark.echoes and not mark.closes and not (yield from source.has(mark.end + 1)):
                return evolve(site, end=mark.end)
            own = mark.kind != "tag" or mark.name in names or CLOSING.match(mark.name)
            if not mark.closes or not own:
                return evolve(site, end=end)
            end = mark.end

    def fence(self, at: int, alone: bool) -> Reading[Site]:
        """The calls that a whole code fence is; `alone`: nothing stands before it."""
        source = self.source
        label, inside = yield from self.opened_fence(at)
        if label in DATA:
            begin = yield from source.space(inside)
            if not (yield from source.has(begin + 1)):
                raise NoCall(begin)
            if source.text[begin] in "{[" or label in CODE:
                try:
                    site = yield from self._rows("fence", begin, ())
                    return evolve(site, end=(yield from self.closed_fence(at, site.end)))
                except NoCall as no:
                    if source.text[begin] != "<":
                        raise NoCall(max(no.at, inside)) from None
        if not ((alone and label in ("", "xml", "text", "html")) or label in CODE):
            raise NoCall(inside)
        calls: list[Call] = []
        end = yield from source.space(inside)
        while not calls or not (yield from source.starts(source.text[at] * 3, end)):
            mark = yield from token(source, end)
            if mark is None:
                raise NoCall(end)
            site = yield from self.marked(end, mark)
            calls += site.calls
            end = yield from source.space(site.end)
        end = yield from self.closed_fence(at, end)
        after = yield from source.space(end)
        if label not in CODE and (yield from source.has(after + 1)):
            raise NoCall(after)
        return Site(calls=tuple(calls), end=end)

    def label(self, at: int) -> Reading[Site]:
        """What stands after `Action:`."""
        begin = yield from self.source.space(at)
        if not (yield from self.source.has(begin + 1)):
            raise NoCall(begin)
        if (yield from self.source.starts("```", begin)) or (yield from self.source.starts("~~~", begin)):
            return (yield from self.fence(begin, alone=False))
        return (yield from self._rows("label", begin, ()))

    def line(self, at: int) -> Reading[Site]:
        """A tool's name at the beginning of a line."""
        begin = at + 3 if (yield from self.source.starts(">>>", at)) else at
        return (yield from self._rows("line", begin, ()))

    def addressed(self, at: int) -> Reading[Site]:
        """`to=functions.NAME` without a mark before it."""
        end = yield from self.source.run(WORD, at + 3, 300)
        if self.offers.name(self.source.text[at + 3 : end]) is None:
            mark = yield from token(self.source, end)
            if mark is not None and mark.kind == "special":
                raise Echo(mark, message=True)
            raise NoCall(end)
        named: Named = yield from self.named(at, ())
        call, end = yield from self.after_name(named, ())
        return (yield from self._tail(Site(calls=(call,), end=end), []))


def _fitting(wrapper: Wrapper, first: str) -> Iterator[Row]:
    return (row for row in ROWS if row.wrapper == wrapper and row.looks.match(first))
