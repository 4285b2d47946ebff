"""What a start costs: --version, --help, the way to the first request, thirty plugins."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.children import Command, Cost, cost, in_turn
from benchmarks.figures import Figure
from benchmarks.first_request import cost_to_first_request
from benchmarks.yardsticks import Yardsticks

PLUGINS = 30
CLICK = Command(("-c", "import click"))
MODULE = '''"""What the plugin offers."""

from codetether import PluginContext, PromptSectionSpec, hookimpl


@hookimpl
def codetether_prompt_sections():
    """A line of the prompt."""
    yield PromptSectionSpec(name="section{0}", create=Section)


class Section:
    def __init__(self, ctx: PluginContext) -> None:
        self.ctx = ctx

    async def render(self) -> str:
        return "Be brief, says {0}."
'''


def install(target: Path, count: int) -> None:
    """Puts plugins into a directory as pip would lay them out, each its own distribution."""
    for number in range(count):
        name = f"codetether_bench_{number}"
        package, info = target / name, target / f"{name}-1.0.dist-info"
        package.mkdir(parents=True)
        info.mkdir()
        (package / "__init__.py").write_text("")
        (package / "plugin.py").write_text(MODULE.format(number))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[codetether]\nbench{number} = {name}.plugin\n")


def version(_: Yardsticks, rounds: int) -> Iterator[Figure]:
    """--version, answered before click is imported."""
    command = Command(("-m", "codetether", "--version"))
    yield _cpu("--version", command, CLICK, rounds, bar=0.8)


def help_(_: Yardsticks, rounds: int) -> Iterator[Figure]:
    """--help with plugins installed, none of which it imports."""
    with tempfile.TemporaryDirectory() as scratch:
        install(Path(scratch), PLUGINS)
        command = Command(("-m", "codetether", "--help"), {"PYTHONPATH": scratch, "CODETETHER_HOME": scratch})
        yield _cpu(f"--help, {PLUGINS} plugins installed", command, CLICK, rounds, bar=3)


def first_request(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """From the start of `codetether run` to the first request, over http and https."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        for scheme in ("http", "https"):
            pairs = in_turn(
                rounds,
                partial(cost_to_first_request, partial(_run, yardsticks, home), scheme),
                partial(cost_to_first_request, lambda url: yardsticks.floor(url, "--steps", "0", "--stream"), scheme),
            )
            yield Figure(
                name=f"start to first request, {scheme}",
                unit="ms CPU",
                ours=[ours.cpu * 1000 for ours, _ in pairs],
                floor=[floor.cpu * 1000 for _, floor in pairs],
                bar=1.4,
                command=_run(yardsticks, home, yardsticks.url("s0-t1")),
            )


def plugins(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """What thirty plugins add to the way to the first request."""
    with tempfile.TemporaryDirectory() as scratch:
        target, home = Path(scratch, "plugins"), Path(scratch, "home")
        install(target, PLUGINS)
        many = partial(_run, yardsticks, home, plugins=str(target))
        pairs = in_turn(
            rounds,
            partial(cost_to_first_request, many),
            partial(cost_to_first_request, partial(_run, yardsticks, home)),
        )
        yield Figure(
            name=f"{PLUGINS} plugins at start",
            unit="ms CPU",
            ours=[ours.cpu * 1000 for ours, _ in pairs],
            floor=[floor.cpu * 1000 for _, floor in pairs],
            bar=20,
            judged="difference",
            command=many(yardsticks.url("s0-t1")),
        )


def _run(yardsticks: Yardsticks, home: Path, url: str, plugins: str = "") -> Command:
    variables = yardsticks.variables(home, url)
    if plugins:
        variables["PYTHONPATH"] = plugins
    return Command(("-m", "codetether", "run", "-m", "openai/fake", "hello"), variables)


def _cpu(name: str, command: Command, floor: Command, rounds: int, bar: float) -> Figure:
    measures: tuple[Callable[[], Cost], ...] = (partial(cost, command), partial(cost, floor))
    pairs = in_turn(2 * rounds, *measures)
    return Figure(
        name=name,
        unit="ms CPU",
        ours=[ours.cpu * 1000 for ours, _ in pairs],
        floor=[floor.cpu * 1000 for _, floor in pairs],
        bar=bar,
        command=command,
    )
