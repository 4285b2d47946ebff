"""Known secrets never leave: every text on its way to disk, log, screen or archive passes through a `Redactor`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from codetether.models.record import JSON
from codetether.record.forms import SHORTEST, common, forms

if TYPE_CHECKING:
    from codetether.record.search import ShapeSearch, Span

T = TypeVar("T")
_SHORT = 64
"""Bytes of streamed text up to which a look at each of them is cheaper than a search."""
_REMEMBERED = 4096
"""Such pieces, and such texts, about which that is remembered: models and records say the same again and again."""
_MASK = re.compile(r"\[redacted:([^\]\s]{1,200})\]")
_WITHOUT_TEXT = frozenset((type(None), bool, int, float, bytes, datetime, Decimal))


class Redactor:
    """Replaces secrets by `[redacted:<name>]`: known ones in the forms in which they travel, others by their shapes.

    A known secret is found as it is, escaped for JSON or HTML, quoted for URLs, reversed, in hex, in base32 and base64
    at any place of the encoded text, and with line breaks within. Of two that begin at the same character the longer
    one is taken. `shapes`: what unknown secrets look like; without them only known ones are found.
    """

    def __init__(self, shapes: ShapeSearch | None = None) -> None:
        from codetether.record.search import KnownForms

        self._known = KnownForms()
        self._shapes = shapes
        self._names: set[str] = set()
        self._added: dict[str, str] = {}
        self._clean: set[str] = set()
        self._quiet_until: dict[bytes, int | None] = {}
        self._lasting: dict[int, tuple[Any, Any]] = {}

    @property
    def empty(self) -> bool:
        """Whether there is nothing to look for, so that nothing needs to pass through here."""
        return not self._names and self._shapes is None

    def add(self, value: str, name: str) -> bool:
        """Makes a secret known from now on. False for one that is too short or too common to be looked for."""
        if common(value):
            return False
        if self._added.get(value) == name:
            return True
        for form in forms(value.strip()):
            self._known.add(form, name)
        self._names.add(name)
        self._added[value] = name
        # Others only now: another thread that looks something through meanwhile puts it into the old ones.
        self._clean, self._quiet_until, self._lasting = set(), {}, {}
        return True

    def text(self, text: str) -> str:
        """The text without the secrets; the same object where it holds none."""
        clean = self._clean
        if len(text) < SHORTEST or text in clean or self.empty:
            return text
        data = text.encode("utf-8", "surrogatepass")
        spans, _ = self._spans(data)
        if spans:
            return _masked(data, spans).decode("utf-8", "surrogatepass")
        if len(text) <= _SHORT:
            if len(clean) >= _REMEMBERED:
                clean.clear()
            clean.add(text)
        return text

    def known(self, text: str) -> str | None:
        """The name of a known secret that stands in the text, None where none does."""
        found = self._known.find(text.encode("utf-8", "surrogatepass")) if self._names else ()
        return found[0].name if found else None

    def mask(self, text: str) -> str | None:
        """The first mask in the text that stands for a secret which was taken out here, None where none does."""
        names = self._names | (self._shapes.names if self._shapes else frozenset())
        return next((found[0] for found in _MASK.finditer(text) if found[1] in names), None)

    def data(self, value: JSON) -> JSON:
        """JSON data with its texts redacted, keys too; the same object where nothing changed."""
        return value if self.empty else self._data(value)

    def value(self, value: T) -> T:
        """An attrs value (a message, an event, a journal entry) with its texts redacted; the same where it has none."""
        return value if self.empty else self._data(value)

    def lasting(self, value: T) -> T:
        """The same for a value that is there for long, and never changes: it is looked through once for all."""
        lasting = self._lasting
        held = lasting.get(id(value))
        if held is None:
            held = value, self.value(value)
            if len(lasting) < _REMEMBERED:
                lasting[id(value)] = held
        made: T = held[1]
        return made

    def stream(self) -> RedactedStream:
        """For text that arrives in pieces: a secret split over them is found."""
        return RedactedStream(self)

    def log_filter(self) -> logging.Filter:
        """For logging handlers: redacts messages, their arguments and tracebacks."""
        return _LogFilter(self)

    def clean(self, error: BaseException | None) -> None:
        """Takes secrets out of an exception's texts, and of those that led to it."""
        seen: set[int] = set()
        while error is not None and id(error) not in seen and not self.empty:
            seen.add(id(error))
            error.args = self._data(error.args)
            held = getattr(error, "__dict__", {})
            held.update({name: self.text(value) for name, value in held.items() if isinstance(value, str)})
            for inner in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
                self.clean(inner)
            error = error.__cause__ or error.__context__

    @contextmanager
    def logs(self) -> Iterator[None]:
        """As long as this lasts, every log record of the process is without secrets, whoever handles it."""
        made, clean = logging.getLogRecordFactory(), _LogFilter(self)

        def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = made(*args, **kwargs)
            clean.filter(record)
            return record

        logging.setLogRecordFactory(factory)
        try:
            yield
        finally:
            if logging.getLogRecordFactory() is factory:
                logging.setLogRecordFactory(made)

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
            held = [(name, v) for name in names if type(v := getattr(value, name)) not in _WITHOUT_TEXT]
            made = {name: new for name, v in held if (new := self._data(v)) is not v}
            return attrs.evolve(value, **made) if made else value
        return self._mapping(value) if isinstance(value, Mapping) else value

    def _mapping(self, value: Mapping[Any, Any]) -> Mapping[Any, Any]:
        made = {self._data(k): self._data(v) for k, v in value.items()}
        pairs = zip(made.items(), value.items(), strict=False)
        changed = any(new is not old for pair in pairs for new, old in zip(*pair, strict=True))
        return made if changed else value

    def _spans(self, data: bytes, before: bytes = b"") -> tuple[list[Span], int]:
        """The secrets in the data, and where the first shape begins that more data could change."""
        known = self._known.find(data)
        if self._shapes is None:
            return known, len(data)
        shaped, limit = self._shapes.find(data, known, before)
        return sorted((*known, *shaped), key=lambda span: span.start) if shaped else known, limit

    def _decided(self, data: bytes, before: bytes) -> tuple[list[Span], int]:
        """The secrets that no more data could change, and up to where the data is decided."""
        spans, shaped = self._spans(data, before)
        limit = self._open_from(data, 0, shaped)
        for index, span in enumerate(spans):
            if span.start >= limit:
                return spans[:index], limit
            if span.end > limit:
                if not span.known:  # a known one may begin in it
                    return spans[:index], span.start
                limit = self._open_from(data, span.end, shaped)  # that end belongs to a whole secret
        return spans, limit

    def _quiet(self, data: bytes) -> int | None:
        """Up to where short data is decided, since no secret begins in it; None where one may."""
        quiet_until = self._quiet_until
        try:
            return quiet_until[data]
        except KeyError:
            found = self._looked_through(data)
        if len(quiet_until) < _REMEMBERED:
            quiet_until[data] = found
        return found

    def _looked_through(self, data: bytes) -> int | None:
        if b"\n" in data or b"\r" in data:
            return None
        heads, first = self._known.heads, self._shapes.first if self._shapes else ()
        for at in range(len(data) - 2):
            four = data[at : at + 4]
            if four in heads or four in first or four[:3] in first:
                return None
        starts, others = self._known.starts, self._shapes.starts if self._shapes else ()
        for at in range(max(len(data) - 3, 0), len(data)):
            if (end := data[at:]) in starts or end in others:
                return at
        return len(data)

    def _open_from(self, data: bytes, start: int, shaped: int) -> int:
        limit = self._known.open_from(data, start)
        return limit if self._shapes is None else min(limit, max(shaped, start), self._shapes.open_from(data, start))


