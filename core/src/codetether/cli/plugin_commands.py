"""Commands that plugins bring, imported only when called: entry points of `codetether.commands` and its kin."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

import click

from codetether.cli.terminal import visible
from codetether.errors import PluginError
from codetether.plugins.entry_points import Unreadable, entry_points, normalised

GROUP = "codetether.commands"
"""Entry points: commands of `codetether`."""
AUTH = "codetether.auth_commands"
"""Entry points: commands of `codetether auth`, ways to sign in."""


class PluginGroup(click.Group):
    """A group of core's that plugins add commands to.

    Attributes:
        entry_points: the group of the entry points that name them.
    """

    entry_points = GROUP

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; a plugin's own is imported now."""
        return super().get_command(ctx, cmd_name) or load_command(cmd_name, self.entry_points)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Core's commands, then those of plugins from metadata alone."""
        super().format_commands(ctx, formatter)
        if rows := listed_commands(self.commands, self.entry_points):
            with formatter.section("Commands of plugins"):
                formatter.write_dl(rows)


def listed_commands(taken: Container[str], group: str = GROUP) -> list[tuple[str, str]]:
    """Name and distribution of each command whose name is not taken, from metadata alone."""
    return [(visible(p.name), visible(f"from {_distribution(p)}")) for p in _points(group) if p.name not in taken]


def load_command(name: str, group: str = GROUP) -> click.Command | None:
    """The command of that name, None where no plugin has it. Raises PluginError for one that may not or cannot load."""
    found = [point for point in _points(group) if point.name == name]
    if not found:
        return None
    if len(found) > 1:
        who = " and ".join(_distribution(point) for point in found)
        raise PluginError(f'both {who} have a command "{name}"', remedy="Uninstall one of them.")
    (point,) = found
    _check_wanted(point)
    try:
        command = point.load()
    except (Exception, SystemExit) as error:  # the plugin boundary: a plugin's import can raise anything
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise PluginError(f'the command "{name}" of {_distribution(point)} cannot be loaded: {why}') from error
    if not isinstance(command, click.Command):
        raise PluginError(f'the command "{name}" of {_distribution(point)} is no click command')
    return command


def _points(group: str) -> list[Any]:
    points = [point for point in entry_points(group) if not isinstance(point, Unreadable)]
    return sorted(points, key=lambda point: (point.name, _distribution(point)))


def _distribution(point: Any) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _check_wanted(point: Any) -> None:
    """A command is imported only when the settings let its distribution's plugins be imported."""
    from codetether.settings.settings import load_settings

    wanted = load_settings(Path.cwd()).core.plugins
    beside = [p.name for p in point.dist.entry_points if p.group == "codetether"] if point.dist else []
    names = {normalised(name) for name in (point.name, *beside)}
    for setting in (wanted.block, wanted.not_):
        if names & {normalised(name) for name in setting}:
            raise PluginError(f'the command "{point.name}" of {_distribution(point)} is blocked by the settings')
    for allowed in (wanted.allow, wanted.only):
        if allowed is not None and not names & {normalised(name) for name in allowed}:
            raise PluginError(f'the command "{point.name}" of {_distribution(point)} is not allowed by the settings')
