"""The policy `no-force`: no command with `--force`, whoever allowed it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from codetether import Decision, PermissionRequest, PolicySpec, hookimpl


class NoForce:
    """Looks at the words of each command; a text that is no shell words counts as forced."""

    async def decide(self, request: PermissionRequest) -> Decision:
        """Deny, or leave it to the other policies: the strictest counts."""
        for command in request.resources.commands:
            try:
                words = shlex.split(command)
            except ValueError:
                words = ["--force"]
            if any(word.partition("=")[0] in ("--force", "--force-with-lease") for word in words):
                return Decision(verdict="deny", rule="no --force", source="no-force", reason="nothing is forced here")
        return Decision(verdict="allow", rule="nothing forced", source="no-force")


@hookimpl
def codetether_permission_policies() -> Iterable[PolicySpec]:
    """One policy."""
    yield PolicySpec(name="no-force", create=lambda ctx: NoForce())
