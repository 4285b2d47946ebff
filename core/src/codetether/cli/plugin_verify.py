"""`codetether plugins verify`: whether the plugins' files are still what was installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import click
from attrs import evolve

from codetether.cli.completion import plugin_names
from codetether.cli.plugin_files import GROUPS, Environment, FileProblem, Verified
from codetether.cli.plugin_names import lookalikes
from codetether.cli.table import as_json, print_json, print_table
from codetether.cli.terminal import Screen, one_line
from codetether.errors import UsageError
from codetether.plugins.entry_points import normalised
from codetether.settings.structure import did_you_mean

SHOWN = 20
"""Problems of a distribution that are listed for people; JSON has all."""


@click.command("verify", short_help="Compare plugins' files with what was installed.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=plugin_names)
@as_json
def verify(names: tuple[str, ...], as_json: bool) -> int:
    """Compare the files of plugins with what their wheels recorded.

    NAME is a plugin or a distribution; without one, all that offer something to codetether, and codetether itself.
    Nothing is imported. Exit code 1 when a file was changed, added or lost, when a wheel brought a file that Python
    runs at every start (.pth), or when a name can be taken for another.
    """
    screen = Screen()
    found = verified(names)
    faulty = any(each.problems for each in found)
    if as_json:
        print_json(screen, {"ok": not faulty, "distributions": [attrs.asdict(each) for each in found]})
    else:
        _show(screen, found)
    return 1 if faulty else 0


def verified(names: Sequence[str] = ()) -> list[Verified]:
    """What is found of each distribution. Raises UsageError for a name that nothing here has."""
    environment = Environment()
    plugins = environment.plugins()
    owned = [
        (str(each.name), name)
        for each in plugins
        for name in {str(each.name), *(point.name for point in each.entry_points if point.group in GROUPS)}
    ]
    suspects = lookalikes(owned)
    found = []
    for each in _chosen(plugins, names):
        checked = environment.verify(each)
        found.append(evolve(checked, problems=(*checked.problems, *suspects.get(str(each.name), ()))))
    if not names:
        found += [_unreadable(which) for which in environment.unreadable]
    return found


def _unreadable(which: str) -> Verified:
    why = "its metadata cannot be read, so nobody knows what it offers"
    return Verified(name=which, version="", problems=(FileProblem(kind="unreadable", what="METADATA", why=why),))


def _chosen(plugins: Sequence[Any], names: Sequence[str]) -> list[Any]:
    if not names:
        return list(plugins)
    by_name: dict[str, list[Any]] = {}
    for each in plugins:
        points = [point.name for point in each.entry_points if point.group in GROUPS]
        for name in {normalised(n) for n in (str(each.name), *points)}:
            by_name.setdefault(name, []).append(each)
    chosen: list[Any] = []
    for name in names:
        if normalised(name) not in by_name:
            raise UsageError(f"no plugin {name!r} is installed{did_you_mean(name, list(by_name))}")
        chosen += [each for each in by_name[normalised(name)] if each not in chosen]
    return chosen


def _show(screen: Screen, found: Sequence[Verified]) -> None:
    if not found:
        screen.line("No plugins found")
        return
    rows = [(one_line(each.name, 60), each.version, each.files, _status(each), each.source) for each in found]
    print_table(screen, ("NAME", "VERSION", "FILES", "STATUS", "INSTALLED FROM"), rows)
    for each in found:
        name = one_line(each.name, 60)
        for problem in each.problems[:SHOWN]:
            screen.line(f"! {name}: {one_line(problem.what, 120)}: {problem.kind}: {one_line(problem.why, 300)}")
        if len(each.problems) > SHOWN:
            screen.line(f"! {name}: … and {len(each.problems) - SHOWN:,} more (--json has all)")
        for note in each.notes:
            screen.line(f"  {name}: {one_line(note, 200)}")
    if any(each.problems for each in found):
        screen.say("  Install anew what you did not change yourself: codetether plugins install --reinstall NAME")


def _status(each: Verified) -> str:
    if each.problems:
        return f"{len(each.problems)} problem{'s' if len(each.problems) > 1 else ''}"
    return "editable" if each.editable else "ok"
