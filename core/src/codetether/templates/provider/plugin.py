"""The provider `change-me`: a vendor as data. It speaks a wire format that is there already."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import ModelDefaults, ModelLimits, ProviderSpec, SamplingParams, hookimpl

NAME = "change-me"


@hookimpl
def codetether_providers() -> Iterable[ProviderSpec]:
    """One vendor; its key is looked for under the names in `env`."""
    yield ProviderSpec(
        name=NAME,
        wire="openai-chat",
        base_url="https://api.change-me.example/v1",
        base_url_env=("CHANGE_ME_BASE_URL",),
        env=("CHANGE_ME_API_KEY",),
        default_model="large",
        models=("large", "small"),
        description="An example of a vendor",
    )


@hookimpl
def codetether_model_defaults() -> Iterable[ModelDefaults]:
    """What is known of its models: limits, prices, sampling."""
    yield ModelDefaults(match=f"{NAME}/*", limits=ModelLimits(context=128_000))
    yield ModelDefaults(
        match=f"{NAME}/small", sampling=SamplingParams(temperature=0.2), prices={"input": "0.10", "output": "0.40"}
    )
