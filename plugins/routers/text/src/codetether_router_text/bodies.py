"""The readers of the table: a header and a body each, from where the header begins to the end of the body."""

from __future__ import annotations

import re

from attrs import frozen

from codetether_router_text.elements import Element, ends
from codetether_router_text.lines import Lines
from codetether_router_text.literals import (
    CALLEE,
    MARKED_STYLE,
)
from codetether_router_text.offers import Call
from codetether_router_text.pieces import Calls
from codetether_router_text.source import NoCall, Reading
from codetether_router_text.table import Row
from codetether_router_text.tokens import ABOUT_CALLS, Token, token

WORD = re.compile(r"[\w.:/-]*")
FILLER = re.compile(r"[\w ./:?,-]*")
INFO = re.compile(r"[^\n`]*")
TICKS = re.compile(r"`*")
TILDES = re.compile(r"~*")
NAME_ATTRIBUTES = ("name", "tool", "function", "tool_name", "function_name", "recipient")
WRAPPERS = frozenset(["function_calls", "tool_calls", "function_call", "tool_call"])
SEPARATORS = 8


@frozen(kw_only=True)
class Named:
    """A name that was read: where what follows it begins, and whether marks stand between."""

    name: str
    end: int


class Bodies(Lines):
    """Reads what the rows of the table describe."""

    def body(self, row: Row, at: int, opened: tuple[Token, ...]) -> Reading[Calls]:
        """The calls of that row, from the header on."""
        match row.header, row.body:
            case "key", "json":
                if self.source.text[at] in "`~":
                    return (yield from self._fenced(at))
                return (yield from self._objects(at, row.wrapper))
            case "callee", _:
                return (yield from self._python(at))
            case "prefix", _:
                return (yield from self._prefixed(at))
            case "word", "text" if row.wrapper == "line":
                return (yield from self.told_text(at))
            case "word", "text":
                return (yield from self.labelled(at))
            case "word", _ if row.wrapper == "line":
                return (yield from self.named_lines(at))
            case "word", _:
                return (yield from self._words(at, opened))
        raise NoCall(at)

    def _words(self, at: int, opened: tuple[Token, ...]) -> Reading[Calls]:
        """A name and its arguments; more of them may follow at once, each with an object."""
        source = self.source
        named = yield from self.named(at, opened)
        call, end = yield from self.after_name(named, opened)
        calls = [call]
        while len(calls) < 256:
            at = yield from source.space(end)
            after = yield from source.run(WORD, at, 300)
            name = self.offers.name(source.text[at:after])
            if name is None or not (yield from source.starts("{", after)):
                break
            try:
                value, after = yield from self.literal(after)
                calls.append(self.made(name, value, after))
            except NoCall:
                break
            end = after
        return calls, end, False

    def _objects(self, at: int, wrapper: str) -> Reading[Calls]:
        """JSON that names its tools: one value or several, with `;` or `,` between them."""
        value, end = yield from self.literal(at, lenient=wrapper != "nothing")
        calls = self.offers.calls(value, wrapped=wrapper == "marks")
        if calls is None:
            raise NoCall(end)
        while len(calls) < 256:
            try:
                begin = yield from self.source.space(end)
                if (yield from self.source.starts(";", begin)) or (yield from self.source.starts(",", begin)):
                    begin = yield from self.source.space(begin + 1)
                if not (yield from self.source.starts("{", begin)):
                    break
                value, after = yield from self.literal(begin, lenient=wrapper != "nothing")
            except NoCall:
                break
            if (more := self.offers.calls(value, wrapped=wrapper == "marks")) is None:
                break
            calls, end = calls + more, after
        return calls, end, False

    def _python(self, at: int) -> Reading[Calls]:
        """A list of Python calls, or calls one after the other."""
        source = self.source
        if not (yield from source.starts("[", at)):
            return (yield from self._statements(at))
        calls: list[Call] = []
        at = yield from source.space(at + 1)
        while len(calls) < 256:
            call, at = yield from self.python_call(at)
            calls.append(call)
            at = yield from source.space(at)
            if (yield from source.starts("]", at)):
                return calls, at + 1, False
            if not (yield from source.starts(",", at)):
                break
            at = yield from source.space(at + 1)
            if (yield from source.starts("]", at)):
                return calls, at + 1, False
        raise NoCall(at)

    def _statements(self, at: int) -> Reading[Calls]:
        source = self.source
        calls: list[Call] = []
        end = at
        while len(calls) < 256:
            try:
                call, after = yield from self._statement(at)
            except NoCall:
                if not calls:
                    raise
                break
            calls.append(call)
            end = after
            at = yield from source.space(end)
            for separator in (";", ","):
                if (yield from source.starts(separator, at)):
                    at = yield from source.space(at + 1)
        return calls, end, False

    def _statement(self, at: int) -> Reading[tuple[Call, int]]:
        source = self.source
        if not (yield from source.starts("print(", at)) or "print" in self.offers.tools:
            return (yield from self.python_call(at))
        inner = yield from source.space(at + 6)
        call, at = yield from self.python_call(inner)
        at = yield from source.space(at)
        if not (yield from source.starts(")", at)):
            raise NoCall(at)
        return call, at + 1

    def _prefixed(self, at: int) -> Reading[Calls]:
        """`call:NAME{a:1}`."""
        source = self.source
        end = yield from source.run(CALLEE, at, 300)
        prefix, colon, written = source.text[at:end].partition(":")
        if not colon or prefix not in ("", "call", "function", "tool"):
            raise NoCall(end)
        name = self.offers.name(written)
        end = yield from source.space(end)
        if name is None or not (yield from source.starts("{", end)):
            raise NoCall(end)
        value, end = yield from self.literal(end, MARKED_STYLE)
        return [self.made(name, value, end)], end, False

    def named(self, at: int, opened: tuple[Token, ...]) -> Reading[Named]:
        """A name as a bare word, perhaps after a role and `to=`."""
        source = self.source
        end = yield from source.run(WORD, at, 300)
        name = self.offers.name(source.text[at:end])
        if name is None:
            if opened and opened[-1].kind != "special":
                raise NoCall(end)
            end = yield from source.run(FILLER, at, 80)
            if source.text[at:end].rpartition(" ")[2] != "to" or not (yield from source.starts("=", end)):
                raise NoCall(end)
            begin = end + 1
            end = yield from source.run(WORD, begin, 300)
            name = self.offers.name(source.text[begin:end])
        if name is None:
            raise NoCall(end)
        return Named(name=name, end=end)

    def after_name(self, named: Named, opened: tuple[Token, ...]) -> Reading[tuple[Call, int]]:
        """The arguments that follow a bare name, past marks and fillers between them."""
        source, name, at = self.source, named.name, named.end
        for _ in range(SEPARATORS):
            at = yield from source.gap(at)
            if not (yield from source.has(at + 1)):
                raise NoCall(at)
            first = source.text[at]
            if first == "{":
                value, end = yield from self.literal(at)
                return self.made(name, value, end), end
            if first in "`~":
                _, inside = yield from self.opened_fence(at)
                begin = yield from source.space(inside)
                value, end = yield from self.literal(begin)
                return self.made(name, value, end), (yield from self.closed_fence(at, end))
            mark = yield from token(source, at)
            if mark is None:
                end = yield from source.run(FILLER, at, 80)
                if end == at or "\n" in source.text[at:end] or not (yield from source.has(end + 1)):
                    raise NoCall(at)
                mark = yield from token(source, end)
                if mark is None or mark.kind != "special":
                    raise NoCall(end)
            elif (element_of := self.tool_of(mark)) is not None:
                return (yield from self.element(element_of, mark, opened))
            elif opened and (mark.closes or not _separates(mark)):
                if mark.closes and (self.offers.required(name) or not (yield from self._whole(mark, opened))):
                    raise NoCall(at)
                element = Element(source, self.offers, name, opened[-1], opened[:-1])
                found, end = yield from element.arguments(at)
                return self.made(name, found, end), end
            if mark.closes or mark.echoes:
                raise NoCall(at)
            at = mark.end
        raise NoCall(at)

    def tool_of(self, mark: Token) -> str | None:
        """The tool that an element names by its value or an attribute."""
        if mark.kind == "special" or mark.closes:
            return None
        return next((found for each in names_of(mark) if (found := self.offers.name(each)) is not None), None)

    def _whole(self, mark: Token, opened: tuple[Token, ...]) -> Reading[bool]:
        """Whether a name alone is a call: its own tag is closed, and if there is one around it, that goes on."""
        last = opened[-1]
        if last.kind == "special" or not ABOUT_CALLS.search(last.name) or not ends(mark, last):
            return False
        if len(opened) == 1:
            return True
        at = yield from self.source.space(mark.end)
        if not (yield from self.source.has(at + 1)):
            return False
        return (yield from token(self.source, at)) is not None

    def element(self, name: str, mark: Token, outer: tuple[Token, ...]) -> Reading[tuple[Call, int]]:
        """The call of an element that names its tool."""
        if mark.alone:
            if self.offers.required(name):
                raise NoCall(mark.end)
            return self.made(name, {}, mark.end), mark.end
        element = Element(self.source, self.offers, name, mark, outer)
        found, end = yield from element.arguments(mark.end)
        if element.repaired and not self.offers.lenient:
            raise NoCall(end)
        if not found and mark.value is None and not mark.attributes and self.offers.required(name):
            raise NoCall(end)
        return self.made(name, found, end), end

    def inputs(self, name: str, mark: Token, outer: tuple[Token, ...]) -> Reading[tuple[Call, int]]:
        """The call whose arguments are in an element of their own."""
        element = Element(self.source, self.offers, name, mark, outer)
        found, end = yield from element.contents(mark.end)
        return self.made(name, found, end), end

    def _fenced(self, at: int) -> Reading[Calls]:
        """Calls in a code fence between marks."""
        _, inside = yield from self.opened_fence(at)
        begin = yield from self.source.space(inside)
        if not (yield from self.source.has(begin + 1)):
            raise NoCall(begin)
        if self.source.text[begin] == "{" or self.source.text[begin] == "[":
            calls, end, _ = yield from self._objects(begin, "marks")
        else:
            calls, end, _ = yield from self._statements(begin)
        return calls, (yield from self.closed_fence(at, end)), False


def names_of(mark: Token) -> list[str]:
    """What may be a tool's name in a tag: its value, and attributes."""
    values = [mark.attributes[key] for key in NAME_ATTRIBUTES if key in mark.attributes]
    return values if mark.value is None else [mark.value, *values]


def _separates(mark: Token) -> bool:
    """Whether the mark stands between a name and its arguments, and is not one of them."""
    if mark.kind == "special":
        return True
    return "sep" in mark.name or (not mark.attributes and mark.value is None and mark.name in WRAPPERS)
