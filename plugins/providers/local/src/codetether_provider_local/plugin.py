"""What the plugin local offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import (
    LAST,
    ModelDefaults,
    ModelStore,
    PluginContext,
    ProviderSpec,
    SamplingParams,
    SettingsSpec,
    Wire,
    WireSpec,
    hookimpl,
)

from codetether_provider_local.settings import DEFAULT_MODEL, LocalSettings


def _wire(ctx: PluginContext) -> Wire:
    from codetether_provider_local.wire import LlamaWire

    return LlamaWire(ctx)


def _store(ctx: PluginContext) -> ModelStore:
    from codetether_provider_local.store import ModelFiles

    return ModelFiles(ctx)


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.local]`."""
    yield SettingsSpec(cls=LocalSettings)


@hookimpl
def codetether_wires() -> Iterable[WireSpec]:
    """Messages straight into llama.cpp, in this process."""
    yield WireSpec(name="llama-cpp", create=_wire)


@hookimpl
def codetether_providers() -> Iterable[ProviderSpec]:
    """Models on this machine: no key, no account, no server."""
    yield ProviderSpec(
        name="local",
        wire="llama-cpp",
        default_model=DEFAULT_MODEL,
        models=(DEFAULT_MODEL,),
        place=LAST,
        keyless=True,
        store=_store,
        description="GGUF models run by llama.cpp in this process; the default is tiny",
    )


@hookimpl
def codetether_model_defaults() -> Iterable[ModelDefaults]:
    """Small models lose the thread when sampled; what they write can be held to a schema."""
    sampling = SamplingParams(temperature=0.0, max_output_tokens=2048)
    yield ModelDefaults(match="local/*", sampling=sampling, capabilities={"structured_output": True})