class RedactedStream:
    """Text in pieces: holds back only an end that may be the beginning of a secret."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = self._before = b""

    def feed(self, text: str) -> str:
        """What can be shown by now."""
        data = self._held + text.encode("utf-8", "surrogatepass")
        limit = self._redactor._quiet(data) if len(data) <= _SHORT else None
        if limit is not None:
            return self._let_go(data, (), limit)
        spans, limit = self._redactor._decided(data, self._before)
        return self._let_go(data, spans, limit)

    def finish(self) -> str:
        """What was held back, at the end of the text."""
        if not self._held:
            return ""
        spans, _ = self._redactor._spans(self._held, self._before)
        return self._let_go(self._held, spans, len(self._held))

    def _let_go(self, data: bytes, spans: Sequence[Span], limit: int) -> str:
        if limit:
            self._before = data[limit - 1 : limit]
        self._held, data = data[limit:], data[:limit]
        return (_masked(data, spans) if spans else data).decode("utf-8", "surrogatepass")


def _masked(data: bytes, spans: Iterable[Span]) -> bytes:
    """The data with a mask in place of each span; they come from left to right."""
    done: list[bytes] = []
    position = 0
    for span in spans:
        done += data[position : span.start], f"[redacted:{span.name}]".encode()
        position = span.end
    return b"".join((*done, data[position:]))


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
            message = record.msg = f"(a log record that cannot be formatted: {type(error).__name__})"
            record.args = ()
        if (clean := self._redactor.text(message)) is not message:
            record.msg, record.args = clean, ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self._redactor.text(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redactor.text(record.stack_info)
        return True


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    """The names of an attrs class's fields; empty for any other."""
    return tuple(a.name for a in attrs.fields(kind)) if attrs.has(kind) else ()
