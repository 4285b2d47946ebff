"""How layers of settings become one: later ones replace, those that are not trusted with more only tighten."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf
from pathlib import Path
from typing import Any, Literal

from attrs import evolve, field

from codetether.errors import SettingsError
from codetether.settings.core import MODES
from codetether.settings.file import SettingsFile
from codetether.values import frozen

LayerName = Literal["default", "user", "project", "environment", "override", "managed"]
Keys = tuple[str, ...]


@frozen(kw_only=True)
class Origin:
    """Where a setting comes from. As text: `user /home/ann/.config/codetether/config.toml:3`."""

    layer: LayerName
    file: Path | None = None
    line: int | None = None
    variable: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else str(self.file or self.variable)
        return f"{self.layer} {place}".rstrip()


@frozen(kw_only=True)
class Layer:
    """One layer: its values, and the file or the variables (path -> name) that they come from."""

    name: LayerName
    values: Mapping[str, Any]
    file: SettingsFile | None = None
    variables: Mapping[Keys, str] = field(factory=dict)

    def origin(self, path: Keys) -> Origin:
        """Where in this layer the setting, or the nearest table around it, stands."""
        line = None
        if self.file is not None:
            line = next((n for end in range(len(path), 0, -1) if (n := self.file.line(path[:end]))), None)
        variable = next((v for p, v in self.variables.items() if p == path[: len(p)]), "")
        return Origin(layer=self.name, file=self.file.path if self.file else None, line=line, variable=variable)

    def error(self, path: Keys, why: str, remedy: str = "") -> SettingsError:
        """The error to raise for a setting of this layer."""
        origin = self.origin(path)
        if origin.variable:
            return SettingsError(why, path=(origin.variable,), remedy=remedy)
        return SettingsError(why, file=origin.file, line=origin.line, path=path, remedy=remedy)


@frozen(kw_only=True)
class Merged:
    """Values with the layer that each leaf comes from."""

    values: Mapping[str, Any] = field(factory=dict)
    layers: Mapping[Keys, Layer] = field(factory=dict)

    def get(self, path: Keys) -> Any:
        """The value, None where there is none."""
        value: Any = self.values
        for key in path:
            if not isinstance(value, Mapping) or key not in value:
                return None
            value = value[key]
        return value

    def layer(self, path: Keys) -> Layer | None:
        """The layer that the setting, or the nearest around it, comes from."""
        return next((self.layers[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.layers), None)

    def with_value(self, path: Keys, value: Any, layer: Layer) -> Merged:
        """The same with one value replaced, and all that stood beneath it gone."""
        kept = {p: x for p, x in self.layers.items() if p[: len(path)] != path}
        return Merged(values=_put(self.values, path, value), layers={**kept, path: layer})


def _put(values: Mapping[str, Any], path: Keys, value: Any) -> dict[str, Any]:
    head, *rest = path
    if not rest:
        return {**values, head: value}
    inner = values.get(head)
    return {**values, head: _put(inner if isinstance(inner, Mapping) else {}, tuple(rest), value)}


def leaves(values: Mapping[str, Any], path: Keys = ()) -> Iterable[tuple[Keys, Any]]:
    """Every value that is no table, and empty tables, with its path."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def overlay(below: Merged, layer: Layer) -> Merged:
    """A layer over others: what it says replaces; rules of permission and of `session.max_mode` add up."""
    merged = below
    if "provider" in layer.values and "model" not in layer.values and below.get(("model",)) is not None:
        merged = merged.with_value(("model",), None, layer)  # a provider asked for alone is no wish for the old model
    for path, value in leaves(layer.values):
        if isinstance(value, Mapping) and isinstance(merged.get(path), Mapping):
            continue  # an empty table says nothing about a full one
        merged = _ADD_UP.get(path, _replace)(merged, path, value, layer)
    return merged


_OF_THE_USER = ("audit", "redaction", "secrets")
_REQUIRED = ("audit", "required")


