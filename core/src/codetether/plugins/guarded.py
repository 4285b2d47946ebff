"""Sees whether a plugin replaced a function that permissions, records and confinement stand on."""

from __future__ import annotations

import sys

Place = tuple[str, ...]

WATCHED: tuple[Place, ...] = (
    *(("builtins", "open"), ("os", "open"), ("os", "execve")),
    *(("subprocess", "Popen", "__init__"), ("socket", "socket", "connect"), ("logging", "Logger", "handle")),
    *(("codetether.permissions.rules", "Rules", "decide"), ("codetether.record.redact", "Redactor", "text")),
    *(("codetether.record.trail", "AuditTrail", "record"), ("codetether.session.dispatch", "Dispatch", "judge")),
    ("codetether.builtin.policy", "RulesPolicy", "decide"),
    ("codetether.plugins.loaded", "LoadedPlugins", "collect"),
)
"""What is looked at, where it was imported: a module and the way from there. A plugin is code of the process, so this
tells of honest mistakes and of clumsy attacks, and stops neither."""


def watched() -> dict[Place, object]:
    """What stands there now."""
    return {place: found for place in WATCHED if (found := _standing(place)) is not None}


def replaced(before: dict[Place, object]) -> list[str]:
    """The names of those that are something else now."""
    return [".".join(place) for place, was in before.items() if _standing(place) is not was]


def _standing(place: Place) -> object:
    found: object = sys.modules.get(place[0])
    for word in place[1:]:
        found = getattr(found, word, None)
    return found
