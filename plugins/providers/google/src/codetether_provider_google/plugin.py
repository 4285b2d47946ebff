"""What the plugin google offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from codetether import ModelDefaults, ModelLimits, PluginContext, ProviderSpec, Wire, WireSpec, hookimpl

_STAND_IN = "skip_thought_signature_validator"
"""What Google documents for calls that another model made: Gemini 3 refuses calls without a signature."""
_THOUGHTS: Mapping[str, Any] = {"generation_config": {"thinkingConfig": {"includeThoughts": True}}}
"""Asks for the thoughts in words, of models that think by themselves; others refuse to be asked."""
_MODELS: Mapping[str, tuple[int, int, Mapping[str, Any]]] = {
    "gemini-1.5-flash*": (1_048_576, 8_192, {}),
    "gemini-1.5-pro*": (2_097_152, 8_192, {}),
    "gemini-2.0*": (1_048_576, 8_192, {}),
    "gemini-2.5*": (1_048_576, 65_536, {}),
    "gemini-2.5-pro": (1_048_576, 65_536, _THOUGHTS),
    "gemini-2.5-flash": (1_048_576, 65_536, _THOUGHTS),
    "gemini-3*": (1_048_576, 65_536, {"stand_in_signature": _STAND_IN, "media_in_results": True, **_THOUGHTS}),
}
"""Tokens of context and of output, and quirks."""


def _wire(ctx: PluginContext) -> Wire:
    from codetether_provider_google.wire import GenerateWire

    return GenerateWire()


@hookimpl
def codetether_wires() -> Iterable[WireSpec]:
    """The format of Gemini's generateContent."""
    yield WireSpec(name="google-generate-content", create=_wire)


@hookimpl
def codetether_providers() -> Iterable[ProviderSpec]:
    """Google's Gemini API."""
    yield ProviderSpec(
        name="google",
        wire="google-generate-content",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        default_model="gemini-2.5-pro",
        env=("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"),
        base_url_env=("GOOGLE_GEMINI_BASE_URL", "GEMINI_BASE_URL"),
        aliases=("gemini",),
        description="Google's Gemini models over generateContent",
    )


@hookimpl
def codetether_model_defaults() -> Iterable[ModelDefaults]:
    """How much Gemini's models take, and what they want to be told."""
    for provider in ("google", "google-vertex"):
        yield ModelDefaults(match=f"{provider}/gemini-*", capabilities={"structured_output": True})
    for provider, (match, (context, output, quirks)) in product(("google", "google-vertex"), _MODELS.items()):
        limits = ModelLimits(context=context, output=output)
        yield ModelDefaults(match=f"{provider}/{match}", limits=limits, quirks=quirks)
