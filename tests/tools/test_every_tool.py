"""What each tool for files and commands keeps beyond the promises of the kit, tried as its own plugin says."""

from __future__ import annotations

import os
import re
from importlib.metadata import entry_points
from pathlib import Path

import attrs
import pytest
from codetether.testing.trials import ToolTrial
from codetether.testing.workbench import Workbench, workbench
from codetether_tools_files.trials import TRIALS as FILES
from codetether_tools_shell.trials import TRIALS as SHELL

AFTER_ANOTHER = {"job_output", "job_kill"}
"""Tools that do something only after another one: their own stories try them."""
TRIED: dict[str, ToolTrial] = {
    name: tried for name, tried in {**FILES.tools, **SHELL.tools}.items() if name not in AFTER_ANOTHER
}
SAID = {
    "list": "notes.txt",
    "read": "日本",
    "write": "日本",
    "edit": "notes.txt",
    "multiedit": "notes.txt",
    "apply_patch": "日本",
    "undo": "nothing to undo",
    "glob": "notes.txt",
    "grep": "notes.txt:2: 日本",
    "bash": "grüße",
    "exec": "grüße",
}
"""What stands in the result of the tool's plain call."""
CHANGED = {
    "write": ["new/日本.txt"],
    "edit": ["notes.txt"],
    "multiedit": ["notes.txt"],
    "apply_patch": ["moved.txt", "new/日本.txt", "notes.txt"],
    "bash": ["made"],
}
"""The files that the plain call makes, changes or takes away."""
FEW_EXAMPLES = {"multiedit", "apply_patch", "undo", "exec"}
"""Tools for which a small model has others."""
EVERY = pytest.mark.parametrize("name", TRIED)


@pytest.fixture
async def bench(tmp_path: Path) -> Workbench:
    """The tools, by their mere installation, with everything inside the workspace allowed."""
    (tmp_path / "W").mkdir()
    plugins = [point.load() for point in sorted(entry_points(group="codetether")) if point.name in ("files", "shell")]
    return await workbench(tmp_path / "W", *plugins, permissions={"allow": ["bash", "exec"]})


def snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    """All files below a directory, with modes and beginnings."""
    return {
        str(path.relative_to(directory)): (path.stat().st_mode, path.read_bytes()[:1000])
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_every_tool_is_tried(bench: Workbench) -> None:
    assert set(bench.tools) == TRIED.keys() | AFTER_ANOTHER
    assert TRIED.keys() == SAID.keys()


@EVERY
def test_a_definition_is_short_and_has_examples(bench: Workbench, name: str) -> None:
    definition = bench.definition(name)
    assert re.fullmatch(r"[a-z_]{1,64}", definition.name)
    assert 40 <= len(definition.description) <= 500
    assert (len(definition.examples) > 2) == (name not in FEW_EXAMPLES)


@EVERY
async def test_a_plain_call_succeeds_and_changes_what_it_says(bench: Workbench, name: str) -> None:
    TRIED[name].prepare(bench.directory)
    before = snapshot(bench.directory)
    call, ctx = bench.prepared(name, **TRIED[name].arguments or {})
    resources = bench.tools[name].resources(call, ctx)
    assert snapshot(bench.directory) == before
    result = await bench.tools[name].run(call, ctx)
    after = snapshot(bench.directory)
    changed = sorted(path for path in after.keys() | before.keys() if after.get(path) != before.get(path))
    assert (result.success, changed) == (True, CHANGED.get(name, []))
    assert SAID[name] in result.output
    effects = bench.definition(name).effects
    assert "write" in effects or not changed
    assert set(changed) <= set(resources.writes) or bool(resources.commands)
    assert bool(resources.commands) == ("execute" in effects)


@pytest.mark.parametrize("name", FILES.tools)
async def test_a_result_holds_nothing_that_acts_on_a_screen(bench: Workbench, name: str) -> None:
    TRIED[name].prepare(bench.directory)
    strange = bench.directory / os.fsdecode(b"caf\xe9-\x1b[31m\n.txt")
    strange.write_bytes(b"\xff\xfe\xe9 \xe6\x97\n")
    result = await bench.call(name, **TRIED[name].arguments or {})
    assert "\x1b[31m" not in result.output


@EVERY
async def test_odd_calls_say_what_is_wrong_and_change_nothing(bench: Workbench, name: str) -> None:
    TRIED[name].prepare(bench.directory)
    before = snapshot(bench.directory)
    results = [await bench.call(name, **arguments) for arguments in TRIED[name].odd]
    assert all(result.output.startswith("Error: ") or result.metadata.get("exit_code") for result in results)
    assert [result.success for result in results] == [False] * len(results)
    assert snapshot(bench.directory) == before


@EVERY
async def test_in_mode_plan_only_what_reads_runs(bench: Workbench, name: str) -> None:
    TRIED[name].prepare(bench.directory)
    before = snapshot(bench.directory)
    planning = attrs.evolve(bench, mode="plan")
    result = await planning.call(name, **TRIED[name].arguments or {})
    assert result.success == bench.definition(name).read_only
    assert snapshot(bench.directory) == before
