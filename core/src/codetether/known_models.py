"""What is known of models: what they take, refuse and cost, layer by layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import attrs

from codetether.errors import PluginError, UsageError
from codetether.models.completion import ModelLimits, ModelRef, SamplingParams, Usage
from codetether.plugins.boundary import BROKEN
from codetether.protocols import Catalogue
from codetether.settings.core import SamplingSettings
from codetether.specs import ModelDefaults
from codetether.values import frozen

_WILDCARD = re.compile(r"[*?\[]")
_KINDS = ("input", "cache_read", "cache_write", "output", "reasoning")


@frozen(kw_only=True)
class NamedCatalogue:
    """A catalogue with the plugin that it comes from."""

    plugin: str
    name: str
    catalogue: Catalogue


class KnownModels:
    """The defaults of models: what holds for all, then the catalogues, then the plugins', then the user's settings."""

    def __init__(
        self,
        defaults: Sequence[ModelDefaults],
        catalogues: Sequence[NamedCatalogue],
        settings: SamplingSettings,
        failed: Callable[[str, str, BaseException], None],
    ) -> None:
        """`failed(plugin, hook, error)` is told of a catalogue that broke its promise."""
        self._layers = sorted(defaults, key=lambda d: len(d.match.replace("*", "")))
        self._catalogues = list(catalogues)
        self._settings = settings
        self._failed = failed
        self._merged: dict[ModelRef, ModelDefaults] = {}

    def names(self, provider: str) -> tuple[str, ...]:
        """The models of a provider that a catalogue lists; the first one that knows the provider counts."""
        for named in self._catalogues:
            listed: tuple[str, ...] = self._asked(named, lambda made: tuple(map(str, made.models(provider))), ())
            if listed:
                return listed
        return ()

    def dates(self) -> dict[str, str]:
        """The date of each catalogue, by its name."""
        return {named.name: self._asked(named, lambda made: str(made.date), "") for named in self._catalogues}

    async def refresh(self) -> dict[str, str]:
        """Fetches every catalogue that can be refreshed: the new date by name. Raises what the fetch raises."""
        if not self._catalogues:
            raise UsageError(
                "no plugin here brings a catalogue of models", remedy="codetether plugins shows what is installed"
            )
        try:
            return {named.name: await named.catalogue.refresh() for named in self._catalogues}
        finally:
            self._merged.clear()

    def listed(self, ref: ModelRef) -> ModelDefaults | None:
        """What the first catalogue that knows the model says of it."""
        return next((found for _, found in self._found(ref)), None)

    def listed_in(self, ref: ModelRef) -> str | None:
        """The name and date of that catalogue."""
        return next((f"{named.name} {self.dates()[named.name]}" for named, _ in self._found(ref)), None)

    def _found(self, ref: ModelRef) -> Iterator[tuple[NamedCatalogue, ModelDefaults]]:
        for named in self._catalogues:
            found: ModelDefaults | None = self._asked(named, lambda made: _checked(made.defaults(ref)), None)
            if found is not None:
                yield named, found

    def defaults(self, ref: ModelRef) -> ModelDefaults:
        """What holds for the model, the user's sampling laid over it."""
        if ref not in self._merged:
            self._merged[ref] = self._merge(ref)
        return self._merged[ref]

    def _merge(self, ref: ModelRef) -> ModelDefaults:
        name = f"{ref.provider}/{ref.model}".lower()
        fitting = [layer for layer in self._layers if _fits(name, layer.match.lower())]
        general = [layer for layer in fitting if not layer.match.strip("*/")]
        own = [layer for layer in fitting if layer.match.strip("*/")]
        listed = self.listed(ref)
        merged = ModelDefaults(match=name)
        for layer in (*general, *([listed] if listed else ()), *own):
            merged = _laid_over(merged, layer)
        merged = attrs.evolve(merged, sampling=_within(merged.sampling, merged.limits))
        wanted = {f: None if f in merged.fixed else getattr(self._settings, f) for f in _said_by(self._settings)}
        sampling = _over(merged.sampling, wanted)
        refused: dict[str, Any] = {field: None for field in merged.omit if field in attrs.fields_dict(SamplingParams)}
        if "stop" in refused:
            refused["stop"] = ()
        return attrs.evolve(merged, sampling=attrs.evolve(sampling, **refused))

    def priced(self, ref: ModelRef, usage: Usage) -> Usage:
        """The usage with its cost, where prices are known and the provider gave none."""
        prices = self.defaults(ref).prices
        if usage.cost is not None or not prices:
            return usage
        rates = _rates(prices, usage.input_tokens)
        thought = usage.reasoning_tokens if "reasoning" in rates else 0
        amounts = {
            "input": max(0, usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens),
            "cache_read": usage.cache_read_tokens,
            "cache_write": usage.cache_write_tokens,
            "output": max(0, usage.output_tokens - thought),
            "reasoning": thought,
        }
        plain = rates.get("input", Decimal(0))
        cost = sum((rates.get(kind, plain) * count for kind, count in amounts.items()), Decimal(0)) / 1_000_000
        return attrs.evolve(usage, cost=cost)

    def _asked(self, named: NamedCatalogue, question: Callable[[Catalogue], Any], otherwise: Any) -> Any:
        try:
            return question(named.catalogue)
        except BROKEN as error:  # a catalogue that fails is as good as none, and that is said
            self._failed(named.plugin, f"codetether_catalogues {named.name}", error)
            return otherwise


