"""`codetether plugins install` and `uninstall`: by whichever installer holds this environment."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from codetether.cli.completion import plugin_names
from codetether.cli.plugin_files import GROUPS, Environment, startup_files
from codetether.cli.plugin_holder import Holder, Sources, holder_here
from codetether.cli.recorded import recorded
from codetether.cli.terminal import DIM, YELLOW, Screen, one_line
from codetether.errors import PluginError, UsageError
from codetether.plugins.entry_points import normalised
from codetether.settings.structure import did_you_mean

OURS = ("codetether-core", "codetether-agent")
_REQUIREMENT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9._,\s-]*\])?\s*([=<>!~]=?[^;@/\\]*)?")

index = click.option("--index-url", metavar="URL", help="The package index, instead of the usual one.")
find = click.option("--find-links", metavar="DIR", multiple=True, help="Look for wheels here too; repeatable.")
offline = click.option("--no-index", is_flag=True, help="Ask no index: only --find-links.")
dry = click.option("--dry-run", is_flag=True, help="Say what would be done.")


@click.command("install")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@index
@find
@offline
@click.option("--upgrade", "-U", is_flag=True, help="The newest version, where one is installed already.")
@click.option("--reinstall", is_flag=True, help="Install anew, even the same version.")
@click.option("--yes", "-y", is_flag=True, help="Install even what brings files that Python runs at every start.")
@dry
def install(
    names: tuple[str, ...],
    index_url: str | None,
    find_links: tuple[str, ...],
    no_index: bool,
    upgrade: bool,
    reinstall: bool,
    yes: bool,
    dry_run: bool,
) -> int:
    """Install plugins where codetether is installed.

    NAME is a distribution, as `pip install` takes it: codetether-tools-weather, "weather>=2", a wheel, a folder. What
    it brings is looked at first: a wheel with a .pth file, which Python runs at every start, is installed only when you
    say so.
    """
    screen = Screen()
    for name in names:
        _check_requirement(name)
    holder = holder_here()
    sources = Sources(index_url=index_url, find_links=find_links, no_index=no_index)
    command = holder.install(names, sources, upgrade=upgrade, reinstall=reinstall, dry_run=dry_run)
    if dry_run and not holder.tries:
        return _say_command(screen, command)
    if not dry_run and not _agreed(screen, _startup_files(screen, holder, names, sources), yes):
        return 1
    before = {name: str(each.version) for name, each in Environment().distributions.items()}
    if dry_run:
        return _run(screen, command)
    named = {"names": [re.sub(r"(?<=://)[^/@\s]+@", "***@", name) for name in names]}
    code = recorded("plugin", "plugin:install", named, partial(_run, screen, command))
    if code == 0:
        _welcome(screen, before, names)
    return code


@click.command("uninstall")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=plugin_names)
@dry
def uninstall(names: tuple[str, ...], dry_run: bool) -> int:
    """Uninstall plugins. NAME is a plugin or its distribution."""
    screen = Screen()
    distributions = [_owner(name) for name in names]
    command = holder_here().uninstall(distributions)
    if dry_run:
        return _say_command(screen, command)
    return recorded("plugin", "plugin:uninstall", {"names": distributions}, partial(_run, screen, command))


def _check_requirement(name: str) -> None:
    """Raises UsageError for what is neither a requirement nor a path, or only looks like a name."""
    if not name.isascii() and not Path(name).exists():
        raise UsageError(f"{name!r} is not written in plain letters: names of distributions are ASCII")
    if name.startswith("-") or not (Path(name).exists() or _REQUIREMENT.fullmatch(name)):
        raise UsageError(
            f"{name!r} is neither the name of a distribution nor a path",
            remedy='e.g. codetether-tools-weather, "weather>=2"',
        )


def _owner(name: str) -> str:
    """The distribution of a plugin's or a distribution's name. Raises UsageError for what is none, or is codetether."""
    wanted, known = normalised(name), set[str]()
    for each in Environment().plugins():
        own = normalised(str(each.name))
        plugins = {normalised(point.name) for point in each.entry_points if point.group in GROUPS}
        known |= {own, *plugins}
        if wanted not in {own, *plugins}:
            continue
        if own in OURS:
            raise UsageError(f"{own} is codetether itself", remedy="Remove it with what you installed it with.")
        return own
    raise UsageError(f"no plugin {name!r} is installed{did_you_mean(name, sorted(known))}", remedy="codetether plugins")


def _startup_files(screen: Screen, holder: Holder, names: Sequence[str], sources: Sources) -> list[str]:
    """`<wheel>: <file>` for each file of what is to be installed that Python would run at every start."""
    with tempfile.TemporaryDirectory(prefix="codetether-") as place:
        code = _run(screen, holder.fetch(names, sources, Path(place)))
        if code:
            raise PluginError(f"{names[0] if len(names) == 1 else 'the plugins'} cannot be fetched (exit code {code})")
        return fetched_startup_files(Path(place))


def fetched_startup_files(place: Path) -> list[str]:
    """The same, of a folder of wheels, or one into which wheels were unpacked."""
    from zipfile import ZipFile

    found = startup_files(path.name for path in place.iterdir() if path.is_file())
    for wheel in sorted(place.glob("*.whl")):
        with ZipFile(wheel) as files:
            found += [f"{wheel.name}: {name}" for name in startup_files(files.namelist())]
    return found


def _agreed(screen: Screen, startup: Sequence[str], yes: bool) -> bool:
    """Whether to go on: with nothing to say, or when the user says so."""
    if not startup:
        return True
    for file in startup:
        screen.say(f"warning: {one_line(file, 200)}: Python runs it at every start, whatever is started", YELLOW)
    if yes:
        return True
    if not (sys.stdin and sys.stdin.isatty()):
        screen.say("  Nothing was installed. If you trust it: --yes")
        return False
    return click.confirm("Install it all the same?", default=False, err=True)


def _run(screen: Screen, command: Sequence[str]) -> int:
    """Runs an installer, its output and its progress as it writes them; its exit code."""
    _say_command(screen, command)
    try:
        return subprocess.run(command, check=False).returncode
    except FileNotFoundError as error:
        raise PluginError(f"{command[0]} is not there", remedy="Is it on your PATH?") from error


def _say_command(screen: Screen, command: Sequence[str]) -> int:
    shown = [re.sub(r"(?<=://)[^/@\s]+@", "***@", word) for word in command]
    screen.say(f"$ {shlex.join(shown)}", DIM)
    return 0


def _welcome(screen: Screen, before: dict[str, str], names: Sequence[str]) -> None:
    """What is new: plugins by name, what has none, and what nobody asked for that runs at every start."""
    import importlib

    import importlib_metadata

    importlib.invalidate_caches()
    importlib_metadata.MetadataPathFinder.invalidate_caches()
    environment = Environment()
    fresh = {n: d for n, d in environment.distributions.items() if before.get(n) != str(d.version)}
    asked = {normalised(re.split(r"[\[\s=<>!~]", name)[0]) for name in names}
    for name, each in sorted(fresh.items()):
        plugins = sorted({point.name for point in each.entry_points if point.group in GROUPS})
        if plugins:
            screen.line(f"{name} {each.version}: {', '.join(plugins)}")
            _say_unwanted(screen, plugins)
        elif name in asked:
            screen.say(f"note: {name} has no plugin for codetether", YELLOW)
        _say_startup(screen, environment, name, each)


def _say_startup(screen: Screen, environment: Environment, name: str, each: Any) -> None:
    for problem in environment.verify(each).problems:
        if problem.kind == "startup":
            screen.say(f"warning: {name}: {one_line(problem.what, 120)}: {problem.why}", YELLOW)


def _say_unwanted(screen: Screen, plugins: Sequence[str]) -> None:
    """A plugin that the settings keep out would be missed without a word."""
    from codetether.settings.settings import load_settings

    wanted = load_settings(Path.cwd()).core.plugins
    for plugin in plugins:
        plain = normalised(plugin)
        blocked = plain in {normalised(name) for name in wanted.block}
        allowed = wanted.allow is None or plain in {normalised(name) for name in wanted.allow}
        if blocked or not allowed:
            screen.say(f"note: the settings do not let {plugin} load ([plugins] allow, block)", YELLOW)
