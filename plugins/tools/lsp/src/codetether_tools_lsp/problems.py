"""What language servers find wrong with files, as the model is told it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from codetether import Resources, ToolCall, ToolResult, UsageError

from codetether_tools_lsp.settings import Severity

if TYPE_CHECKING:
    from pathlib import Path

    from lsprotocol.types import Diagnostic

    from codetether_tools_lsp.servers import Servers

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "information", "hint")
SHOWN = 20
"""Problems of one file that are told."""
FILES = 5
"""Files of one call that are looked at."""


class Problems:
    """After each change of a file, what its server finds wrong with it; the servers end when this is left."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    async def __aenter__(self) -> Problems:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._servers.close()

    async def review(self, call: ToolCall, resources: Resources, result: ToolResult) -> str | None:
        """The problems of the files that the call wrote; None where there are none."""
        if not result.success or not resources.writes:
            return None
        files = dict.fromkeys(filter(None, map(self._servers.resolved, resources.writes)))
        known = [path for path in files if path.suffix in self._servers.suffixes]
        told = [await problems(self._servers, path) for path in known[:FILES]]
        return (
            "\n".join(each for each in told if each not in result.output) or None
        )  # a call within it may have said so


async def problems(servers: Servers, path: Path) -> str:
    """The problems of a file of the workspace, one a line; empty where there are none, or nobody knows."""
    if (server := await servers.of(path)) is None:
        return ""
    from codetether_tools_lsp.documents import text_at

    try:
        found = await server.diagnostics(path, text_at(path), servers.settings.wait)
    except UsageError:
        return ""
    name = str(path.relative_to(servers.directory))
    return told(name, server.name, found or (), servers.settings.severity)


def told(name: str, server: str, found: Sequence[Diagnostic], mildest: Severity) -> str:
    """The worst first; `name:line:column: severity: message [code]`."""
    grave = [each for each in found if _rank(each) <= SEVERITIES.index(mildest)]
    if not grave:
        return ""
    grave.sort(key=lambda each: (_rank(each), each.range.start.line, each.range.start.character))
    lines = [f"{server} finds problems in {name}:"]
    for each in grave[:SHOWN]:
        start = each.range.start
        code = f" [{each.code}]" if each.code else ""
        message = str(getattr(each.message, "value", each.message))
        said = " ".join(message.split())[:500]
        lines.append(f"{name}:{start.line + 1}:{start.character + 1}: {SEVERITIES[_rank(each)]}: {said}{code}")
    if len(grave) > SHOWN:
        lines.append(f"… and {len(grave) - SHOWN} more")
    return "\n".join(lines)


def _rank(found: Diagnostic) -> int:
    return (found.severity or 1) - 1
