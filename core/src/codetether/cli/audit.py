"""`codetether audit`: the command of the plugin that keeps the audit log, at its place among core's own."""

from __future__ import annotations

import click

from codetether.cli.plugin_commands import load_command
from codetether.errors import PluginError


def __getattr__(name: str) -> click.Command:
    """The command `audit`, loaded when it is asked for."""
    if name != "audit":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_command("audit") or _missing


@click.command("audit", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1)
def _missing(words: tuple[str, ...]) -> int:
    """Look at the audit log (the plugin that keeps it is not installed)."""
    raise PluginError(
        "no plugin that keeps an audit log is installed",
        remedy="codetether plugins install codetether-sink-audit-jsonl",
    )
