"""What the plugin text offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from attrs import frozen
from codetether import RouterSpec, SessionContext, SettingsSpec, ToolCallRouter, hookimpl


@frozen(kw_only=True)
class TextSettings:
    """`[plugins.text]`.

    Attributes:
        enabled: `auto` reads every model's text for calls, whatever the catalogue says of the model, and explains the
            tools in the prompt of a model that the catalogue says makes no structured calls. `on` reads, and explains
            nothing. `off` does neither.
        lenient: whether a call that breaks its own format in a known way (a trailing comma, Python's words in JSON, a
            line break within a string, a forgotten closing tag) is repaired.
    """

    enabled: Literal["auto", "on", "off"] = "auto"
    lenient: bool = True


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.text]`."""
    yield SettingsSpec(cls=TextSettings)


@hookimpl
def codetether_tool_call_routers() -> Iterable[RouterSpec]:
    """One router, before those that need a model."""
    yield RouterSpec(name="text", create=_create, place=300)


def _create(ctx: SessionContext) -> ToolCallRouter:
    from codetether_router_text.router import Silent, TextRouter

    settings: TextSettings = ctx.settings or TextSettings()
    if settings.enabled == "off":
        return Silent()
    return TextRouter(lenient=settings.lenient, explains=settings.enabled == "auto")
