"""`/mcp`: the prompts that servers have made up, listed, or filled in and sent as the user's own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from codetether import Message, SessionContext, TextPart, UsageError, user

from codetether_tools_mcp.definitions import Listing, PromptEntry
from codetether_tools_mcp.pins import Pins
from codetether_tools_mcp.servers import Server
from codetether_tools_mcp.settings import McpSettings
from codetether_tools_mcp.sources import found_servers


class PromptCommand:
    """`/mcp [SERVER:PROMPT [NAME=VALUE …]]`."""

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx

    async def run(self, arguments: str) -> str | Message:
        """The list of prompts, or the prompt that is to be sent. Raises UsageError."""
        try:
            name, *given = shlex.split(arguments) or [""]
        except ValueError as error:
            raise UsageError(f"{arguments!r} cannot be read: {error}", remedy="close the quotes") from error
        known = self._known()
        if not name:
            return "\n".join(_row(key, prompt) for key, (_, prompt) in known.items()) or "No MCP prompts found"
        if name not in known:
            there = ", ".join(known) or "none"
            raise UsageError(f"no MCP prompt {name!r}", remedy=f"there are: {there}")
        server, prompt = known[name]
        return await self._filled(server, prompt, _values(name, prompt, given))

    def _known(self) -> dict[str, tuple[Server, PromptEntry]]:
        pins = Pins(self._ctx.state_dir)
        found = found_servers(self._ctx.settings or McpSettings(), self._ctx.directory).servers.values()
        return {
            f"{server.name}:{prompt.name}": (server, prompt)
            for server in found
            if pins.usable(server)
            for prompt in (pins.get(server).listing or Listing()).prompts
        }

    async def _filled(self, server: Server, prompt: PromptEntry, values: dict[str, str]) -> Message:
        from mcp.shared.exceptions import MCPError

        from codetether_tools_mcp.line import Line
        from codetether_tools_mcp.results import contents

        line = Line(server, self._ctx)
        try:
            answer = await line.asked(lambda client: client.get_prompt(prompt.name, values))
        except MCPError as error:
            raise UsageError(f"MCP server {server.name} says: {error.message}") from error
        finally:
            await line.close()
        parts = list(contents(message.content for message in answer.messages))
        text = "\n\n".join(part.text for part in parts if isinstance(part, TextPart))
        return user(text, [part for part in parts if not isinstance(part, TextPart)])


def _row(key: str, prompt: PromptEntry) -> str:
    takes = " ".join(f"{name}=…" if needed else f"[{name}=…]" for name, needed in prompt.arguments.items())
    return f"  {key} {takes}".rstrip() + (f"  {prompt.description.splitlines()[0]}" if prompt.description else "")


def _values(name: str, prompt: PromptEntry, given: list[str]) -> dict[str, str]:
    values: Mapping[str, str] = {key: value for key, _, value in (word.partition("=") for word in given)}
    missing = [key for key, needed in prompt.arguments.items() if needed and key not in values]
    unknown = [key for key in values if key not in prompt.arguments]
    if missing or unknown:
        what = f"needs {', '.join(missing)}" if missing else f"takes no {', '.join(unknown)}"
        raise UsageError(f"the prompt {name} {what}", remedy=f"/mcp {_row(name, prompt).strip()}")
    return dict(values)
