"""What the plugin anthropic offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import (
    ModelDefaults,
    PluginContext,
    ProviderSpec,
    Wire,
    WireSpec,
    hookimpl,
)

_UNSAMPLED = (
    "claude-opus-4-[7-9]*",
    "claude-opus-[5-9]*",
    "claude-sonnet-[5-9]*",
    "claude-fable-*",
    "claude-mythos-*",
)
"""Models that refuse to be sampled, also under names that no catalogue lists."""

_TEMPERATURE_ALONE = ("claude-opus-4-[156]*", "claude-sonnet-4-[56]*", "claude-haiku-4-5*")
"""Models that take a temperature or `top_p`, and refuse both: a temperature is always there."""


def _wire(ctx: PluginContext) -> Wire:
    from codetether_provider_anthropic.wire import MessagesWire

    return MessagesWire()


@hookimpl
def codetether_wires() -> Iterable[WireSpec]:
    """The format of Anthropic's Messages API."""
    yield WireSpec(name="anthropic-messages", create=_wire)


@hookimpl
def codetether_providers() -> Iterable[ProviderSpec]:
    """Anthropic itself, and MiniMax, which speaks the same format."""
    yield ProviderSpec(
        name="anthropic",
        wire="anthropic-messages",
        base_url="https://api.anthropic.com",
        default_model="claude-sonnet-4-20250514",
        env=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        base_url_env=("ANTHROPIC_BASE_URL",),
        quirks={"bearer_variables": ("ANTHROPIC_AUTH_TOKEN",)},
        key_names=("api_key", "auth_token"),
        description="Anthropic's Claude models, and any server that speaks the Messages API",
    )
    yield ProviderSpec(
        name="minimax",
        wire="anthropic-messages",
        base_url="https://api.minimax.io/anthropic",
        default_model="MiniMax-M2.5",
        env=("MINIMAX_API_KEY",),
        base_url_env=("MINIMAX_BASE_URL",),
        quirks={"auth": "both", "path": "/anthropic", "lowest_temperature": 0.01, "cache": "off"},
        description="MiniMax's models over the Messages API",
    )


@hookimpl
def codetether_model_defaults() -> Iterable[ModelDefaults]:
    """What the models refuse; how much they take and cost is in the catalogue."""
    for match in _UNSAMPLED:
        yield ModelDefaults(match=f"anthropic/{match}", omit=frozenset({"temperature", "top_p"}))
    for match in _TEMPERATURE_ALONE:
        yield ModelDefaults(match=f"anthropic/{match}", omit=frozenset({"top_p"}))
