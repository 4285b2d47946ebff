"""The web tools of one session."""

from __future__ import annotations

from collections.abc import Sequence

from codetether import SessionContext, Tool

from codetether_tools_web.settings import WebSettings
from codetether_tools_web.webfetch import WebFetch
from codetether_tools_web.websearch import WebSearch


class WebTools:
    """webfetch and websearch, by what the user and the site set."""

    def __init__(self, ctx: SessionContext) -> None:
        settings = ctx.settings or WebSettings()
        secrets = [name for name, secret in ctx.core.secrets.items() if secret.hosts]
        self._tools = (WebFetch(settings, secrets=secrets), WebSearch(settings))

    async def tools(self) -> Sequence[Tool]:
        """Both tools."""
        return self._tools
