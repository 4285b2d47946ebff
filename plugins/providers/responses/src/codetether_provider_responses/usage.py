"""Tokens as a Responses server counts them become ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codetether import JSON, Usage


def read_usage(raw: Mapping[str, JSON]) -> Usage:
    """Input with what was cached, output with reasoning."""
    into, out = _counts(raw, "input_tokens_details"), _counts(raw, "output_tokens_details")
    return Usage(
        input_tokens=_count(raw.get("input_tokens")),
        output_tokens=_count(raw.get("output_tokens")),
        cache_read_tokens=_count(into.get("cached_tokens")),
        cache_write_tokens=_count(into.get("cache_write_tokens")),
        reasoning_tokens=_count(out.get("reasoning_tokens")),
    )


def _counts(raw: Mapping[str, JSON], name: str) -> Mapping[str, JSON]:
    found = raw.get(name)
    return found if isinstance(found, Mapping) else {}


def _count(value: Any) -> int:
    """A number of tokens; nonsense counts as none."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0
