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
    left = VALUES_LIMIT

    def bound(value: Any, depth: int) -> JSON:
        nonlocal left
        left -= 1
        match value:
            case None | bool():
                return value
            case int():
                return value if -(2**63) <= value < 2**63 else f"(an integer of {value.bit_length()} bits)"
            case float():
                return value if math.isfinite(value) else str(value)
            case str():
                return text(value)
            case PurePath() | Decimal() | datetime():
                return text(str(value))
            case Mapping() if depth < DEPTH_LIMIT:
                return {key(k): bound(v, depth + 1) for k, v in some(value.items())}
            case list() | tuple() if depth < DEPTH_LIMIT:
                return [bound(v, depth + 1) for v in some(value)]
            case _:
                return f"({type(value).__name__})"

    def key(name: Any) -> str:
        return text(name) if isinstance(name, str) else str(bound(name, DEPTH_LIMIT))

    def some(values: Iterable[T]) -> Iterator[T]:
        for value in values:
            if left <= 0:
                return
            yield value

    made: dict[str, JSON] = bound(detail, 0)
    return made
