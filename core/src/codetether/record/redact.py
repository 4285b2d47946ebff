"""Known secrets never leave: every text on its way to disk, log, screen or archive passes through a `Redactor`."""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

import attrs

from codetether.models.record import JSON

T = TypeVar("T")

SHORTEST = 8
"""Shorter values are too common to be hunted in every text."""

_HEAD = 4
_SHORT = 256  # characters up to which one walk of the pattern is faster than a search for each form


_WITHOUT_TEXT = frozenset((type(None), bool, int, float, bytes, datetime, Decimal))


class Redactor:
    """Replaces known secrets, in the forms in which they travel, by `[redacted:<name>]`.

    A secret is found as it is, escaped for JSON, quoted for URLs, in hex, and in base64 at any place of the encoded
    text. Of two that begin at the same character the longer one is taken.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._heads: dict[str, list[str]] = {}
        self._starts: set[str] = set()
        self._firsts: frozenset[str] = frozenset()
        self._longest = 0
        self._pattern: re.Pattern[str] | None = None

    @property
    def empty(self) -> bool:
        """Whether no secret is known, so that nothing needs to pass through here."""
        return not self._names

    def add(self, value: str, name: str) -> None:
        """Makes a secret known from now on. Values shorter than 8 characters are not taken."""
        if len(value.strip()) < SHORTEST:
            return
        for form in forms(value.strip()):
            if form not in self._names:
                self._names[form] = name
                self._heads.setdefault(form[:_HEAD], []).append(form)
                self._starts.update(form[:n] for n in range(1, _HEAD))
        self._firsts = frozenset(form[0] for form in self._names)
        self._longest = max(map(len, self._names))
        self._pattern = None

    def text(self, text: str) -> str:
        """The text without the secrets; the same object where it holds none."""
        if len(text) < _SHORT:
            return self._compiled().sub(self._mask, text) if self._names else text
        for form in self._names:
            if form in text:
                return self._compiled().sub(self._mask, text)
        return text

    def data(self, value: JSON) -> JSON:
        """JSON data with its texts redacted, keys too; the same object where nothing changed."""
        return value if self.empty else self._data(value)

    def value(self, value: T) -> T:
        """An attrs value (a message, an event, a journal entry) with its texts redacted; the same where it has none."""
        return value if self.empty else self._data(value)

    def stream(self) -> RedactedStream:
        """For text that arrives in pieces: a secret split over them is found."""
        return RedactedStream(self)

    def log_filter(self) -> logging.Filter:
        """For logging handlers: redacts messages, their arguments and tracebacks."""
        return _LogFilter(self)

    def _data(self, value: Any) -> Any:
        kind: Any = type(value)
        if isinstance(value, str):
            return self.text(value)
        if kind in _WITHOUT_TEXT or not value:
            return value
        if isinstance(value, (tuple, list)):
            items = [self._data(v) for v in value]
            if all(a is b for a, b in zip(items, value, strict=True)):
                return value
            return items if isinstance(value, list) else tuple(items)
        names = _field_names(kind)
        if names:
            held = [getattr(value, name) for name in names]
            made = {n: new for n, v in zip(names, held, strict=True) if (new := self._data(v)) is not v}
            return attrs.evolve(value, **made) if made else value
        return self._mapping(value) if isinstance(value, Mapping) else value

    def _mapping(self, value: Mapping[Any, Any]) -> Mapping[Any, Any]:
        made = {self._data(k): self._data(v) for k, v in value.items()}
        pairs = zip(made.items(), value.items(), strict=False)
        changed = any(new is not old for pair in pairs for new, old in zip(*pair, strict=True))
        return made if changed else value

    def _compiled(self) -> re.Pattern[str]:
        # The one place to change when hundreds of secrets ask for an automaton instead of alternatives.
        if self._pattern is None:
            self._pattern = re.compile("|".join(map(re.escape, sorted(self._names, key=len, reverse=True))))
        return self._pattern

    def _mask(self, match: re.Match[str]) -> str:
        return f"[redacted:{self._names[match[0]]}]"

    def _matches(self, text: str) -> Iterator[re.Match[str]]:
        return self._compiled().finditer(text) if self._names else iter(())

    def _pending(self, text: str, start: int) -> int:
        """Where the earliest end of `text` begins, at `start` or later, that may grow into a secret."""
        for i in range(max(start, len(text) - self._longest + 1), len(text)):
            if text[i] not in self._firsts:
                continue
            head = text[i : i + _HEAD]
            if len(head) < _HEAD:
                if head in self._starts:
                    return i
            elif head in self._heads:
                rest = text[i:]
                if any(len(form) > len(rest) and form.startswith(rest) for form in self._heads[head]):
                    return i
        return len(text)


class RedactedStream:
    """Text in pieces: holds back only an end that may be the beginning of a secret."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, text: str) -> str:
        """What can be shown by now."""
        if not self._held and self._redactor._firsts.isdisjoint(text):  # no secret begins here
            return text
        held = self._held + text
        limit = self._redactor._pending(held, 0)
        done: list[str] = []
        position = 0
        for match in self._redactor._matches(held):
            if match.start() >= limit:
                break
            done += held[position : match.start()], self._redactor._mask(match)
            position = match.end()
            if position > limit:  # that end belongs to a whole secret; the next one can begin only after it
                limit = self._redactor._pending(held, position)
        done.append(held[position:limit])
        self._held = held[limit:]
        return "".join(done)

    def finish(self) -> str:
        """What was held back, at the end of the text."""
        held, self._held = self._held, ""
        return self._redactor.text(held)


class _LogFilter(logging.Filter):
    """Redacts a record for every handler behind it."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        if self._redactor.empty:
            return True
        # A record that cannot be formatted would be printed with its arguments by logging itself.
        try:
            message = record.getMessage()
        except Exception as error:
            message = f"(a log record that cannot be formatted: {type(error).__name__})"
        record.msg, record.args = self._redactor.text(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self._redactor.text(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redactor.text(record.stack_info)
        return True


def forms(value: str) -> frozenset[str]:
    """The ways in which a secret is written down: as it is, JSON, URL, hex, base64."""
    data = value.encode("utf-8", "surrogatepass")
    quoted = {quote(data, safe=""), quote(data), quote_plus(data)}
    lower = {re.sub("%..", lambda m: m[0].lower(), q) for q in quoted}
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    encoded = {_inside_base64(data, offset) for offset in range(3)}
    url_safe = {e.replace("+", "-").replace("/", "_") for e in encoded}
    return frozenset({value, data.hex(), data.hex().upper()} | quoted | lower | escaped | encoded | url_safe)


def _inside_base64(data: bytes, offset: int) -> str:
    """The characters of base64 that `data` alone decides when `offset` (mod 3) bytes stand before it."""
    encoded = b64encode(bytes(offset) + data).decode().rstrip("=")
    whole = (offset + len(data)) % 3 == 0
    return encoded[(0, 2, 3)[offset] : None if whole else -1]


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    """The names of an attrs class's fields; empty for any other."""
    return tuple(a.name for a in attrs.fields(kind)) if attrs.has(kind) else ()
