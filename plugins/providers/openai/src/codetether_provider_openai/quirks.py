"""What differs between servers that speak openai-chat, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen, validators

_mapping = validators.instance_of(Mapping)  # type: ignore[type-abstract]
_bool = validators.instance_of(bool)


@frozen(kw_only=True)
class Quirks:
    """A provider's quirks: from its ProviderSpec, or from `[providers.NAME.options]` in the settings.

    Attributes:
        max_tokens_field: what the limit of the answer's tokens is called.
        stream: whether answers are asked for in a stream.
        stream_usage: whether a stream is asked to report its usage (`stream_options.include_usage`).
        done_optional: whether a stream that ends after a `finish_reason`, without `[DONE]`, counts as whole.
        echo_thinking: whether reasoning goes back in the field in which it came.
        parallel_tool_calls: sent where tools are offered; None leaves it to the server.
        extra_body: fields for every request, e.g. `{"reasoning_effort": "low", "user": "…"}`.
        environment_headers: header -> variables; the first one that is set is sent.
        headers: sent with every request; the user's own come over them.
        key_header: the header that holds the key as it is, instead of `authorization: Bearer …`.
        seed_field: what the seed is called.
        short_tool_ids: whether ids of tool calls have 9 letters and digits, by which another provider's are replaced.
        reasoning_apart: whether `completion_tokens` does not hold the reasoning.
    """

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = field(
        default="max_tokens", validator=validators.in_(("max_tokens", "max_completion_tokens"))
    )
    stream: bool = field(default=True, validator=_bool)
    stream_usage: bool = field(default=True, validator=_bool)
    done_optional: bool = field(default=False, validator=_bool)
    echo_thinking: bool = field(default=True, validator=_bool)
    parallel_tool_calls: bool | None = field(default=None, validator=validators.optional(_bool))
    extra_body: Mapping[str, Any] = field(factory=dict, validator=_mapping)
    environment_headers: Mapping[str, tuple[str, ...]] = field(factory=dict, validator=_mapping)
    headers: Mapping[str, str] = field(factory=dict, validator=_mapping)
    key_header: str = field(default="", validator=validators.instance_of(str))
    seed_field: str = field(default="seed", validator=validators.instance_of(str))
    short_tool_ids: bool = field(default=False, validator=_bool)
    reasoning_apart: bool = field(default=False, validator=_bool)
