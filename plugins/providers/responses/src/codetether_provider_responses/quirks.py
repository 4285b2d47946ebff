"""What differs between servers and models that speak openai-responses, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen, validators

_mapping = validators.instance_of(Mapping)  # type: ignore[type-abstract]
_bool = validators.instance_of(bool)
_ROLES = ("instructions", "system", "developer")


def _words(instance: Any, attribute: Any, value: Any) -> None:
    if not (isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)):
        raise TypeError(f"'{attribute.name}' must be a list of texts (got {value!r})")


@frozen(kw_only=True)
class Quirks:
    """A provider's quirks: from its ProviderSpec, the model's defaults, or `[providers.NAME.options]` in the settings.

    Attributes:
        stream: whether answers are asked for in a stream.
        store: whether the server keeps the answer; None leaves it to the server.
        include: what answers hold beyond the usual. Models that do not reason refuse encrypted reasoning.
        echo_thinking: whether reasoning goes back with the item that followed it.
        echo_ids: whether items go back under their ids; off for a server that gives one item many.
        system_as: where the system prompt stands: the field `instructions`, or a first message of that role.
        max_output_tokens: whether the limit of the answer's tokens is sent.
        parallel_tool_calls: sent where tools are offered; None leaves it to the server.
        extra_body: fields for every request, e.g. `{"reasoning": {"effort": "low", "summary": "auto"}}`.
        environment_headers: header -> variables; the first one that is set is sent.
    """

    stream: bool = field(default=True, validator=_bool)
    store: bool | None = field(default=False, validator=validators.instance_of((bool, type(None))))
    include: tuple[str, ...] = field(default=("reasoning.encrypted_content",), validator=_words)
    echo_thinking: bool = field(default=True, validator=_bool)
    echo_ids: bool = field(default=True, validator=_bool)
    system_as: Literal["instructions", "system", "developer"] = field(
        default="instructions", validator=validators.in_(_ROLES)
    )
    max_output_tokens: bool = field(default=True, validator=_bool)
    parallel_tool_calls: bool | None = field(default=None, validator=validators.optional(_bool))
    extra_body: Mapping[str, Any] = field(factory=dict, validator=_mapping)
    environment_headers: Mapping[str, tuple[str, ...]] = field(factory=dict, validator=_mapping)
