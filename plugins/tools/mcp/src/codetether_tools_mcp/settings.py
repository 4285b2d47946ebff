"""What `[plugins.mcp]` holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

from attrs import Attribute, field, frozen

Product = Literal["claude", "codex", "opencode"]
_SECRET = frozenset({"authorization", "x-api-key", "api-key", "cookie", "proxy-authorization"})


@frozen(kw_only=True)
class ServerSettings:
    """`[plugins.mcp.servers.NAME]`: a server that is started (`command`), or reached (`url`).

    Attributes:
        cwd: where it is started; the workspace by default.
        type: `http` is streamable HTTP, `sse` the older way; by default as `command` or `url` tells.
        timeout: seconds that one call may take. startup: seconds until it must have told what it offers.
        tools: globs over its own names of tools, those that are offered; None for all. hidden: those that are not.
        sampling: it may ask the session's model.
        scope: what to ask for when signing in. client_id: of an OAuth client that is registered there already.
    """

    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(factory=dict)
    cwd: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(factory=dict)
    type: Literal["stdio", "http", "sse"] | None = None
    enabled: bool = True
    timeout: float = 300.0
    startup: float = 30.0
    tools: tuple[str, ...] | None = None
    hidden: tuple[str, ...] = ()
    sampling: bool = False
    scope: str | None = None
    client_id: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.command is None) == (self.url is None):
            raise ValueError("needs either a command or a url")

    def offers(self, tool: str) -> bool:
        """Whether `tools` and `hidden` let the model have it."""
        return _passes(tool, self.tools, self.hidden)


def _passes(name: str, wanted: Sequence[str] | None, unwanted: Sequence[str]) -> bool:
    fits = wanted is None or any(fnmatchcase(name, glob) for glob in wanted)
    return fits and not any(fnmatchcase(name, glob) for glob in unwanted)


def _no_secret(_: Any, attribute: Attribute[Any], value: Mapping[str, ServerSettings]) -> None:
    for server, settings in value.items():
        for name, text in settings.headers.items():
            if name.lower() in _SECRET and "${" not in text:
                raise ValueError(f'{server}: the header "{name}" holds a secret; write ${{VARIABLE}} in its place')


@frozen(kw_only=True)
class McpSettings:
    """`[plugins.mcp]`: only the user and the site decide it; what a repository wants stands in its `.mcp.json`.

    Attributes:
        enabled: whether servers are used at all.
        servers: by name.
        read: the products whose own files are read for more servers.
        allow: globs over names of servers, those that may be used; None for all. deny: those that may not.
    """

    enabled: bool = True
    servers: Mapping[str, ServerSettings] = field(factory=dict, validator=_no_secret)
    read: tuple[Product, ...] = ("claude", "codex", "opencode")
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()

    def permits(self, server: str) -> bool:
        """Whether `allow` and `deny` let it be used."""
        return _passes(server, self.allow, self.deny)
