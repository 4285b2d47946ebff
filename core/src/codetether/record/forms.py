"""The ways in which a known secret is written down."""

from __future__ import annotations

import json
import re
from base64 import b32encode, b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""Shorter values are too common to be hunted in every text."""
_COMMON = frozenset(
    """changeme changeit password passw0rd password1 password123 postgres postgresql localhost 127.0.0.1 development
    production username testtest test-key test_key no-api-key not-needed not-used undefined anything something
    placeholder your-api-key your_api_key secret123 mysecret lm-studio""".split()  # noqa: SIM905 - a list of words
)
"""Values that stand for no secret, and words that stand in many texts."""
_BITS = {32: b32encode, 64: b64encode}


def common(value: str) -> bool:
    """Whether a value is too short, or too common a word, to be taken out of every text."""
    value = value.strip()
    return len(value) < SHORTEST or value.lower() in _COMMON


def forms(value: str) -> frozenset[str]:
    """A secret as it is, in JSON (once and twice), in URLs, in HTML, reversed, in hex, and inside base64 and base32."""
    data = value.encode("utf-8", "surrogatepass")
    return frozenset({value, value[::-1], data.hex(), data.hex().upper(), *_quoted(value, data), *_encoded(data)})


def _quoted(value: str, data: bytes) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    for quoted in {quote(data, safe=""), quote(data), quote_plus(data)}:
        yield quoted
        yield re.sub("%..", lambda m: m[0].lower(), quoted)
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for apostrophe in ("'", "&#x27;", "&#39;", "&apos;"):
        yield escaped.replace("'", apostrophe)
        yield escaped.replace("'", apostrophe).replace('"', "&quot;")


def _encoded(data: bytes) -> Iterator[str]:
    for offset in range(3):
        inside = _inside(64, data, offset)
        yield inside
        yield inside.replace("+", "-").replace("/", "_")
    for offset in range(5):
        yield _inside(32, data, offset)


def _inside(base: int, data: bytes, offset: int) -> str:
    """The characters of the encoded text that `data` alone decides where `offset` bytes of a group stand before it."""
    width = base.bit_length() - 1  # bits of a character
    encoded = _BITS[base](bytes(offset) + data).decode().rstrip("=")
    begin, end = -(-offset * 8 // width), (offset + len(data)) * 8 // width
    return encoded[begin:end]
