"""What a server sent: JSON, or an error that names the provider and says what it was instead."""

from __future__ import annotations

from typing import Any

import orjson
from codetether import MalformedResponse


def malformed(provider: str, what: str) -> MalformedResponse:
    """The error for something that no wire says."""
    return MalformedResponse(f"{provider}: the server sent {what}")


def read_json(provider: str, data: bytes) -> Any:
    """What the bytes say. Raises MalformedResponse where that is no JSON."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise malformed(provider, f"JSON that cannot be read ({error})") from None


def read_object(provider: str, data: bytes) -> dict[str, Any]:
    """The object in the bytes. Raises MalformedResponse where there is none."""
    body = read_json(provider, data)
    if not isinstance(body, dict):
        raise malformed(provider, "JSON that is no object")
    return body
