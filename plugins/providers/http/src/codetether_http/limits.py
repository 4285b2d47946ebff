"""How long and how large an answer may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from codetether import SettingsError

_OPTIONS = {"connect_timeout": "connect", "idle_timeout": "idle"}


@frozen(kw_only=True)
class Limits:
    """Seconds and bytes.

    Attributes:
        total: from the request to the last byte of the answer. connect: to a connection. idle: between two reads.
        body: bytes of an answer that does not stream. event: bytes of one streamed event. stream: bytes of a stream.
    """

    total: float = 600.0
    connect: float = 10.0
    idle: float = 300.0
    body: int = 8 * 1024 * 1024
    event: int = 4 * 1024 * 1024
    stream: int = 128 * 1024 * 1024


def limits_from(provider: str, timeout: float, options: Mapping[str, Any]) -> Limits:
    """A provider's limits: `timeout` is the total; `connect_timeout` and `idle_timeout` are among its options."""
    seconds: dict[str, float] = {"total": timeout}
    for option, name in _OPTIONS.items():
        value = options.get(option)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise SettingsError(
                f"{value!r} is no number of seconds above 0",
                path=("providers", provider, "options", option),
                remedy="e.g. 30",
            )
        seconds[name] = float(value)
    return Limits(**seconds)  # type: ignore[arg-type]
