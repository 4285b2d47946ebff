"""What the file tools cost beside plain Python, and beside ripgrep on a tree of 50,000 files."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from codetether.testing.workbench import Workbench, workbench
from codetether_tools_files import plugin
from codetether_tools_files.ripgrep import program

from benchmarks.figures import Figure
from benchmarks.yardsticks import Yardsticks

FILES = 50_000
SEARCH_BAR = 1.3
"""Times ripgrep's own time."""
READ_BAR, EDIT_BAR = 5.0, 5.0
"""Milliseconds more than plain Python takes, on a file of 2,000 lines."""
LINES = "".join(f"line {number} of a file that is read and edited\n" for number in range(2000))


def files(yardsticks: Yardsticks, rounds: int) -> Iterator[Figure]:
    """Whole calls of the tools, in a loop that has called them before, as a session's; the server is not asked."""
    with TemporaryDirectory() as made, asyncio.Runner() as runner:
        place = Path(made).resolve()
        bench = runner.run(_bench(place / "one"))
        yield from _changed(runner, bench, place / "one" / "file.txt", rounds)
        _grow(place / "many")
        bench = runner.run(_bench(place / "many"))
        rg = [program(), "--no-config", "--hidden", "--no-require-git", "--glob=!.git"]
        for name, call, plain in (
            ("grep", {"pattern": "needle"}, [*rg, "--line-number", "needle", "."]),
            ("glob", {"pattern": "**/*7.txt"}, [*rg, "--files", "--glob", "*7.txt", "."]),
        ):
            ours, floor = _paired(_calling(runner, bench, name, call), _running(plain, place / "many"), rounds)
            yield Figure(name=f"{name} in 50,000 files", unit="ms", ours=ours, floor=floor, bar=SEARCH_BAR)


async def _bench(directory: Path) -> Workbench:
    directory.mkdir(exist_ok=True)
    return await workbench(directory, plugin, permissions={"allow": ["*"]}, mode="unsafe")


def _changed(runner: asyncio.Runner, bench: Workbench, file: Path, rounds: int) -> Iterator[Figure]:
    file.write_text(LINES)

    line = "line 7 of a file that is read and"
    ways = itertools.cycle([(f"{line} edited", f"{line} changed"), (f"{line} changed", f"{line} edited")])

    def edit() -> None:
        old, new = next(ways)
        _calling(runner, bench, "edit", {"path": "file.txt", "old": old, "new": new})()

    def plain_edit() -> None:
        beside = file.with_suffix(".new")
        beside.write_text(file.read_text().replace("no such line", ""))
        beside.replace(file)

    reading = _calling(runner, bench, "read", {"path": "file.txt"})
    for name, call, plain, bar in (("read", reading, file.read_text, READ_BAR), ("edit", edit, plain_edit, EDIT_BAR)):
        call()
        ours, floor = _paired(call, plain, rounds, 20)
        yield Figure(name=f"{name} of 2,000 lines", unit="ms", ours=ours, floor=floor, bar=bar, judged="difference")


def _grow(place: Path) -> None:
    for number in range(FILES):
        folder = place / f"{number % 100:02}" / f"{number // 100 % 10}"
        if number < 1000:
            folder.mkdir(parents=True, exist_ok=True)
        text = "needle\n" if number % 500 == 0 else "straw\n" * 20
        (folder / f"{number}.txt").write_text(text)


def _calling(runner: asyncio.Runner, bench: Workbench, name: str, arguments: dict[str, Any]) -> Callable[[], None]:
    def call() -> None:
        prepared, ctx = bench.prepared(name, **arguments)
        tool = bench.tools[name]
        tool.resources(prepared, ctx)
        result = runner.run(tool.run(prepared, ctx))
        assert result.success, result.output

    return call


def _running(command: list[str], directory: Path) -> Callable[[], Any]:
    return partial(subprocess.run, command, cwd=directory, check=True, stdout=subprocess.DEVNULL)


def _paired(
    ours: Callable[[], Any], floor: Callable[[], Any], rounds: int, times: int = 1
) -> tuple[Sequence[float], Sequence[float]]:
    """Milliseconds of each, turn by turn."""
    pairs = [(_timed(ours, times), _timed(floor, times)) for _ in range(rounds)]
    return [mine for mine, _ in pairs], [plain for _, plain in pairs]


def _timed(call: Callable[[], Any], times: int = 1) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) * 1000 / times
