"""What differs between servers and models that speak google-generate-content, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen, validators

_mapping = validators.instance_of(Mapping)  # type: ignore[type-abstract]
_bool = validators.instance_of(bool)


@frozen(kw_only=True)
class Quirks:
    """A provider's quirks: from its ProviderSpec, a model's defaults, or `[providers.NAME.options]` in the settings.

    Attributes:
        stream: whether answers are asked for in a stream.
        key: how the key is sent: in the header `x-goog-api-key`, or as a bearer token.
        echo_thinking: whether readable thoughts go back; signatures always do.
        send_ids: whether calls and their results carry the ids that the provider gave.
        media_in_results: whether images and files of a tool's result stand within it, or follow it.
        stand_in_signature: goes with the calls of other models, for a model that refuses calls without a signature.
        generation_config: laid over `generationConfig`, e.g. `{"thinkingConfig": {"thinkingBudget": 1024}}`.
        extra_body: laid over the body of every request, e.g. `{"safetySettings": [...]}`; its `tools` are added.
    """

    stream: bool = field(default=True, validator=_bool)
    key: Literal["header", "bearer"] = field(default="header", validator=validators.in_(("header", "bearer")))
    echo_thinking: bool = field(default=True, validator=_bool)
    send_ids: bool = field(default=True, validator=_bool)
    media_in_results: bool = field(default=False, validator=_bool)
    stand_in_signature: str = field(default="", validator=validators.instance_of(str))
    generation_config: Mapping[str, Any] = field(factory=dict, validator=_mapping)
    extra_body: Mapping[str, Any] = field(factory=dict, validator=_mapping)
