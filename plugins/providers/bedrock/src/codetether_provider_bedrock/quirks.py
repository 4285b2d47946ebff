"""What differs between Bedrock's models, accounts and regions, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from attrs import field, frozen, validators

PLACES = frozenset({"system", "tools", "messages"})
_mapping = validators.instance_of(Mapping)  # type: ignore[type-abstract]
_bool = validators.instance_of(bool)


def _cache_points(instance: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, Mapping) or not all(map(_are_places, value.values())):
        raise ValueError(f"'cache_points' must be globs of model ids, each with a list of {', '.join(sorted(PLACES))}")


def _are_places(value: Any) -> bool:
    return isinstance(value, list | tuple) and PLACES.issuperset(value)


def _names(instance: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"'{attribute.name}' must be a list of names")


@frozen(kw_only=True)
class Quirks:
    """Quirks from the ProviderSpec, or from `[providers.bedrock.options]` in the settings.

    Attributes:
        region: e.g. `eu-central-1`; empty leaves it to the secret, the environment and the profile.
        stream: whether answers are asked for in a stream.
        echo_thinking: whether signed or redacted reasoning goes back to the model's maker.
        cache_points: globs of model ids -> where `cachePoint` is put for them; the first that fits counts.
        failed_status: globs of model ids that take a result's `status`; to others its text alone says that it failed.
        system_tools: tools that Bedrock itself runs, e.g. `nova_grounding`.
        additional_model_request_fields: for the model alone, e.g. `{"thinking": {...}}`.
        extra_body: fields for every request, e.g. `{"guardrailConfig": {...}, "serviceTier": {...}}`.
    """

    region: str = field(default="", validator=validators.instance_of(str))
    stream: bool = field(default=True, validator=_bool)
    echo_thinking: bool = field(default=True, validator=_bool)
    cache_points: Mapping[str, Sequence[str]] = field(factory=dict, validator=_cache_points)
    failed_status: Sequence[str] = field(default=("*",), validator=_names)
    system_tools: Sequence[str] = field(default=(), validator=_names)
    additional_model_request_fields: Mapping[str, Any] = field(factory=dict, validator=_mapping)
    extra_body: Mapping[str, Any] = field(factory=dict, validator=_mapping)

    def cached(self, model: str) -> frozenset[str]:
        """Where this model takes cache points."""
        fitting = (places for match, places in self.cache_points.items() if _fits(model, match))
        return frozenset(next(fitting, ()))

    def takes_status(self, model: str) -> bool:
        """Whether this model takes a result's `status`."""
        return any(_fits(model, match) for match in self.failed_status)


def _fits(model: str, match: str) -> bool:
    return fnmatchcase(model.lower(), match.lower())
