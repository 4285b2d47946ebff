"""Providers as they are configured, what they need, and whether they can be used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field

from codetether.values import frozen


@frozen(kw_only=True)
class Secret:
    """What a credential source holds for one provider. Its repr shows no value.

    Attributes:
        values: e.g. `{"api_key": …, "base_url": …, "organization": …}`; `headers` may be a mapping.
        source: who gave it, e.g. `env:OPENAI_API_KEY`, for screens.
    """

    values: Mapping[str, Any] = field(repr=False)
    source: str = ""

    def get(self, name: str) -> str | None:
        """A value as text, None where it is absent or empty."""
        value = self.values.get(name)
        return str(value) if value not in (None, "") else None


@frozen(kw_only=True)
class Provider:
    """A provider as configured: its spec merged with settings and secrets.

    Attributes:
        secret: the credentials in force, None for a provider that needs none.
        options: `[providers.NAME]` beyond the known keys, and the spec's quirks.
    """

    name: str
    wire: str
    base_url: str
    secret: Secret | None = None
    default_model: str | None = None
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    options: Mapping[str, Any] = field(factory=dict)
    timeout: float = 600.0


@frozen(kw_only=True)
class Availability:
    """Whether a provider can be used now.

    Attributes:
        reason: why not, source by source; empty when it can.
        source: where its key comes from.
        lacks: what is missing where it cannot be used, e.g. `base URL`.
        sign_in: the command of `codetether auth` that gets its key; empty for `login`.
    """

    name: str
    available: bool
    default_model: str | None = None
    models: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    place: int = 500
    reason: str = ""
    source: str = ""
    lacks: str = "key"
    sign_in: str = ""


@frozen(kw_only=True)
class LocalModel:
    """A model file on this machine: where it is, its size in bytes, whether it is there."""

    name: str
    path: Path
    size: int | None
    present: bool
    description: str = ""
