"""The permission policy `change-me`: nobody writes lock files by hand, whoever allowed it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from codetether import Decision, PermissionRequest, PolicySpec, hookimpl

NAME = "change-me"


class LockFiles:
    """Judges what a call touches, which the tool declares before anything happens."""

    async def decide(self, request: PermissionRequest) -> Decision:
        """Deny, or leave it to the other policies: the strictest verdict of all counts."""
        for path in request.resources.writes:
            if PurePath(path).suffix == ".lock":
                return Decision(verdict="deny", rule="*.lock", source=NAME, reason=f"{path} is a lock file")
        return Decision(verdict="allow", rule="no lock file", source=NAME)


@hookimpl
def codetether_permission_policies() -> Iterable[PolicySpec]:
    """One policy; an exception of it counts as deny."""
    yield PolicySpec(name=NAME, create=lambda ctx: LockFiles())
