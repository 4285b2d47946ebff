"""Where two JSON values differ, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def differences(wanted: Any, got: Any, path: str = "") -> list[str]:
    """Where two JSON values differ, one line each."""
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        names = [*wanted, *(name for name in got if name not in wanted)]
        where = f"{path}." if path else ""
        return [line for name in names for line in differences(wanted.get(name), got.get(name), f"{where}{name}")]
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        pairs = enumerate(zip(wanted, got, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, f"{path}[{i}]")]
    return [] if wanted == got else [f"{path}: {_short(wanted)} expected, got {_short(got)}"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:57]}…{text[-57:]}"
