"""What else an audit entry tells, as a small piece of plain JSON, whatever a plugin put in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import PurePath
from typing import Any, TypeVar

from codetether.models.record import JSON

T = TypeVar("T")

VALUES_LIMIT, DEPTH_LIMIT = 500, 8
"""The detail of an audit entry holds at most so many values and levels."""


def bounded(detail: Mapping[str, JSON], text: Callable[[str], str]) -> dict[str, JSON]:
    """Any value with so many values, levels and digits at most; `text` cuts and cleans each text in it."""
    made: dict[str, JSON] = _Bound(text).value(detail, 0)
    return made


class _Bound:
    """What may still be told of one entry."""

    def __init__(self, text: Callable[[str], str]) -> None:
        self._text = text
        self._left = VALUES_LIMIT

    def value(self, value: Any, depth: int) -> Any:
        self._left -= 1
        match value:
            case None | bool():
                return value
            case int():
                return value if -(2**63) <= value < 2**63 else f"(an integer of {value.bit_length()} bits)"
            case float():
                return value if math.isfinite(value) else str(value)
            case str():
                return self._text(value)
            case PurePath() | Decimal() | datetime():
                return self._text(str(value))
            case Mapping() if depth < DEPTH_LIMIT:
                return {self._key(k): self.value(v, depth + 1) for k, v in self._some(value.items())}
            case list() | tuple() if depth < DEPTH_LIMIT:
                return [self.value(v, depth + 1) for v in self._some(value)]
            case _:
                return f"({type(value).__name__})"

    def _key(self, name: Any) -> str:
        return self._text(name) if isinstance(name, str) else str(self.value(name, DEPTH_LIMIT))

    def _some(self, values: Iterable[T]) -> Iterator[T]:
        for value in values:
            if self._left <= 0:
                return
            yield value
