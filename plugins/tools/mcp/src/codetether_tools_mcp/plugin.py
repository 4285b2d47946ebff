"""What the plugin mcp offers to codetether's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from codetether import SessionContext, SettingsSpec, SlashCommandSpec, ToolsetSpec, hookimpl

from codetether_tools_mcp.settings import McpSettings

if TYPE_CHECKING:
    from codetether_tools_mcp.prompting import PromptCommand
    from codetether_tools_mcp.toolset import McpTools


def _tools(ctx: SessionContext) -> McpTools:
    from codetether_tools_mcp.toolset import McpTools

    return McpTools(ctx)


def _prompt(ctx: SessionContext) -> PromptCommand:
    from codetether_tools_mcp.prompting import PromptCommand

    return PromptCommand(ctx)


@hookimpl
def codetether_settings() -> Iterable[SettingsSpec]:
    """`[plugins.mcp]`."""
    yield SettingsSpec(cls=McpSettings, of_site=True)


@hookimpl
def codetether_tools() -> Iterable[ToolsetSpec]:
    """The tools of the servers."""
    yield ToolsetSpec(name="mcp", create=_tools)


@hookimpl
def codetether_slash_commands() -> Iterable[SlashCommandSpec]:
    """`/mcp`."""
    yield SlashCommandSpec(
        name="mcp", create=_prompt, takes="[SERVER:PROMPT [NAME=VALUE …]]", help="list MCP prompts, or send one"
    )
