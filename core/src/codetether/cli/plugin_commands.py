"""Commands that plugins bring: entry points of the group `codetether.commands`, imported only when called."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

import click

from codetether.cli.terminal import visible
from codetether.errors import PluginError

GROUP = "codetether.commands"


def listed_commands(taken: Container[str]) -> list[tuple[str, str]]:
    """Name and distribution of each command whose name is not taken, from metadata alone."""
    return [(visible(p.name), visible(f"from {_distribution(p)}")) for p in _points() if p.name not in taken]


def load_command(name: str) -> click.Command | None:
    """The command of that name, None where no plugin has it. Raises PluginError for one that may not or cannot load."""
    found = [point for point in _points() if point.name == name]
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


def _points() -> list[Any]:
    import importlib_metadata

    points = importlib_metadata.entry_points(group=GROUP)
    return sorted(points, key=lambda point: (point.name, _distribution(point)))


def _distribution(point: Any) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _check_wanted(point: Any) -> None:
    """A command is imported only when the settings let its distribution's plugins be imported."""
    from codetether.plugins.discovery import normalised
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
