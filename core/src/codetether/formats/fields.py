"""Fields of JSON that anyone may have written: a value of the kind that is wanted, or its empty one."""

from __future__ import annotations

import math
from base64 import b64decode
from binascii import Error
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote_to_bytes

from codetether.models.record import JSON
from codetether.values import define

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 2**53


@define(eq=False)
class Fields:
    """A JSON object whose fields are asked for by kind; what is of another kind counts as absent.

    `Fields(value)` of what is no object has no fields.
    """

    raw: Any

    def __bool__(self) -> bool:
        return bool(self.raw) and isinstance(self.raw, dict)

    def __contains__(self, name: str) -> bool:
        return isinstance(self.raw, dict) and name in self.raw

    def get(self, name: str) -> JSON:
        """The value as it is, None where there is none."""
        return self.raw.get(name) if self.raw.__class__ is dict else None

    def text(self, *names: str) -> str:
        """The first of these fields that holds text, not empty; else ''."""
        raw = self.raw
        if raw.__class__ is dict:
            for name in names:
                value = raw.get(name)
                if value and value.__class__ is str:
                    return str(value)
        return ""

    def object(self, name: str) -> Fields:
        """The object in a field, or one without fields."""
        return Fields(self.get(name))

    def list(self, name: str) -> list[JSON]:
        """The list in a field, or an empty one."""
        value = self.get(name)
        return value if isinstance(value, list) else []

    def objects(self, name: str) -> Iterator[Fields]:
        """The objects of the list in a field."""
        return (Fields(value) for value in self.list(name) if isinstance(value, dict))

    def count(self, *names: str) -> int:
        """The first of these fields that holds a number, as a whole one and not below 0; else 0."""
        for name in names:
            value = self.get(name)
            if value.__class__ is int or (value.__class__ is float and math.isfinite(value)):
                return int(min(max(value, 0), _LARGEST))
        return 0

    def flag(self, name: str) -> bool:
        """Whether the field is true."""
        return self.get(name) is True

    def money(self, name: str) -> Decimal | None:
        """An amount that is not below 0."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            return None
        return amount if amount.is_finite() and 0 <= amount < _LARGEST else None

    def time(self, *names: str) -> datetime | None:
        """The first of these fields that is a time: ISO 8601, or seconds or milliseconds since 1970."""
        return next((at for name in names if (at := moment(self.get(name))) is not None), None)


def moment(value: JSON) -> datetime | None:
    """A time in UTC: of ISO 8601 (more than six decimals are cut; no zone means UTC), of seconds or milliseconds."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return _EPOCH + (timedelta(milliseconds=value) if value > 1e11 else timedelta(seconds=value))
    except (ValueError, OverflowError):
        pass
    return None


def decoded(text: str) -> bytes | None:
    """What base64 holds, None where it is none."""
    try:
        return b64decode(text, validate=True)
    except (Error, ValueError):
        return None


def data_url(url: str) -> tuple[str, bytes] | None:
    """The media type and the bytes of a `data:` URL, None where it is none."""
    head, comma, body = url.partition(",")
    if not comma or not head.startswith("data:"):
        return None
    media_type, _, options = head.removeprefix("data:").partition(";")
    data = decoded(body) if "base64" in options else unquote_to_bytes(body)
    return None if data is None else (media_type or "text/plain", data)
