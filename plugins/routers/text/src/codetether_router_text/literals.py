"""Values as models write them: JSON, JSON-like with other quotes and bare keys, Python literals and calls."""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any

from attrs import frozen

from codetether_router_text.source import NoCall, Reading, Source

DEPTH = 60
"""Deeper nesting is no call."""
WORD = re.compile(r"[\w.+-]*")
KEY = re.compile(r"[\w.$-]*")
SPACED_KEY = re.compile(r"[\w.$ /-]*")
NUMERIC = re.compile(r"[-+.]?\d")
BARE = re.compile(r"[\w .:/@%#&!?+-]*")
IDENTIFIER = re.compile(r"\w*")
CALLEE = re.compile(r"[\w.:/-]*")
JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
LOOSE_NUMBER = re.compile(r"([+-]?)0*((?:\d[\d_]*)(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)")
HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")
JSON_WORDS = {"true": True, "false": False, "null": None}
PYTHON_WORDS = {"True": True, "False": False, "None": None}
CONTROL = re.compile(r"[\x00-\x1f]")
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
STOPS = {quote: re.compile(rf"[\\{quote}]") for quote in "\"'"}


@frozen(kw_only=True)
class Style:
    """How values are written.

    Attributes:
        quotes: what opens and closes a string; `"` and `'` know escapes, longer ones do not.
        python: Python's words, tuples, sets and string prefixes are part of the style, not a slip.
        bare_keys: keys need no quotes.
        assigns: what stands between a key and its value.
    """

    quotes: tuple[str, ...] = ('"',)
    python: bool = False
    bare_keys: bool = False


JSON_STYLE = Style()
PYTHON_STYLE = Style(quotes=('"', "'"), python=True)
MARKED_STYLE = Style(quotes=('<|"|>', "<escape>", '"', "'"), bare_keys=True)


@frozen
class Positional:
    """An argument without a name."""

    value: Any


