"""A server as some file describes it, and whether it may be used."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen
from codetether import UsageError

from codetether_tools_mcp.settings import ServerSettings

_USER = re.compile(r"//[^/@]*@")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@frozen(kw_only=True)
class Server:
    """A server by its name, with where it is described.

    Attributes:
        origin: the file, or `settings`.
        trusted: the user wrote it himself: it needs no approval.
    """

    name: str
    settings: ServerSettings
    origin: str
    trusted: bool

    @property
    def fingerprint(self) -> str:
        """What it is approved under: a digest of its origin and of all that decides what runs or is reached."""
        told = self.settings
        parts = [self.origin, self.name, self.kind, told.command, told.args, dict(told.env), told.cwd, told.url]
        text = json.dumps([*parts, dict(told.headers)], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def kind(self) -> str:
        """`stdio`, `http` or `sse`."""
        return self.settings.type or ("stdio" if self.settings.command is not None else "http")

    @property
    def what(self) -> str:
        """The command as a shell would be told it, or the URL without what may be a secret; nothing is expanded."""
        if self.settings.command is not None:
            return shlex.join([self.settings.command, *self.settings.args])
        url, query, _ = str(self.settings.url).partition("?")
        return _USER.sub("//", url) + ("?…" if query else "")

    @property
    def host(self) -> str:
        """The host with its port, empty for a command and for what is no URL."""
        try:
            found = urlsplit(self.settings.url or "")
            return f"{found.hostname}:{found.port}" if found.port else found.hostname or ""
        except ValueError:
            return ""

    def directory(self, workspace: Path) -> Path:
        """Where its command is started."""
        return workspace / Path(self.expanded(self.settings.cwd or ".")).expanduser()

    def expanded(self, text: str, environment: Mapping[str, str] = os.environ) -> str:
        """The text with each `${NAME}` and `${NAME:-default}` replaced. Raises UsageError for a variable not set.

        Only for a server that may be used: what a stranger wrote must not learn what the variables hold.
        """

        def value(found: re.Match[str]) -> str:
            name, default = found[1], found[2]
            if name in environment:
                return environment[name]
            if default is None:
                raise UsageError(
                    f"MCP server {self.name} needs the variable {name}, which is not set.",
                    remedy=f"Set it: export {name}=…",
                )
            return str(default)

        return _VARIABLE.sub(value, text)

    def all_expanded(self, values: Mapping[str, str]) -> dict[str, str]:
        """The same mapping with each value expanded."""
        return {name: self.expanded(text) for name, text in values.items()}
