"""The selector `nicknames`: `-m fast` means what the settings say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import field, frozen
from codetether import Availability, ModelRef, PluginContext, SelectorSpec, SettingsSpec, hookimpl


@frozen(kw_only=True)
class NicknameSettings:
    """`[plugins.nicknames]`: `models` holds `provider/model` by nickname."""

    models: Mapping[str, str] = field(factory=dict)


class Nicknames:
    """Answers for names that it knows, and leaves all others to the selectors after it."""

    def __init__(self, models: Mapping[str, str]) -> None:
        self._models = models

    async def select(self, wish: str | None, available: Sequence[Availability]) -> Sequence[ModelRef] | None:
        """The model of that nickname, if its provider can be used."""
        provider, _, model = self._models.get(wish or "", "").partition("/")
        usable = {each.name for each in available if each.available}
        return [ModelRef(provider=provider, model=model)] if provider in usable else None


def _create(ctx: PluginContext) -> Nicknames:
    return Nicknames(ctx.settings.models)


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """What `[plugins.nicknames]` may hold."""
    yield SettingsSpec(cls=NicknameSettings)


@hookimpl
def codetether_selectors() -> Iterable[SelectorSpec]:
    """Asked before the preference order."""
    yield SelectorSpec(name="nicknames", create=_create, place=100)
