"""What the plugin functiongemma offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import RouterSpec, SessionContext, SettingsSpec, ToolCallRouter, hookimpl

from codetether_router_functiongemma.settings import FunctionGemmaSettings


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.functiongemma]`."""
    yield SettingsSpec(cls=FunctionGemmaSettings)


@hookimpl
def codetether_tool_call_routers() -> Iterable[RouterSpec]:
    """One router, after those that need no model."""
    yield RouterSpec(name="functiongemma", create=_create, place=700)


def _create(ctx: SessionContext) -> ToolCallRouter:
    settings: FunctionGemmaSettings = ctx.settings or FunctionGemmaSettings()
    if settings.disabled or not settings.enabled:
        from codetether_router_functiongemma.silent import Silent

        return Silent()
    from codetether_router_functiongemma.router import router

    return router(ctx)
