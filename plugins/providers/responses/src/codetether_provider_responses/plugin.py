"""What the plugin openai-responses offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import ModelDefaults, ModelLimits, PluginContext, Wire, WireSpec, hookimpl

_ONLY_HERE = (
    "gpt-5*-codex*",
    "gpt-5*-pro*",
    "codex-mini*",
    "o1-pro*",
    "o3-pro*",
    "o3-deep-research*",
    "o4-mini-deep-research*",
)
"""OpenAI's models that Chat Completions does not offer."""
_WITHOUT_REASONING = ("gpt-3.5*", "gpt-4*", "chatgpt-*", "gpt-5*-chat*", "ft:gpt-3.5*", "ft:gpt-4*")
"""OpenAI's models that refuse to be asked for reasoning, or to be given any."""


def _wire(ctx: PluginContext) -> Wire:
    from codetether_provider_responses.wire import ResponsesWire

    return ResponsesWire()


@hookimpl
def codetether_wires() -> Iterable[WireSpec]:
    """The format of OpenAI's Responses API."""
    yield WireSpec(name="openai-responses", create=_wire)


@hookimpl
def codetether_model_defaults() -> Iterable[ModelDefaults]:
    """Which of OpenAI's models speak nothing else, and what the others refuse here."""
    for match in _ONLY_HERE:
        yield ModelDefaults(
            match=f"openai/{match}",
            wire="openai-responses",
            omit=frozenset({"temperature", "top_p"}),
            limits=ModelLimits(context=400_000 if match.startswith("gpt-5") else 200_000),
        )
    for match in _WITHOUT_REASONING:
        yield ModelDefaults(match=f"openai/{match}", quirks={"include": (), "echo_thinking": False})
