"""Sees whether a plugin replaced a function that permissions, records and confinement stand on."""

from __future__ import annotations

import sys
from collections.abc import Iterator

WATCHED = (
    *("builtins:open", "os:open", "os:execve", "subprocess:Popen.__init__", "socket:socket.connect"),
    *("logging:Logger.handle", "codetether.permissions.rules:Rules.decide", "codetether.record.redact:Redactor.text"),
    *("codetether.record.trail:AuditTrail.record", "codetether.session.dispatch:Dispatch.judge"),
    *("codetether.builtin.policy:RulesPolicy.decide", "codetether.plugins.loaded:LoadedPlugins.collect"),
)
"""What is looked at, where it was imported: `module:name`. A plugin is code of the process, so this tells of honest
mistakes and of clumsy attacks, and stops neither."""


def watched() -> dict[str, object]:
    """What stands there now."""
    return dict(_found())


def _found() -> Iterator[tuple[str, object]]:
    for name in WATCHED:
        module, _, path = name.partition(":")
        found: object = sys.modules.get(module)
        for word in path.split(".") if found is not None else ():
            found = getattr(found, word, None)
        if found is not None:
            yield name.replace(":", "."), found


def replaced(before: dict[str, object]) -> list[str]:
    """The names of those that are something else now."""
    now = watched()
    return [name for name, was in before.items() if now.get(name) is not was]
