"""What is known of the models of the accounts that are signed in: Copilot's own lists, kept when they were fetched."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from attrs import frozen
from codetether import (
    CodetetherError,
    ModelDefaults,
    ModelRef,
    PluginContext,
    Provider,
    ProviderSpec,
    Secret,
    replace_file,
)

if TYPE_CHECKING:
    from codetether_provider_copilot.models import AccountModel

_LARGEST = 8 * 1024 * 1024


@frozen(kw_only=True)
class Listed:
    """The models of one account, and the day on which they were asked for."""

    date: str = ""
    models: tuple[AccountModel, ...] = ()


class AccountCatalogue:
    """Knows the accounts' models once it was refreshed; nothing before, so that others are asked.

    Args:
        date: of what the providers' specs list.
    """

    def __init__(self, ctx: PluginContext, providers: Sequence[ProviderSpec], date: str) -> None:
        self._ctx = ctx
        self._providers = {spec.name: spec for spec in providers}
        self._date = date
        self._read: dict[str, Listed] = {}

    @property
    def date(self) -> str:
        """The newest of the lists."""
        return max([self._date, *(self._listed(name).date for name in self._providers)])

    def models(self, provider: str) -> Sequence[str]:
        """Those of the account that an agent can ask."""
        listed = self._listed(provider).models if provider in self._providers else ()
        able = [model for model in listed if model.usable]
        return [model.id for model in sorted(able, key=lambda model: not model.offered)]

    def defaults(self, ref: ModelRef) -> ModelDefaults | None:
        """What Copilot says of the account's model."""
        if ref.provider not in self._providers:
            return None
        found = (model for model in self._listed(ref.provider).models if model.id.lower() == ref.model.lower())
        model = next(found, None)
        return model.defaults(ref.provider) if model else None

    async def refresh(self) -> str:
        """Asks for the models of each account that is signed in; one that cannot be is said, and keeps its own."""
        from codetether_provider_copilot.models import fetch_models

        for spec in self._providers.values():
            provider = await self._provider(spec)
            if provider is None:
                continue
            try:
                body = await fetch_models(provider)
            except CodetetherError as error:
                self._ctx.notice(f"the models of {spec.name} stay as they are: {error.message}")
                continue
            kept = {"date": datetime.now(UTC).date().isoformat(), "data": body.get("data")}
            replace_file(self._path(spec.name), orjson.dumps(kept))
            self._read.pop(spec.name, None)
        return self.date

    async def _provider(self, spec: ProviderSpec) -> Provider | None:
        """The provider as a session would have it; None where nobody is signed in."""
        secret = await self._ctx.credentials.get(spec.name) or _from_environment(spec.env)
        if secret is None or not any(map(secret.get, spec.key_names)):
            return None
        own: Any = self._ctx.core.providers.get(spec.name)
        options: Mapping[str, Any] = own.options if own else {}
        return Provider(
            name=spec.name,
            wire=spec.wire,
            base_url=(own.base_url if own else None) or secret.get("base_url") or spec.base_url,
            secret=secret,
            headers=dict(own.headers) if own else {},
            options={**spec.quirks, **options},
        )

    def _path(self, provider: str) -> Path:
        return self._ctx.cache_dir / f"{provider}.json"

    def _listed(self, provider: str) -> Listed:
        if provider not in self._read:
            self._read[provider] = _read(self._path(provider))
        return self._read[provider]


def _read(path: Path) -> Listed:
    """What was kept; a file that cannot be read counts as none, and is written anew by the next refresh."""
    try:
        with path.open("rb") as file:
            kept = orjson.loads(file.read(_LARGEST))
        from codetether_provider_copilot.models import read_models  # heavy, and mostly there is no such file

        return Listed(date=str(kept["date"]), models=read_models(kept))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Listed()


def _from_environment(names: Sequence[str]) -> Secret | None:
    found = ((name, os.environ.get(name, "").strip()) for name in names)
    return next((Secret(values={"api_key": value}, source=f"env:{name}") for name, value in found if value), None)
