"""`codetether plugins`: bare it lists; its commands make, install, uninstall and verify plugins."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from codetether.cli.listings import list_plugins
from codetether.cli.table import as_json

COMMANDS = {
    "list": ("codetether.cli.plugin_admin", "listing"),
    "new": ("codetether.cli.plugin_new", "new"),
    "install": ("codetether.cli.plugin_install", "install"),
    "uninstall": ("codetether.cli.plugin_install", "uninstall"),
    "verify": ("codetether.cli.plugin_verify", "verify"),
}
"""Command -> module and name there; each is imported when it is asked for."""


class PluginCommands(click.Group):
    """The commands, none imported before it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, its module imported."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        found: click.Command = getattr(import_module(module), name)
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command, or a usage error that names the nearest one."""
        if args[0] not in COMMANDS:
            from codetether.settings.structure import did_you_mean

            raise click.UsageError(f"no command {args[0]!r}{did_you_mean(args[0], list(COMMANDS))}", ctx)
        return super().resolve_command(ctx, args)


trace = click.option("--trace", is_flag=True, help="With the time that each import and each hook took.")
strict = click.option("--strict-plugins", "strict", is_flag=True, help="A plugin that breaks a promise is an error.")


@click.group("plugins", cls=PluginCommands, invoke_without_command=True)
@as_json
@trace
@strict
@click.pass_context
def plugins(ctx: click.Context, as_json: bool, trace: bool, strict: bool) -> int | None:
    """List plugins; with a command: make, install, uninstall or verify them.

    The list says where each comes from, whether it loaded, and what is wrong with it.
    """
    if ctx.invoked_subcommand is not None:
        if as_json or trace or strict:
            raise click.UsageError(f"options stand after the command: codetether plugins {ctx.invoked_subcommand} …")
        return None
    return list_plugins(as_json=as_json, trace=trace, strict=strict)


@click.command("list", short_help="List plugins and what is wrong with them.")
@as_json
@trace
@strict
def listing(as_json: bool, trace: bool, strict: bool) -> int:
    """List plugins: where each comes from, whether it loaded, what is wrong with it."""
    return list_plugins(as_json=as_json, trace=trace, strict=strict)