def _fits(name: str, match: str) -> bool:
    """Whether the glob fits. Most are about other providers: what stands before their first wildcard tells."""
    return name.startswith(_WILDCARD.split(match, maxsplit=1)[0]) and fnmatchcase(name, match)


def _checked(made: Any) -> ModelDefaults | None:
    if made is not None and not isinstance(made, ModelDefaults):
        raise PluginError(f"defaults() gave {type(made).__name__}, not ModelDefaults")
    return made


def _rates(prices: Mapping[str, str], input_tokens: int) -> dict[str, Decimal]:
    """Dollars per million tokens of each kind for a request of that size: the highest step that it is beyond."""
    rates = {kind: Decimal(prices[kind]) for kind in _KINDS if kind in prices}
    steps = [(int(size), kind, key) for key in prices for kind, _, size in [key.partition(">")] if size.isdecimal()]
    for size, kind, key in sorted(steps):
        if input_tokens > size:
            rates[kind] = Decimal(prices[key])
    return rates


def _laid_over(base: ModelDefaults, layer: ModelDefaults) -> ModelDefaults:
    return attrs.evolve(
        base,
        sampling=_over(base.sampling, {f: getattr(layer.sampling, f) for f in _said_by(layer.sampling)}),
        limits=ModelLimits(
            context=layer.limits.context or base.limits.context, output=layer.limits.output or base.limits.output
        ),
        omit=(base.omit - set(_said_by(layer.sampling))) | layer.omit,  # whoever says a value knows that it is taken
        fixed=base.fixed | layer.fixed,
        wire=layer.wire or base.wire,
        quirks={**base.quirks, **layer.quirks},
        prices={**base.prices, **layer.prices},
        capabilities={**base.capabilities, **layer.capabilities},
    )


def _within(sampling: SamplingParams, limits: ModelLimits) -> SamplingParams:
    """A default is no more than the model can answer; what the user says is the user's business."""
    if not (sampling.max_output_tokens and limits.output):
        return sampling
    return attrs.evolve(sampling, max_output_tokens=min(sampling.max_output_tokens, limits.output))


def _said_by(sampling: SamplingParams | SamplingSettings) -> list[str]:
    fields = ("temperature", "top_p", "max_output_tokens", "stop", "seed")
    return [field for field in fields if getattr(sampling, field, None) not in (None, ())]


def _over(base: SamplingParams, said: Mapping[str, Any]) -> SamplingParams:
    return attrs.evolve(base, **{field: value for field, value in said.items() if value is not None})


def is_slip(model: str, near: str) -> bool:
    """Whether a name is nearly another in its letters: another number is another version, no slip."""
    return re.sub(r"[\d.]+", "", model.lower()) != re.sub(r"[\d.]+", "", near.lower())
