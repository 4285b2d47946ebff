"""Arguments written as tags: keys in attributes, in tags of their own, or as the tags' names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from codetether_router_text.coercion import Typed, Written
from codetether_router_text.literals import JSON_STYLE, Literal
from codetether_router_text.offers import ARGUMENTS, Offers
from codetether_router_text.source import NoCall, Reading, Source
from codetether_router_text.tokens import REACH, Token, pair, token

KEYS = ("name", "key", "param", "parameter", "id", "arg")
KEY_TAGS = re.compile(r"(?:arg|param|parameter)_?(?:key|name)|key")
VALUE_TAGS = re.compile(r"(?:(?:arg|param|parameter)_?)?value")
PARAMETERS = re.compile(r"param|parameter|arg|argument|field|property", re.IGNORECASE)
CDATA = re.compile(r"\s*<!\[CDATA\[(.*?)\]\]>\s*", re.DOTALL)
PATIENCE = 100_000
"""How far beyond the first tag that may end a value another one is looked for that balances it."""
EFFORT = 2_000_000
"""So many characters of a text may be looked at only to find tags in pairs."""
DEPTH = 30


class Element:
    """The body of an element that names a tool, or follows the tool's name."""

    def __init__(self, source: Source, offers: Offers, tool: str, opened: Token, outer: tuple[Token, ...]) -> None:
        self._source = source
        self._offers = offers
        self._tool = tool
        self._opened = opened
        self._outer = outer
        self.repaired = False

    def arguments(self, at: int) -> Reading[tuple[dict[str, Any] | Written, int]]:
        """The arguments, and the end of the element: its closing tag must be there."""
        source, known = self._source, self._offers.properties(self._tool)
        found: dict[str, Any] = {}
        key: str | None
        while True:
            at = yield from source.gap(at)
            if not found and (yield from source.starts("{", at)):
                value, at = yield from self._json(at)
                return value, (yield from self._closed(at))
            tag = yield from token(source, at)
            if tag is None:
                raise NoCall(at)
            if tag.closes:
                if self._ends(tag):
                    return found, tag.end
                if found and self._outer and ends(tag, self._outer[-1]):  # its own closing tag was forgotten
                    self.repaired = True
                    return found, at
                raise NoCall(at)
            if tag.kind == "special":
                raise NoCall(at)
            if tag.name in ARGUMENTS and tag.name not in known and not _key(tag) and not found:
                inner = Element(self._source, self._offers, self._tool, tag, (self._opened,))
                contents, at = yield from inner.contents(tag.end)
                self.repaired |= inner.repaired
                return contents, (yield from self._closed(at))
            if tag.name == self._opened.name and tag.prefix == self._opened.prefix:
                raise NoCall(at)
            if KEY_TAGS.fullmatch(tag.name) and tag.name not in known and not _key(tag):
                key, value, at = yield from self._pair(tag)
            else:
                key = _key(tag)
                if key is None and ((known and tag.name not in known) or PARAMETERS.fullmatch(tag.name)):
                    raise NoCall(at)
                value, at = yield from self._value(tag, nested=key is None)
                key = key or tag.name
            found[key] = value

    def contents(self, at: int) -> Reading[tuple[dict[str, Any] | Written, int]]:
        """What an element for all arguments holds: an object, tags, or one text."""
        start = yield from self._source.space(at)
        if (yield from self._source.starts("<", start)) or (yield from self._source.starts("{", start)):
            return (yield from self.arguments(start))
        text, end = yield from self._value(self._opened, nested=False, at=at)
        return text, end

    def _json(self, at: int) -> Reading[tuple[dict[str, Any], int]]:
        literal = Literal(self._source, JSON_STYLE)
        value, at = yield from literal.value(at)
        self.repaired |= literal.repaired
        return value, at

    def _closed(self, at: int) -> Reading[int]:
        at = yield from self._source.space(at)
        tag = yield from token(self._source, at)
        if tag is None or not self._ends(tag):
            raise NoCall(at)
        return tag.end

    def _ends(self, tag: Token) -> bool:
        """Whether the tag closes this element."""
        return ends(tag, self._opened)

    def _pair(self, tag: Token) -> Reading[tuple[str, Any, int]]:
        """`<arg_key>K</arg_key><arg_value>V</arg_value>`, perhaps with a type between them."""
        source = self._source
        key, at = yield from self._simple(tag)
        typed = False
        while True:
            at = yield from source.gap(at)
            following = yield from token(source, at)
            if following is None or following.closes:
                raise NoCall(at)
            if VALUE_TAGS.fullmatch(following.name):
                break
            kind, at = yield from self._simple(following)
            typed = kind not in ("string", "str")
        value, at = yield from self._value(following, nested=False)
        return key, Typed(value) if typed else value, at

    def _simple(self, tag: Token) -> Reading[tuple[str, int]]:
        """The text of a tag up to its closing one."""
        found = yield from self._source.search(re.compile(r"[<\]]"), tag.end)
        if found is None or found.start() - tag.end > 300:
            raise NoCall(tag.end)
        closing = yield from token(self._source, found.start())
        if closing is None or not closing.closes or closing.name != tag.name:
            raise NoCall(found.start())
        return self._source.text[tag.end : found.start()].strip(), closing.end

    def _value(self, tag: Token, nested: bool, at: int | None = None) -> Reading[tuple[Any, int]]:
        """The value of a parameter, and the end of its closing tag."""
        source = self._source
        start = tag.end if at is None else at
        if tag.alone:
            return Written(""), start
        schema = self._schema(tag.name) if nested else None
        if schema is not None:
            inside = yield from source.space(start)
            child = yield from token(source, inside)
            if child is not None and not child.closes and child.prefix == tag.prefix:
                return (yield from self._children(tag, inside, schema, 0))
        end, after = yield from self._end(tag, start)
        text = source.text[start:end]
        if text[:1] == "\n":  # the value stands on lines of its own
            text = text[1:].removesuffix("\n")
        if (data := CDATA.fullmatch(text)) is not None:
            text = data[1]
        hint = tag.attributes.get("string") or tag.attributes.get("type") or "string"
        return Typed(text) if hint not in ("true", "string", "str") else Written(text), after

    def _end(self, tag: Token, start: int) -> Reading[tuple[int, int]]:
        """Where the value ends and where its closing tag does.

        Of the closing tags that are followed by what may follow a value, the first that leaves the tags within the
        value in pairs counts; where none does, the first.
        """
        source, pattern = self._source, pair(tag.kind, tag.prefix, tag.name)
        first: tuple[int, int] | None = None
        earliest: tuple[int, int] | None = None
        depth, at, closings = 0, start, 0
        while first is None or (at - first[1] < PATIENCE and source.effort < EFFORT):
            if source.barren.get(pattern.pattern, at + 1) <= at:
                break
            found = yield from source.search(pattern, at, longest=REACH)
            if found is None:
                break
            at = found.end()
            if found["open"]:
                depth += 1
                continue
            depth, closings = depth - 1, closings + 1
            if tag is self._opened and earliest is None:
                earliest = (found.start(), at)
            if (first is None or depth < 0) and (yield from self._goes_on(tag, at)):
                first = first or (found.start(), at)
                if depth < 0:
                    return found.start(), at
        source.effort += at - first[1] if first else len(source.text) - start
        if not closings:
            source.barren[pattern.pattern] = min(start, source.barren.get(pattern.pattern, start))
        if first is None:
            return earliest or (yield from self._unclosed(tag, start))
        return (yield from self._before_next(tag, start, first))

    def _before_next(self, tag: Token, start: int, found: tuple[int, int]) -> Reading[tuple[int, int]]:
        """The end that was found, or the tool's next parameter before it: the closing tag was forgotten then."""
        source, known = self._source, self._offers.properties(self._tool)
        for mark in pair(tag.kind, tag.prefix, tag.name).finditer(source.text, start, found[0]):
            opened = (yield from token(source, mark.start())) if mark["open"] else None
            if opened is None or _key(opened) not in known or _key(opened) == _key(tag):
                continue
            if not self._offers.lenient:
                raise NoCall(mark.start())
            self.repaired = True
            return mark.start(), mark.start()
        return found

    def _unclosed(self, tag: Token, start: int) -> Reading[tuple[int, int]]:
        """A value whose closing tag was forgotten: up to the next key, or to the end of the element."""
        source = self._source
        if not self._offers.lenient or source.effort > EFFORT:
            raise NoCall(len(source.text))
        inner, outer = pair(tag.kind, tag.prefix, tag.name), self._opened
        if outer.kind == "special":
            raise NoCall(len(source.text))
        found = yield from source.search(re.compile(r"[<\]]"), start)
        while found is not None:
            mark = yield from token(source, found.start())
            if mark is not None and mark.kind != "special":
                if self._ends(mark) or (self._is_next(tag, mark)):
                    self.repaired = True
                    return found.start(), found.start()
                if inner.fullmatch(mark.text):
                    break
            found = yield from source.search(re.compile(r"[<\]]"), found.end())
        raise NoCall(len(source.text))

    def _is_next(self, tag: Token, mark: Token) -> bool:
        """Whether the mark begins the next parameter of the same kind."""
        if mark.closes:
            return False
        return bool(KEY_TAGS.fullmatch(mark.name)) or (mark.name == tag.name and _key(mark) is not None)

    def _goes_on(self, tag: Token, at: int) -> Reading[bool]:
        """Whether what follows a value is the next parameter, or the end of the element and then no loose text."""
        source, end = self._source, at
        at = yield from source.gap(at)
        if tag is self._opened and not (yield from source.has(at + 1)):
            return True
        following = yield from token(source, at)
        if tag is self._opened:  # one text is all that it holds: a line break or a mark follows it
            return following is not None or "\n" in source.text[end:at]
        if following is None:
            return False
        if not following.closes:
            same = following.name == tag.name and following.prefix == tag.prefix
            known = self._offers.properties(self._tool)
            if _key(tag) is not None or VALUE_TAGS.fullmatch(tag.name):
                return (same and _key(following) is not None) or bool(KEY_TAGS.fullmatch(following.name))
            return following.kind == tag.kind and (following.name in known or not known)
        if not self._ends(following):
            return bool(self._offers.lenient and self._outer and ends(following, self._outer[-1]))
        if not self._outer:
            return True
        after = yield from source.space(following.end)
        if not (yield from source.has(after + 1)):
            return True
        return (yield from token(source, after)) is not None or source.text[after] in "{["

    def _schema(self, key: str) -> Mapping[str, Any] | None:
        """The schema of a parameter that may hold tags; None for one that is plain text."""
        found = self._offers.tools[self._tool].schema.get("properties")
        schema = found.get(key) if isinstance(found, Mapping) else None
        return schema if isinstance(schema, Mapping) and _holds(schema) else None

    def _children(self, tag: Token, at: int, schema: Mapping[str, Any], depth: int) -> Reading[tuple[Any, int]]:
        """An object or a list written as tags within tags."""
        source = self._source
        if depth > DEPTH:
            raise NoCall(at)
        made: dict[str, Any] = {}
        items: list[Any] = []
        repeated: set[str] = set()
        while True:
            at = yield from source.space(at)
            child = yield from token(source, at)
            if child is None or child.kind == "special" or child.prefix != tag.prefix:
                raise NoCall(at)
            if child.closes:
                if child.name != tag.name:
                    raise NoCall(at)
                return (items if "array" in _types(schema) else made), child.end
            inner = _within(schema, child.name)
            start = yield from source.space(child.end)
            grandchild = yield from token(source, start)
            if grandchild is not None and not grandchild.closes and grandchild.prefix == tag.prefix:
                value, at = yield from self._children(child, start, inner, depth + 1)
            else:
                finish = yield from source.search(pair(child.kind, child.prefix, child.name), child.end, longest=REACH)
                if finish is None or finish["open"]:
                    raise NoCall(child.end)
                value, at = Written(source.text[child.end : finish.start()]), finish.end()
            items.append(value)
            if child.name in repeated:
                made[child.name].append(value)
            elif child.name in made:
                made[child.name] = [made[child.name], value]
                repeated.add(child.name)
            else:
                made[child.name] = value


