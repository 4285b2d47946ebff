"""What the plugin lsp offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from codetether import ResultReviewerSpec, SessionContext, SettingsSpec, ToolsetSpec, hookimpl

from codetether_tools_lsp.settings import LspSettings

if TYPE_CHECKING:
    from codetether_tools_lsp.problems import Problems
    from codetether_tools_lsp.servers import Servers
    from codetether_tools_lsp.toolset import LspTools

_SERVERS: WeakValueDictionary[str, Servers] = WeakValueDictionary()
"""Of the sessions that are open: a session's tools and its reviewer ask the same servers."""


def _servers(ctx: SessionContext) -> Servers:
    from codetether_tools_lsp.servers import Servers

    return _SERVERS.setdefault(ctx.session.id, Servers(ctx))


def _tools(ctx: SessionContext) -> LspTools:
    from codetether_tools_lsp.toolset import LspTools

    return LspTools(_servers(ctx))


def _reviewer(ctx: SessionContext) -> Problems | None:
    from codetether_tools_lsp.problems import Problems

    servers = _servers(ctx)
    return Problems(servers) if servers.settings.diagnostics and servers.suffixes else None


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.lsp]`: which programs are started is the user's and the site's to say, not a repository's."""
    yield SettingsSpec(cls=LspSettings, of_site=True)


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """Questions to language servers, and renaming."""
    yield ToolsetSpec(name="lsp", create=_tools)


@hookimpl
def codetether_result_reviewers() -> Iterable[ResultReviewerSpec]:
    """What language servers find wrong with a file that was changed."""
    yield ResultReviewerSpec(name="lsp", create=_reviewer)
