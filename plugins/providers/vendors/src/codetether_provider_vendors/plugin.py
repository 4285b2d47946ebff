"""What the plugin vendors offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import (
    Catalogue,
    CatalogueSpec,
    ModelDefaults,
    PluginContext,
    ProviderSpec,
    SamplingParams,
    SettingsSpec,
    hookimpl,
)

from codetether_provider_vendors.settings import VendorSettings
from codetether_provider_vendors.table import VENDORS

_REASONING = ("*/gpt-[5-9]*", "*/o[1-9]", "*/o[1-9]-*")
"""OpenAI's models that refuse to be sampled, under whichever provider."""
_ONE_TEMPERATURE = ("moonshotai/kimi-k2.[5-9]*", "moonshotai/kimi-k[3-9]*")
_OTHERS_ON_AZURE = ("mistral", "ministral", "codestral", "llama", "deepseek", "phi-", "cohere", "grok", "kimi")


def _catalogue(ctx: PluginContext) -> Catalogue:
    from codetether_provider_vendors.shipped import ModelCatalogue

    return ModelCatalogue(ctx)


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.vendors]`."""
    yield SettingsSpec(cls=VendorSettings)


@hookimpl
def codetether_providers() -> Iterable[ProviderSpec]:
    """The vendors of the table."""
    for vendor in VENDORS:
        yield ProviderSpec(
            name=vendor.name,
            wire="openai-chat",
            base_url=vendor.base_url,
            default_model=vendor.default_model,
            env=vendor.env,
            base_url_env=vendor.base_url_env,
            base_url_form=vendor.form,
            aliases=vendor.aliases,
            quirks=vendor.quirks,
            place=vendor.place,
            keyless=vendor.keyless,
            description=vendor.title,
        )


@hookimpl
def codetether_catalogues() -> Iterable[CatalogueSpec]:
    """The dated catalogue that is shipped."""
    yield CatalogueSpec(name="models.dev", create=_catalogue, place=900)


@hookimpl
def codetether_model_defaults() -> Iterable[ModelDefaults]:
    """What models refuse wherever they are served, for those too that no catalogue lists yet."""
    for match in _REASONING:
        yield ModelDefaults(match=match, omit=frozenset({"temperature", "top_p"}))
    for match in _ONE_TEMPERATURE:
        yield ModelDefaults(
            match=match,
            sampling=SamplingParams(temperature=1.0),
            fixed=frozenset({"temperature"}),
            omit=frozenset({"top_p"}),
        )
    for word in _OTHERS_ON_AZURE:
        yield ModelDefaults(match=f"azure/*{word}*", quirks={"max_tokens_field": "max_tokens"})
    yield ModelDefaults(match="xai/grok-[4-9]*", omit=frozenset({"stop"}))