def ends(tag: Token, opened: Token) -> bool:
    """Whether a closing token ends what the other one opened."""
    if not tag.closes:
        return False
    if "special" in (opened.kind, tag.kind):
        return opened.kind == tag.kind
    return tag.name == opened.name


def _key(tag: Token) -> str | None:
    """The parameter that a tag names by its value or an attribute."""
    if tag.value is not None:
        return tag.value
    return next((tag.attributes[key] for key in KEYS if key in tag.attributes), None)


def _types(schema: Mapping[str, Any]) -> set[str]:
    said = schema.get("type")
    if isinstance(said, str):
        return {said.lower()}
    if isinstance(said, list):
        return {str(kind).lower() for kind in said}
    branches = [b for word in ("anyOf", "oneOf") for b in schema.get(word) or () if isinstance(b, Mapping)]
    found = {kind for branch in branches for kind in _types(branch)}
    return found or ({"object"} if "properties" in schema or "$ref" in schema else set())


def _holds(schema: Mapping[str, Any]) -> bool:
    return bool(_types(schema) & {"object", "array"})


def _within(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The schema of a child: of the list's members, or of the object's property."""
    inner = schema.get("items") if "array" in _types(schema) else (schema.get("properties") or {}).get(name)
    return inner if isinstance(inner, Mapping) else {}
