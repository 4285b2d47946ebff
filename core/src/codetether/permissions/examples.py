"""Checks the examples that stand with a rule, so that one which says something else than it seems to is found."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from codetether.errors import SettingsError
from codetether.models.tools import Effect
from codetether.permissions.patterns import Kind, Rule, Touch

WORKSPACE = "/workspace"
"""From where the examples of rules about paths are taken."""
_KINDS: Mapping[str, tuple[tuple[Effect, Kind], ...]] = {
    "read": (("read", "path"),),
    "write": (("write", "path"),),
    "execute": (("execute", "command"),),
    "network": (("network", "host"),),
}
_ANY: tuple[tuple[Effect, Kind], ...] = (("execute", "command"), ("write", "path"), ("network", "host"))


def check_examples(rule: Rule, examples: Mapping[str, Any], path: tuple[str, ...]) -> None:
    """Raises SettingsError for an example that the rule does not judge as it says."""
    unknown = sorted(set(examples) - {"match", "not_match"})
    if unknown:
        raise SettingsError(
            f'unknown key "{unknown[0]}"',
            path=(*path, unknown[0]),
            remedy="A rule's keys are rule, match and not_match.",
        )
    for key, wanted in (("match", True), ("not_match", False)):
        for example in _list(examples.get(key, ()), (*path, key)):
            if fits(rule, example) is not wanted:
                raise SettingsError(
                    f"the rule {rule.text} {'does not match' if wanted else 'matches'} its example {example!r}",
                    path=(*path, key),
                    remedy="Change the rule or the example.",
                )


def _list(value: Any, path: tuple[str, ...]) -> Sequence[str]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
        raise SettingsError("is no list of strings", path=path, remedy='For example: match = ["git log -n 5"].')
    return value


def fits(rule: Rule, example: str) -> bool:
    """Whether the rule speaks of a command, a path or a host, whichever its name is about."""
    return any(_fits(rule, effect, kind, example) for effect, kind in _KINDS.get(rule.name, _ANY))


def _fits(rule: Rule, effect: Effect, kind: Kind, example: str) -> bool:
    if kind == "command" and rule.verdict == "allow":
        from codetether.permissions.shell import read_line

        parts = read_line(example).parts
        return bool(parts) and (rule.pattern is None or all(rule.covers(part.words) for part in parts))
    plain = os.path.normpath(os.path.join(WORKSPACE, example))
    touch = Touch(effect=effect, kind=kind, spelled=example, paths=(plain,) if kind == "path" else ())
    return bool(rule.applies(rule.name, touch, WORKSPACE))
