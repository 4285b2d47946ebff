"""What the plugin sandbox offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from codetether import Executor, ExecutorSpec, SessionContext, SettingsSpec, hookimpl

from codetether_executor_sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from pathlib import Path


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """What commands may see and do."""
    yield SettingsSpec(cls=SandboxSettings)


@hookimpl
def codetether_executors() -> Iterable[ExecutorSpec]:
    """Confined commands."""
    yield ExecutorSpec(name="sandbox", create=_create)


async def _create(ctx: SessionContext) -> Executor:
    settings = ctx.settings or SandboxSettings()
    withheld = [p.api_key_env for p in ctx.core.providers.values() if p.api_key_env]
    withheld += [secret.env or name for name, secret in ctx.core.secrets.items()]
    if settings.backend == "none":
        from codetether import LocalExecutor

        ctx.notice("no sandbox, as you said: commands may do whatever you may")
        return LocalExecutor(withheld=withheld)
    from codetether_executor_sandbox.choice import Choice
    from codetether_executor_sandbox.environment import values_of_keys

    choice = Choice(
        workspace=ctx.directory.resolve(),
        settings=settings,
        own=_own(ctx),
        keys=values_of_keys(withheld),
        cache=ctx.cache_dir,
    )
    made = await choice.executor()
    if made.confinement.missing and settings.backend == "auto":
        missing = ", ".join(made.confinement.missing)
        ctx.notice(f"sandbox: {made.confinement.backend}, without {missing}. {made.confinement.remedy}")
    return made


def _own(ctx: SessionContext) -> tuple[Path, ...]:
    """Where codetether keeps its own files."""
    found = getattr(ctx, "directories", None)
    if found is None:
        return (ctx.config_dir, ctx.state_dir, ctx.cache_dir)
    return (found.config, found.data, found.state, found.cache)
