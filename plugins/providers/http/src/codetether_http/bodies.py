"""JSON as the bodies of requests hold it."""

from __future__ import annotations

from typing import Any

import orjson
from codetether import storable


def dumps(value: Any) -> bytes:
    """JSON, also of text that UTF-8 cannot hold: tools and models do produce lone surrogates."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(storable(value))


def exact(data: bytes) -> bytes:
    """A copy of its own size: orjson's bytes keep the 4 KiB that they grew in."""
    return bytes(memoryview(data))
