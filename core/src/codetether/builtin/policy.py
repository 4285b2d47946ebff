"""The policy `rules`: modes, `--allow`, and the lists of `[permissions]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from attrs import field

from codetether.hookspecs import hookimpl
from codetether.models.tools import Decision, PermissionRequest
from codetether.permissions.rules import Rules
from codetether.specs import PolicySpec
from codetether.values import define

AUTO = "mode auto frees writes in the workspace only: commands still ask, since no sandbox confines them wholly"


class _Core(Protocol):
    @property
    def permissions(self) -> Mapping[Any, Any]: ...


class _Context(Protocol):
    """What the policy reads of a session's context."""

    @property
    def core(self) -> _Core: ...

    def notice(self, text: str) -> None: ...


@define(kw_only=True)
class RulesPolicy:
    """Judges each call by `Rules`."""

    rules: Rules
    context: _Context
    _said: bool = field(default=False, init=False)

    async def decide(self, request: PermissionRequest) -> Decision:
        """The strictest decision about all that the call touches."""
        if request.mode == "auto" and not request.confined and not self._said:
            self._said = True
            self.context.notice(AUTO)
        return self.rules.decide(request)


def _create(ctx: Any) -> RulesPolicy:
    return RulesPolicy(rules=Rules.parse(ctx.core.permissions, own=own_directories(ctx)), context=ctx)


def own_directories(ctx: Any) -> tuple[Path, ...]:
    """Where codetether keeps its own files: no tool writes there."""
    directories = getattr(ctx, "directories", None)
    if directories is None:
        return ()
    return (directories.config, directories.data, directories.state, directories.cache)


@hookimpl
def codetether_permission_policies() -> Iterable[PolicySpec]:
    """The rules of the settings and the session's mode."""
    yield PolicySpec(name="rules", create=_create)
