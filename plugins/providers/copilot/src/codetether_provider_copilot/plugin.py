"""What the plugin github-copilot offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from codetether import (
    Catalogue,
    CatalogueSpec,
    ModelDefaults,
    ModelLimits,
    PluginContext,
    ProviderSpec,
    Wire,
    WireSpec,
    hookimpl,
)

_MODELS = ("gpt-5-mini", "gpt-4.1", "gpt-4o", "gpt-5.4", "gpt-5.3-codex", "claude-sonnet-4.6", "gemini-2.5-pro")
"""What most accounts may use; `/models` of an account tells what it has."""
_LISTED = "2026-11-23"
"""The day of that list."""
_RESPONSES_ONLY = ("gpt-5*codex*", "gpt-5.4-mini*", "gpt-5.5*")
_REASONING = ("o1*", "o3*", "o4*", "gpt-5*")
"""Models that refuse to be sampled."""


def _wire(shared: list[object], name: str, ctx: PluginContext) -> Wire:
    """One wire; both share the sign-ins, which are made with the first."""
    from codetether_provider_copilot.wire import CODECS, CopilotWire, SignIns

    if not shared:
        shared.append(SignIns())
    (sign_ins,) = shared
    assert isinstance(sign_ins, SignIns)
    return CopilotWire([CODECS[name], *(codec for other, codec in CODECS.items() if other != name)], sign_ins)


@hookimpl
def codetether_wires() -> Iterable[WireSpec]:
    """Chat Completions and Responses, as Copilot wants to be asked."""
    shared: list[object] = []
    for name in ("copilot-chat", "copilot-responses"):
        yield WireSpec(name=name, create=partial(_wire, shared, name))


@hookimpl
def codetether_providers() -> Iterable[ProviderSpec]:
    """Copilot of github.com, and that of an enterprise's own GitHub."""
    yield ProviderSpec(
        name="github-copilot",
        wire="copilot-chat",
        base_url="https://api.githubcopilot.com",
        default_model="gpt-5-mini",
        models=_MODELS,
        env=("GITHUB_COPILOT_TOKEN", "COPILOT_GITHUB_TOKEN", "GH_COPILOT_TOKEN"),
        aliases=("copilot",),
        key_names=("api_key", "token"),
        sign_in="copilot",
        description="the models of a GitHub Copilot subscription: codetether auth copilot",
    )
    yield ProviderSpec(
        name="github-copilot-enterprise",
        wire="copilot-chat",
        base_url="https://api.githubcopilot.com",
        default_model="gpt-5-mini",
        models=_MODELS,
        env=("GITHUB_COPILOT_ENTERPRISE_TOKEN",),
        key_names=("api_key", "token"),
        sign_in="copilot --enterprise URL",
        quirks={"enterprise_url_env": "GITHUB_COPILOT_ENTERPRISE_URL"},
        description="Copilot of an enterprise's own GitHub: codetether auth copilot --enterprise URL",
    )


def _catalogue(ctx: PluginContext) -> Catalogue:
    from codetether_provider_copilot.catalogue import AccountCatalogue

    return AccountCatalogue(ctx, tuple(codetether_providers()), _LISTED)


@hookimpl
def codetether_catalogues() -> Iterable[CatalogueSpec]:
    """The models of the accounts that are signed in, before what is known of Copilot in general."""
    yield CatalogueSpec(name="github-copilot", create=_catalogue, place=400)


@hookimpl
def codetether_model_defaults() -> Iterable[ModelDefaults]:
    """Which models have a wire of their own, what they refuse, how much they take."""
    for match in _RESPONSES_ONLY:
        yield ModelDefaults(match=f"github-copilot*/{match}", wire="copilot-responses")
    for match in _REASONING:
        yield ModelDefaults(match=f"github-copilot*/{match}", omit=frozenset({"temperature", "top_p", "stop"}))
    yield ModelDefaults(match="github-copilot*/gpt-4o*", limits=ModelLimits(context=64_000))