def of_a_repository(layer: Layer) -> tuple[Layer, tuple[Keys, ...]]:
    """A trusted repository's layer without what only the site and the user decide, and what that was.

    That is the audit, which it may only require, what is kept from the model, and who gets which secret.
    """
    required = (_REQUIRED, True) in leaves(layer.values)
    kept = {key: value for key, value in layer.values.items() if key not in _OF_THE_USER}
    ignored = tuple(
        path for path, _ in leaves(layer.values) if path[0] in _OF_THE_USER and not (required and path == _REQUIRED)
    )
    return evolve(layer, values={**kept, **({"audit": {"required": True}} if required else {})}), ignored


def tighten(below: Merged, layer: Layer, rules: Mapping[Keys, Rule]) -> tuple[Merged, tuple[Keys, ...]]:
    """A layer that may only tighten: what it says beyond that is left out, and named."""
    merged = below
    ignored: list[Keys] = []
    for path, value in leaves(layer.values):
        rule = rules.get(path) or (rules.get((path[0], "*")) if len(path) > 2 else None)
        made = rule(merged, path, value, layer) if rule else merged
        if made is merged:
            ignored.append(path)
        merged = made
    return merged, tuple(ignored)


Rule = Callable[[Merged, Keys, Any, Layer], Merged]


def _union(below: Merged, path: Keys, value: Any, layer: Layer) -> Merged:
    old = list(below.get(path) or ())
    added = [item for item in value if item not in old]
    made = below.with_value(path, [*old, *added], layer)
    kept = {p: x for p, x in below.layers.items() if p[:-1] == path}
    if path in below.layers:
        kept |= {(*path, str(n)): below.layers[path] for n in range(len(old)) if (*path, str(n)) not in kept}
    new = {(*path, str(len(old) + n)): layer for n in range(len(added))}
    return Merged(values=made.values, layers={**made.layers, **kept, **new})


def _common(below: Merged, path: Keys, value: Any, layer: Layer) -> Merged:
    old = below.get(path)
    return below.with_value(path, [item for item in value if old is None or item in old], layer)


def _least(default: float) -> Rule:
    def least(below: Merged, path: Keys, value: Any, layer: Layer) -> Merged:
        old = below.get(path)
        return below.with_value(path, value, layer) if value <= (default if old is None else old) else below

    return least


def _strictest(default: str) -> Rule:
    def strictest(below: Merged, path: Keys, value: Any, layer: Layer) -> Merged:
        old = below.get(path) or default
        return below.with_value(path, value, layer) if MODES.index(value) <= MODES.index(old) else below

    return strictest


def _only_true(below: Merged, path: Keys, value: Any, layer: Layer) -> Merged:
    return below.with_value(path, True, layer) if value else below


def _replace(below: Merged, path: Keys, value: Any, layer: Layer) -> Merged:
    return below.with_value(path, value, layer)


_ADD_UP: dict[Keys, Rule] = {
    ("permissions", "allow"): _union,
    ("permissions", "ask"): _union,
    ("permissions", "deny"): _union,
    ("session", "max_mode"): _strictest("unsafe"),
}
PROJECT: Mapping[Keys, Rule] = {
    ("permissions", "ask"): _union,
    ("permissions", "deny"): _union,
    ("tools", "disabled"): _union,
    ("tools", "output_limit"): _least(65536),
    ("session", "max_steps"): _least(50),
    ("limits", "max_cost"): _least(inf),
    ("limits", "max_tokens"): _least(inf),
    ("limits", "max_seconds"): _least(inf),
    ("session", "mode"): _strictest("default"),
    ("session", "max_mode"): _strictest("unsafe"),
}
"""What a project file may say before the user trusts it. It blocks no plugin: that may be an audit sink or a policy."""
MANAGED: Mapping[Keys, Rule] = {
    **PROJECT,
    ("plugins", "block"): _union,
    ("plugins", "altered"): _replace,
    ("plugins", "required"): _union,
    ("plugins", "allow"): _common,
    ("plugins", "*"): _replace,
    ("credentials", "sources"): _common,
    ("session", "executor"): _replace,
    ("session", "approval_deadline"): _least(300),
    ("audit", "required"): _only_true,
    ("audit", "principal"): _replace,
    ("audit", "bodies"): _replace,
    ("audit", "model_calls"): _replace,
    ("audit", "key"): _replace,
    ("audit", "key_file"): _replace,
    ("redaction", "unknown"): _only_true,
    ("secrets", "*"): _replace,
}
"""What the managed file may say; `*` is any plugin's own table."""
