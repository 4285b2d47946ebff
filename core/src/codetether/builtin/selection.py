"""The default selection: preference order, model strings, default sampling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codetether.catalog import VENDORS, how_to_install, no_provider
from codetether.errors import UnknownModel
from codetether.hookspecs import hookimpl
from codetether.models.completion import ModelRef, SamplingParams
from codetether.models.providers import Availability
from codetether.plugin_contexts import PluginContext
from codetether.specs import LAST, ModelDefaults, SelectorSpec

PREFERENCE = ("zai", "openai", "github-copilot", "anthropic", "minimax", "openrouter", "novita", "moonshotai", "google")
ALIASES = {"zhipuai": "zai"}
LISTED = 12
"""Models that an error names; gateways have hundreds."""


def preferred(available: Sequence[Availability]) -> list[Availability]:
    """Those that can be used: the preference order, then by name, the embedded one last.

    One that is there for want of another is of no use unless it knows what to answer with.
    """
    rank = {name: place for place, name in enumerate(PREFERENCE)}
    usable = [a for a in available if a.available and (a.place < LAST or a.default_model)]
    return sorted(usable, key=lambda a: (a.place >= LAST, rank.get(a.name, len(rank)), a.place, a.name))


def named(word: str, available: Sequence[Availability]) -> Availability | None:
    """The provider of that name or alias."""
    own = ALIASES.get(word, word)
    return next((a for a in available if own == ALIASES.get(a.name, a.name) or word in a.aliases), None)


class Preference:
    """Cuts the wish at its first `/` when the part before it is a provider; else takes the preferred provider."""

    def __init__(self, default_provider: str | None) -> None:
        self._default_provider = default_provider

    async def select(self, wish: str | None, available: Sequence[Availability]) -> Sequence[ModelRef] | None:
        """One model. Raises UnknownModel for a named provider that is not there: never a fallback."""
        head, _, model = (wish or "").partition("/")
        if wish and (named(head, available) or head in VENDORS):
            provider = self._usable(head, wish, available)
            return [ModelRef(provider=provider.name, model=model or _default_model(provider))]
        if self._default_provider:
            provider = self._usable(self._default_provider, wish, available)
        else:
            order = preferred(available)
            if not order:
                raise no_provider(available)
            provider = order[0]
        return [ModelRef(provider=provider.name, model=wish or _default_model(provider))]

    @staticmethod
    def _usable(word: str, wish: str | None, available: Sequence[Availability]) -> Availability:
        found = named(word, available)
        if found is not None and found.available:
            return found
        why = f"it has no {found.lacks} ({found.reason})" if found else "it is not installed"
        there = ", ".join(a.name for a in preferred(available)) or "none"
        gateways = [a.name for a in preferred(available) if wish in a.models]
        offer = f"{gateways[0]} lists that model: -m {gateways[0]}/{wish}; " if gateways else ""
        own = found.name if found else ALIASES.get(word, word)
        command = (found.sign_in if found else "") or f"login {own}"
        key = f"a key for {own} (codetether auth {command})" if found else how_to_install(own)
        raise UnknownModel(
            f"the provider {word!r} is not available: {why}; available: {there}",
            remedy=f"{offer}{key}, or choose another with -m (codetether providers)",
        )


def _default_model(provider: Availability) -> str:
    if provider.default_model:
        return provider.default_model
    if len(provider.models) == 1:
        return provider.models[0]
    listed = ", ".join(provider.models[:LISTED]) or "it lists none"
    if (more := len(provider.models) - LISTED) > 0:
        listed += f" and {more} more"
    raise UnknownModel(
        f"the provider {provider.name!r} has no default model; its models: {listed}",
        remedy=f"name one: -m {provider.name}/MODEL (codetether models --provider {provider.name})",
    )


def _create(ctx: PluginContext) -> Preference:
    return Preference(ctx.core.provider)


@hookimpl
def codetether_selectors() -> Iterable[SelectorSpec]:
    """The preference order."""
    yield SelectorSpec(name="preference", create=_create, place=LAST)


@hookimpl
def codetether_model_defaults() -> Iterable[ModelDefaults]:
    """Temperature 0.7 and 8192 output tokens; 1.0 for models that want it."""
    yield ModelDefaults(match="*", sampling=SamplingParams(temperature=0.7, max_output_tokens=8192))
    for word in ("kimi-k2", "glm-", "minimax"):
        yield ModelDefaults(match=f"*/*{word}*", sampling=SamplingParams(temperature=1.0))
