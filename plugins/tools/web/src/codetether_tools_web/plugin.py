"""What the plugin web offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from codetether import SessionContext, SettingsSpec, ToolsetSpec, hookimpl

if TYPE_CHECKING:
    from codetether_tools_web.toolset import WebTools


def _create(ctx: SessionContext) -> WebTools:
    from codetether_tools_web.toolset import WebTools

    return WebTools(ctx)


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.web]`, which no repository decides."""
    from codetether_tools_web.settings import WebSettings

    yield SettingsSpec(cls=WebSettings, of_site=True)


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """The tools that read the web."""
    yield ToolsetSpec(name="web", create=_create, keys=("brave", "tavily"))
