"""What the plugin openai offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import ModelDefaults, ModelLimits, PluginContext, ProviderSpec, Wire, WireSpec, hookimpl

_REASONING = ("o1*", "o3*", "o4*", "gpt-5*")
"""Models that refuse to be sampled; the chat variants of gpt-5 do as well."""
_FORMED = ("gpt-4o*", "gpt-4.1*", "gpt-[5-9]*", "o[3-9]*")
"""Models whose answers can be held to a JSON schema."""


def _wire(ctx: PluginContext) -> Wire:
    from codetether_provider_openai.wire import ChatWire

    return ChatWire()


@hookimpl
def codetether_wires() -> Iterable[WireSpec]:
    """The format of Chat Completions."""
    yield WireSpec(name="openai-chat", create=_wire)


@hookimpl
def codetether_providers() -> Iterable[ProviderSpec]:
    """OpenAI itself, or any compatible server by OPENAI_BASE_URL."""
    yield ProviderSpec(
        name="openai",
        wire="openai-chat",
        base_url="https://api.openai.com/v1",
        default_model="gpt-4o",
        env=("OPENAI_API_KEY",),
        base_url_env=("OPENAI_BASE_URL",),
        quirks={
            "max_tokens_field": "max_completion_tokens",
            "environment_headers": {
                "openai-organization": ("OPENAI_ORG_ID", "OPENAI_ORGANIZATION"),
                "openai-project": ("OPENAI_PROJECT_ID", "OPENAI_PROJECT"),
            },
        },
        description="OpenAI's models over Chat Completions, and any server that speaks it",
    )


@hookimpl
def codetether_model_defaults() -> Iterable[ModelDefaults]:
    """What OpenAI's models refuse, and how much they take."""
    for match in _REASONING:
        yield ModelDefaults(
            match=f"openai/{match}",
            omit=frozenset({"temperature", "top_p", "stop"}),
            limits=ModelLimits() if match.startswith("gpt-5") else ModelLimits(context=200_000),
        )
    for match in _FORMED:
        yield ModelDefaults(match=f"openai/{match}", capabilities={"structured_output": True})
    yield ModelDefaults(match="openai/gpt-4o*", limits=ModelLimits(context=128_000, output=16_384))
    yield ModelDefaults(match="openai/gpt-4.1*", limits=ModelLimits(context=1_047_576, output=32_768))
