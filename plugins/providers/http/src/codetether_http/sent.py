"""What a server sent: JSON, or an error that names the provider and says what it was instead."""

from __future__ import annotations

from typing import Any

import orjson
from codetether import MalformedResponse

LARGEST_ANSWER = 16 * 1024 * 1024
"""Characters that an answer may add up to."""
OF_A_DELTA = 32
"""What a piece of text costs beyond its characters, so that an endless answer of small ones ends as well."""


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


def check_size(provider: str, size: int) -> None:
    """Raises MalformedResponse where an answer is too large."""
    if size > LARGEST_ANSWER:
        raise malformed(provider, f"an answer of more than {LARGEST_ANSWER >> 20} MiB")
