"""Defaults of the models `*/house-*`, and a catalogue of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codetether import CatalogueSpec, ModelDefaults, ModelLimits, ModelRef, SamplingParams, hookimpl


class House:
    """What the house says of its models."""

    date = "2026-01-02"

    def models(self, provider: str) -> Sequence[str]:
        """The one that the scripted provider has."""
        return ["house-medium"] if provider == "scripted" else []

    def defaults(self, ref: ModelRef) -> ModelDefaults | None:
        """It answers briefly, and a dearer price elsewhere counts."""
        if ref.model != "house-medium":
            return None
        return ModelDefaults(
            match=str(ref), limits=ModelLimits(context=16_000, output=512), prices={"input": "1", "output": "1"}
        )

    async def refresh(self) -> str:
        """Nothing is newer."""
        return self.date


@hookimpl
def codetether_catalogues() -> Iterable[CatalogueSpec]:
    """The house's own."""
    yield CatalogueSpec(name="house", create=lambda ctx: House())


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
