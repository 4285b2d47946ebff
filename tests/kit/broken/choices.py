"""One plugin for each promise of selectors, agents, providers, models and settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from codetether import (
    AgentSpec,
    Availability,
    CatalogueSpec,
    ModelDefaults,
    ModelRef,
    PluginContext,
    ProviderSpec,
    SelectorSpec,
    SettingsSpec,
)

from tests.kit.broken import breaking


class FirstUsable:
    """A selector that keeps every promise."""

    def __init__(self, ctx: PluginContext) -> None:
        self.times = 0

    async def select(self, wish: str | None, available: Sequence[Availability]) -> Sequence[ModelRef] | None:
        usable = [a for a in available if self.takes(a)]
        return [ModelRef(provider=a.name, model=a.default_model or "") for a in usable]

    def takes(self, each: Availability) -> bool:
        return each.available


class Splitting(FirstUsable):
    async def select(self, wish: str | None, available: Sequence[Availability]) -> Sequence[ModelRef] | None:
        if wish is not None and len(wish) < 1000 and wish.count("/") == 1:
            provider, model = filter(None, wish.split("/"))
            return [ModelRef(provider=provider, model=model)]
        return await super().select(wish, available)


class Hopeful(FirstUsable):
    def takes(self, each: Availability) -> bool:
        return True


class Turning(FirstUsable):
    async def select(self, wish: str | None, available: Sequence[Availability]) -> Sequence[ModelRef] | None:
        self.times += 1
        chosen = list(await super().select(wish, available) or ())
        return chosen[self.times % 2 :]


class Undated:
    """A catalogue that does not say of when it is."""

    date = "yesterday"

    def models(self, provider: str) -> Sequence[str]:
        return ["m"]

    def defaults(self, ref: ModelRef) -> ModelDefaults | None:
        return ModelDefaults(match=str(ref)) if ref.model == "m" else None

    async def refresh(self) -> str:
        return self.date


class Certain(Undated):
    date = "2026-01-02"

    def defaults(self, ref: ModelRef) -> ModelDefaults | None:
        return ModelDefaults(match=str(ref))


@attrs.frozen(kw_only=True)
class Demanding:
    url: str


@attrs.define(kw_only=True)
class Changing:
    url: str = ""


@attrs.frozen(kw_only=True)
class Telling:
    api_key: str = ""


def selector(cls: type[Any]) -> Any:
    """A plugin with such a selector."""
    return breaking("selectors", SelectorSpec(name="probe", create=cls))


BROKEN: dict[str, Any] = {
    "every wish is answered": selector(Splitting),
    "what cannot be used is not chosen": selector(Hopeful),
    "the same wish gets the same models": selector(Turning),
    "an agent can be chosen": breaking("agents", AgentSpec(name="My Agent", description="cannot be typed")),
    "a provider can be reached": breaking(
        "providers", ProviderSpec(name="probe", wire="x", base_url="ftp://x", env=("X",))
    ),
    "what is said of models is plausible": breaking(
        "model_defaults", ModelDefaults(match="GPT", prices={"input": "2"})
    ),
    "a catalogue is dated and plausible": breaking(
        "catalogues", CatalogueSpec(name="probe", create=lambda ctx: Undated())
    ),
    "an unknown model is no error": breaking("catalogues", CatalogueSpec(name="probe", create=lambda ctx: Certain())),
    "settings have defaults": breaking("settings", SettingsSpec(cls=Demanding)),
    "settings do not change": breaking("settings", SettingsSpec(cls=Changing)),
    "settings hold no secret": breaking("settings", SettingsSpec(cls=Telling)),
}
