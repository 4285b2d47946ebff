"""The command `/where` of a conversation."""

from __future__ import annotations

from collections.abc import Iterable

from codetether import SessionContext, SlashCommandSpec, hookimpl


class Where:
    """Knows the session that it is typed in."""

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx

    async def run(self, arguments: str) -> str | None:
        """The workspace, or a path in it."""
        return str(self._ctx.directory / arguments)


@hookimpl
def codetether_slash_commands() -> Iterable[SlashCommandSpec]:
    """One command."""
    yield SlashCommandSpec(name="where", create=Where, takes="[PATH]", help="show where the session works")
