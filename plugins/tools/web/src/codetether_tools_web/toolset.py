"""The web tools of one session; the code of each is loaded by its first call."""

from __future__ import annotations

from collections.abc import Sequence

from codetether import DeferredTool, SessionContext, Tool

from codetether_tools_web import definitions


class WebTools:
    """webfetch and websearch, by what the user and the site set."""

    def __init__(self, ctx: SessionContext) -> None:
        self._settings = ctx.settings
        self._secrets = [name for name, secret in ctx.core.secrets.items() if secret.hosts]

    async def tools(self) -> Sequence[Tool]:
        """Both tools."""
        return (
            DeferredTool(definitions.webfetch(self._secrets), self._webfetch),
            DeferredTool(definitions.WEBSEARCH, self._websearch),
        )

    def _webfetch(self) -> Tool:
        from codetether_tools_web.webfetch import WebFetch

        return WebFetch(self._settings, secrets=self._secrets)

    def _websearch(self) -> Tool:
        from codetether_tools_web.websearch import WebSearch

        return WebSearch(self._settings)