class Literal:
    """One value being read; `repaired`: it is off its own style, so that only a lenient reader takes it."""

    def __init__(self, source: Source, style: Style) -> None:
        self._source = source
        self._style = style
        self.repaired = False

    def value(self, at: int, depth: int = 0) -> Reading[tuple[Any, int]]:
        """A value and its end. NoCall where there is none that is whole."""
        if depth > DEPTH or not (yield from self._source.has(at + 1)):
            raise NoCall(at)
        first = self._source.text[at]
        if first == "{":
            return (yield from self._braces(at + 1, depth + 1))
        if first == "[" or (first == "(" and self._style.python):
            return (yield from self._items(at + 1, "]" if first == "[" else ")", depth + 1))
        if (quote := (yield from self._quote(at))) is not None:
            return (yield from self._strings(at, quote))
        return (yield from self._word(at))

    def _items(self, at: int, close: str, depth: int) -> Reading[tuple[list[Any], int]]:
        source = self._source
        items: list[Any] = []
        at = yield from source.space(at)
        while not (yield from source.starts(close, at)):
            item, at = yield from self.value(at, depth)
            items.append(item)
            at = yield from self._comma(at, close)
        return items, at + 1

    def _comma(self, at: int, close: str) -> Reading[int]:
        """Past a comma to what follows; at the bracket that closes."""
        source = self._source
        at = yield from source.space(at)
        if (yield from source.starts(close, at)):
            return at
        if not (yield from source.starts(",", at)):
            raise NoCall(at)
        at = yield from source.space(at + 1)
        if (yield from source.starts(close, at)):
            self.repaired |= not self._style.python
        return at

    def _braces(self, at: int, depth: int) -> Reading[tuple[Any, int]]:
        source = self._source
        made: dict[str, Any] = {}
        at = yield from source.space(at)
        while not (yield from source.starts("}", at)):
            key, at = yield from self._key(at, depth)
            after = yield from source.space(at)
            if not (yield from source.starts(":", after)):
                if self._style.python and not made:
                    return (yield from self._set(key, after, depth))
                raise NoCall(after)
            if not isinstance(key, str):
                raise NoCall(at)
            after = yield from source.space(after + 1)
            made[key], at = yield from self.value(after, depth)
            at = yield from self._comma(at, "}")
        return made, at + 1

    def _set(self, first: Any, at: int, depth: int) -> Reading[tuple[Any, int]]:
        items = [first]
        at = yield from self._comma(at, "}")
        while not (yield from self._source.starts("}", at)):
            item, at = yield from self.value(at, depth)
            items.append(item)
            at = yield from self._comma(at, "}")
        return items, at + 1

    def _key(self, at: int, depth: int) -> Reading[tuple[Any, int]]:
        if self._style.python:
            return (yield from self.value(at, depth))
        if (quote := (yield from self._quote(at))) is not None:
            return (yield from self._strings(at, quote))
        end = yield from self._source.run(SPACED_KEY if self._style.bare_keys else KEY, at, 200)
        if end == at:
            raise NoCall(at)
        self.repaired |= not self._style.bare_keys
        return self._source.text[at:end].rstrip(), end

    def _quote(self, at: int) -> Reading[str | None]:
        for quote in self._style.quotes:
            if (yield from self._source.starts(quote, at)):
                return quote
        if (yield from self._source.starts("'", at)):
            self.repaired = True
            return "'"
        if self._style.python and self._source.text[at] in "rRuU":
            if not (yield from self._source.has(at + 2)):
                raise NoCall(at)
            if self._source.text[at + 1] in "\"'":
                return self._source.text[at : at + 2]
        return None

    def _strings(self, at: int, quote: str) -> Reading[tuple[str, int]]:
        """A string; in Python's style also several that stand side by side."""
        text, at = yield from self._string(at, quote)
        while self._style.python:
            after = yield from self._source.space(at)
            if not (yield from self._source.has(after + 1)):
                break
            following = yield from self._quote(after)
            if following is None:
                break
            more, at = yield from self._string(after, following)
            text += more
        return text, at

    def _string(self, at: int, quote: str) -> Reading[tuple[str, int]]:
        source = self._source
        if len(quote) > 2:
            end = yield from source.find(quote, at + len(quote))
            return source.text[at + len(quote) : end], end + len(quote)
        start, mark = at + len(quote), quote[-1]
        if self._style.python and (yield from source.starts(mark * 2, start)):
            return (yield from self._long(quote, mark * 3, start + 2))
        end = start
        while True:
            found = yield from source.search(STOPS[mark], end)
            if found is None:
                raise NoCall(len(source.text))
            end = found.start()
            if source.text[end] == mark:
                return self._plain(source.text[start:end], quote), end + 1
            if not (yield from source.has(end + 2)):
                raise NoCall(len(source.text))
            end += 2

    def _long(self, quote: str, mark: str, start: int) -> Reading[tuple[str, int]]:
        """A Python string in three quotes, from after them."""
        end = start
        while True:
            end = yield from self._source.find(mark, end)
            back = end
            while back > start and self._source.text[back - 1] == "\\":
                back -= 1
            if (end - back) % 2 == 0:
                return self._plain(self._source.text[start:end], quote, long=True), end + 3
            end += 1

    def _plain(self, raw: str, quote: str, long: bool = False) -> str:
        """What a string between quotes says."""
        if not long and CONTROL.search(raw):
            self.repaired = True
        if quote[0] in "rR":
            return raw
        if "\\" not in raw:
            return raw
        return self._pythons(raw) if self._style.python else self._jsons(raw)

    def _pythons(self, raw: str) -> str:
        body = raw.replace("\0", "\\0") if "\0" in raw else raw
        try:
            import warnings

            with warnings.catch_warnings():  # an unknown escape is a warning for Python, and stays as it is written
                warnings.simplefilter("ignore")
                made = ast.literal_eval('"""' + _guarded(body) + '"""')
        except (ValueError, SyntaxError, MemoryError):
            return self._jsons(raw)
        return str(made)

    def _jsons(self, raw: str) -> str:
        try:
            return str(json.loads(f'"{raw}"', strict=False))
        except ValueError:  # an escape that JSON does not know: a lenient reader takes the character itself
            self.repaired = True
            return ESCAPE.sub(_escaped, raw)

    def _word(self, at: int) -> Reading[tuple[Any, int]]:
        """A number, or one of the words for true, false and nothing."""
        end = yield from self._source.run(WORD, at, 400)
        word = self._source.text[at:end]
        if word in JSON_WORDS:
            return JSON_WORDS[word], end
        if word in PYTHON_WORDS:
            self.repaired |= not self._style.python
            return PYTHON_WORDS[word], end
        if self._style.bare_keys and not NUMERIC.match(word):
            return (yield from self._bare(at))
        return self._number(word, at), end

    def _bare(self, at: int) -> Reading[tuple[str, int]]:
        """A text without quotes."""
        end = yield from self._source.run(BARE, at, 200)
        if end == at:
            raise NoCall(at)
        self.repaired = True
        return self._source.text[at:end].strip(), end

    def _number(self, word: str, at: int) -> int | float:
        if JSON_NUMBER.fullmatch(word):
            return _counted(word, at)
        if HEXADECIMAL.fullmatch(word):
            self.repaired |= not self._style.python
            return int(word, 16)
        loose = LOOSE_NUMBER.fullmatch(word)
        if not loose or "__" in word:
            raise NoCall(at)
        self.repaired |= not self._style.python or word.lstrip("+-")[:1] == "0"
        return _counted((loose[1] + loose[2]).replace("_", "").lstrip("+"), at)


def arguments(literal: Literal, source: Source, at: int) -> Reading[tuple[dict[str, Any], list[Any], int]]:
    """What stands between the brackets of a Python call, from after the opening one: by name, by place, the end."""
    named: dict[str, Any] = {}
    placed: list[Any] = []
    at = yield from source.space(at)
    while not (yield from source.starts(")", at)):
        end = yield from source.run(IDENTIFIER, at, 200)
        after = yield from source.space(end)
        key = source.text[at:end]
        if key.isidentifier() and (yield from source.starts("=", after)):
            if (yield from source.starts("==", after)) or key in named:
                raise NoCall(after)
            after = yield from source.space(after + 1)
            named[key], at = yield from literal.value(after, 1)
        elif named:
            raise NoCall(at)
        else:
            item, at = yield from literal.value(at, 1)
            placed.append(item)
        at = yield from literal._comma(at, ")")
    return named, placed, at + 1


def _counted(word: str, at: int) -> int | float:
    number = float(word) if any(c in word for c in ".eE") else int(word)
    if isinstance(number, float) and not math.isfinite(number):
        raise NoCall(at)
    return number


def _guarded(body: str) -> str:
    """The text of a string so that it can stand between three double quotes."""
    return re.sub(r'\\.|"', lambda m: m[0] if len(m[0]) > 1 else '\\"', body, flags=re.DOTALL)


def _escaped(found: re.Match[str]) -> str:
    inner = found[1]
    if len(inner) == 5:
        return chr(int(inner[1:], 16))
    return SHORT.get(inner, inner if inner in "\"'\\/" else "\\" + inner)
