"""What differs between servers that speak anthropic-messages, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen, validators

_bool = validators.instance_of(bool)
_mapping = validators.instance_of(Mapping)  # type: ignore[type-abstract]
_texts: Any = validators.deep_iterable(validators.instance_of(str), validators.instance_of((tuple, list)))
_mappings: Any = validators.deep_iterable(_mapping, validators.instance_of((tuple, list)))


@frozen(kw_only=True)
class Quirks:
    """A provider's quirks: from its ProviderSpec, or from `[providers.NAME.options]` in the settings.

    Attributes:
        auth: how the key is sent: as `x-api-key`, as a bearer token, or as both.
        bearer_variables: variables that hold a token rather than a key: it is sent as a bearer token alone.
        path: where on the server the Messages API begins, e.g. `/anthropic`; added to a base URL that lacks it.
        beta: what `anthropic-beta` asks for.
        stream: whether answers are asked for in a stream.
        cache: how long prompts stay in the provider's cache; `off` asks for no caching.
        thinking: the request's `thinking`, e.g. `{"type": "enabled", "budget_tokens": 4096}`.
        parallel_tool_calls: False asks for one call at a time.
        lowest_temperature: the least that the server takes; the most is 1.
        server_tools: tools that the provider itself runs, offered after ours.
        extra_body: fields for every request, e.g. `{"service_tier": "standard_only"}`.
    """

    auth: Literal["x-api-key", "bearer", "both"] = field(
        default="x-api-key", validator=validators.in_(("x-api-key", "bearer", "both"))
    )
    bearer_variables: tuple[str, ...] = field(default=(), validator=_texts)
    path: str = field(default="", validator=validators.matches_re(r"(/[^/?#]+)*"))
    beta: tuple[str, ...] = field(default=(), validator=_texts)
    stream: bool = field(default=True, validator=_bool)
    cache: Literal["5m", "1h", "off"] = field(default="5m", validator=validators.in_(("5m", "1h", "off")))
    thinking: Mapping[str, Any] | None = field(default=None, validator=validators.optional(_mapping))
    parallel_tool_calls: bool = field(default=True, validator=_bool)
    lowest_temperature: float = field(default=0.0, validator=validators.instance_of((int, float)))
    server_tools: tuple[Mapping[str, Any], ...] = field(default=(), validator=_mappings)
    extra_body: Mapping[str, Any] = field(factory=dict, validator=_mapping)
