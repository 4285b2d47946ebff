"""Defaults of the models `*/house-*`."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import ModelDefaults, ModelLimits, SamplingParams, hookimpl


@hookimpl
def codetether_model_defaults() -> Iterable[ModelDefaults]:
    """Cool and short; the small one colder still. Prices in US dollars per million tokens."""
    yield ModelDefaults(
        match="*/house-*",
        sampling=SamplingParams(temperature=0.2, max_output_tokens=1024),
        limits=ModelLimits(context=32_000),
        prices={"input": "2", "output": "4"},
    )
    yield ModelDefaults(match="*/house-small", sampling=SamplingParams(temperature=0.0))
