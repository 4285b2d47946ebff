"""The dated catalogue of models: shipped as a file per provider, refreshed into the cache only when asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from codetether import CodetetherError, ModelDefaults, ModelLimits, ModelRef, PluginContext, replace_file

from codetether_provider_vendors.published import CAPABILITIES, Entry, entries_of
from codetether_provider_vendors.settings import PUBLISHED, VendorSettings

_SHIPPED = Path(__file__).with_name("catalogue")
_SAME = {"github-copilot-enterprise": "github-copilot"}
"""Providers that offer what another one does."""
_DATED = re.compile(r"[-@](\d{8}|\d{4}-\d\d-\d\d)(-v\d+:\d+)?$")
_PLACED = re.compile(r"^(us|eu|apac|jp|au|global)\.")
_SAMPLED = frozenset({"temperature", "top_p"})


class ModelCatalogue:
    """What is known of the models of many providers; one file is read for each provider that is asked for."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._settings = ctx.settings if isinstance(ctx.settings, VendorSettings) else VendorSettings()
        self._providers: dict[str, Mapping[str, Entry]] = {}
        self._plain: dict[str, Mapping[str, Entry]] = {}

    @property
    def date(self) -> str:
        """The day of the newer one: of the shipped catalogue, or of the one that was fetched."""
        return str(self._fetched["date"] if self._fetched else self._about["date"])

    def models(self, provider: str) -> Sequence[str]:
        """The ids of those that are offered."""
        return [id_ for id_, entry in self._entries(provider).items() if not entry.get("retired")]

    def defaults(self, ref: ModelRef) -> ModelDefaults | None:
        """Limits, prices and capabilities; a dated name that is not listed counts as the undated one."""
        entries = self._entries(ref.provider)
        plain = self._plain.get(ref.provider)
        if plain is None:
            plain = self._plain[ref.provider] = {id_.lower(): entry for id_, entry in entries.items()}
        entry = next((plain[name] for name in _names(ref.model.lower()) if name in plain), None)
        if entry is None:
            return None
        can = entry.get("can")
        capabilities = {} if can is None else {name: name in can for name in CAPABILITIES}
        return ModelDefaults(
            match=str(ref),
            limits=ModelLimits(context=entry.get("context"), output=entry.get("output")),
            prices=entry.get("prices", {}),
            capabilities=capabilities,
            omit=frozenset() if capabilities.get("temperature", True) else _SAMPLED,
        )

    async def refresh(self) -> str:
        """Fetches what is published now. Raises ConnectionFailed or MalformedResponse, and keeps what it has."""
        from codetether_provider_vendors.fetch import fetched

        entries = entries_of_or_fail(await fetched(self._settings.catalogue_url), self._settings.catalogue_url)
        date = f"{datetime.now(UTC):%Y-%m-%d}"
        whole = {"date": date, "source": self._settings.catalogue_url, "providers": entries}
        replace_file(self._ctx.cache_dir / "catalogue.json", orjson.dumps(whole))
        self.__dict__.pop("_fetched", None)
        self._providers.clear()
        self._plain.clear()
        return date

    def _entries(self, provider: str) -> Mapping[str, Entry]:
        name = _SAME.get(provider, provider)
        if name not in self._providers:
            fetched = self._fetched.get("providers", {}).get(name, {})
            shipped = self._shipped(name)
            self._providers[name] = {**_retired(shipped), **fetched} if fetched else shipped
        return self._providers[name]

    def _shipped(self, name: str) -> Mapping[str, Entry]:
        file = _SHIPPED / f"{name}.json"
        if not re.fullmatch(r"[a-z0-9-]+", name) or name == "about" or not file.is_file():
            return {}
        return _read(file.read_bytes())

    @cached_property
    def _about(self) -> Mapping[str, Any]:
        return _read((_SHIPPED / "about.json").read_bytes())

    @cached_property
    def _fetched(self) -> Mapping[str, Any]:
        """What was fetched, where it is newer than what is shipped; a damaged file counts as none."""
        try:
            made = _read((Path(self._ctx.cache_dir) / "catalogue.json").read_bytes())
            good = isinstance(made["providers"], dict) and made["date"] >= self._about["date"]
        except (OSError, ValueError, KeyError, TypeError, CodetetherError):
            return {}
        return made if good else {}


def entries_of_or_fail(body: bytes, url: str) -> Mapping[str, Mapping[str, Entry]]:
    """The entries in what was fetched. Raises MalformedResponse where it is something else."""
    from codetether import MalformedResponse

    try:
        return entries_of(orjson.loads(body))
    except ValueError as error:
        what = f"{url} gave no catalogue of models: {error}"
        raise MalformedResponse(what, remedy=f"The address of the one we know is {PUBLISHED}") from error


def _retired(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    return {id_: {**entry, "retired": True} for id_, entry in entries.items()}


def _names(model: str) -> list[str]:
    """The name, then what it may be listed as: without a date, a region, or a gateway's word on how to route."""
    plain = model.split(":", 1)[0] if "/" in model else model
    unplaced = _PLACED.sub("", plain)
    names = [model, plain, unplaced, _DATED.sub("", plain), _DATED.sub("", unplaced)]
    return list(dict.fromkeys(names))


def _read(data: bytes) -> Mapping[str, Any]:
    made = orjson.loads(data)
    if not isinstance(made, dict):
        raise ValueError("no JSON object")
    return made
