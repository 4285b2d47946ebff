"""What the plugin bedrock offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from codetether import (
    LAST,
    CredentialSource,
    CredentialSourceSpec,
    ModelDefaults,
    ModelLimits,
    PluginContext,
    ProviderSpec,
    SamplingParams,
    SettingsSpec,
    Wire,
    WireSpec,
    hookimpl,
)

_CLAUDE = ("system", "tools", "messages")
_CACHE_POINTS: Mapping[str, tuple[str, ...]] = {
    "*anthropic.claude-3-5-haiku*": _CLAUDE,
    "*anthropic.claude-3-7-*": _CLAUDE,
    "*anthropic.claude-[3iv]*": (),
    "*anthropic.claude-*": _CLAUDE,
    "*amazon.nova-*": ("system",),
}
"""Claude from 3.7 on takes cache points everywhere, Nova not among tools and not beside results."""
_UNSAMPLED = ("opus-4-7", "opus-4-8", "opus-5", "sonnet-5")
_SHORT: Mapping[str, int] = {
    "*anthropic.claude-3-haiku*": 4096,
    "*anthropic.claude-3-sonnet*": 4096,
    "*anthropic.claude-3-opus*": 4096,
    "*anthropic.claude-3-5-sonnet-20240620*": 4096,
    "*cohere.command-r*": 4000,
    "*amazon.titan-text-lite*": 4096,
    "*amazon.nova-micro*": 5120,
    "*amazon.nova-lite*": 5120,
    "*amazon.nova-pro*": 5120,
    "*meta.llama3-8b*": 2048,
    "*meta.llama3-70b*": 2048,
    "*ai21.jamba*": 4096,
}
"""Models that refuse the usual limit of an answer: the tokens that they allow."""


def _wire(ctx: PluginContext) -> Wire:
    from codetether_provider_bedrock.wire import ConverseWire

    return ConverseWire()


def _source(ctx: PluginContext) -> CredentialSource:
    from codetether_provider_bedrock.source import AwsChain

    settings: Any = ctx.settings
    return AwsChain(settings)


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.bedrock]`."""
    from codetether_provider_bedrock.source import AwsSettings

    yield SettingsSpec(cls=AwsSettings)


@hookimpl
def codetether_wires() -> Iterable[WireSpec]:
    """The format of Converse."""
    yield WireSpec(name="bedrock-converse", create=_wire)


@hookimpl
def codetether_credential_sources() -> Iterable[CredentialSourceSpec]:
    """After the environment's own key, before what is stored elsewhere."""
    yield CredentialSourceSpec(name="aws", create=_source, place=150)


@hookimpl
def codetether_providers() -> Iterable[ProviderSpec]:
    """Bedrock in the region of the environment. Credentials of AWS are often there for other work: it comes last."""
    yield ProviderSpec(
        name="bedrock",
        wire="bedrock-converse",
        aliases=("amazon-bedrock",),
        models=(
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "global.anthropic.claude-haiku-4-5-20251001-v1:0",
            "us.anthropic.claude-sonnet-4-6",
            "us.anthropic.claude-opus-4-1-20250805-v1:0",
            "us.amazon.nova-2-lite-v1:0",
            "us.amazon.nova-pro-v1:0",
            "us.meta.llama3-3-70b-instruct-v1:0",
            "openai.gpt-oss-120b-1:0",
            "qwen.qwen3-32b-v1:0",
            "moonshot.kimi-k2-thinking",
            "zai.glm-4.7-flash",
            "minimax.minimax-m2",
            "mistral.mistral-large-3-675b-instruct",
        ),
        env=("AWS_BEARER_TOKEN_BEDROCK",),
        base_url_env=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"),
        quirks={"cache_points": _CACHE_POINTS, "failed_status": ("*anthropic.*", "*amazon.nova*")},
        key_names=("api_key", "access_key_id", "aws_access_key_id", "profile", "aws_profile", "chain"),
        place=LAST + 1,
        description="models of many makers on Amazon Bedrock, over Converse",
    )


@hookimpl
def codetether_model_defaults() -> Iterable[ModelDefaults]:
    """What models on Bedrock refuse, and how much they take."""
    yield ModelDefaults(match="bedrock/*anthropic.claude-*", limits=ModelLimits(context=200_000))
    yield ModelDefaults(match="bedrock/*amazon.nova-*", limits=ModelLimits(context=300_000))
    yield ModelDefaults(match="bedrock/*amazon.nova-micro*", limits=ModelLimits(context=128_000))
    yield ModelDefaults(match="bedrock/*amazon.titan-text*", capabilities={"tool_call": False})
    for match, limit in _SHORT.items():
        yield ModelDefaults(
            match=f"bedrock/{match}",
            sampling=SamplingParams(max_output_tokens=limit),
            limits=ModelLimits(output=limit),
        )
    for name in _UNSAMPLED:
        yield ModelDefaults(match=f"bedrock/*anthropic.claude-{name}*", omit=frozenset({"temperature", "top_p"}))
