"""What every tool must keep, tried on all of ours: each tool is described once, each promise is tested once."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import field, frozen
from codetether import JSON, ToolResult
from codetether.plugins.contracts import validator
from codetether.testing.workbench import Workbench, workbench

LARGEST = 4 * 1024 * 1024
"""Characters of a result at most; the loop cuts them further for the model and keeps the rest beside the journal."""


def nothing(directory: Path) -> None:
    """Prepares nothing."""


@frozen(kw_only=True)
class Subject:
    """How a tool is tried.

    Attributes:
        arguments: of a call that succeeds in a workspace that `prepare` made.
        odd: of calls that must end with an error result or a plain result, and change nothing.
        flood: of a call whose output has no end of its own, in a workspace that `fill` made.
        changes: files that the succeeding call makes or changes.
    """

    arguments: Mapping[str, JSON]
    prepare: Callable[[Path], Any] = nothing
    odd: tuple[Mapping[str, JSON], ...] = ()
    flood: Mapping[str, JSON] = field(factory=dict)
    fill: Callable[[Path], Any] = nothing
    changes: tuple[str, ...] = ()
    text: str = ""


def notes(directory: Path) -> None:
    """A file with text in two scripts."""
    (directory / "notes.txt").write_text("grüße\n日本\n", "utf-8")


def length(directory: Path) -> None:
    """A long file."""
    (directory / "long.txt").write_text("needle\n" * 400_000)


def crowd(directory: Path) -> None:
    """A long file, a wide one, and many files."""
    length(directory)
    (directory / "wide.txt").write_text("needle" * 400_000)
    for number in range(1050):
        (directory / f"needle-{number}.x").touch()


PATCH = """\
*** Begin Patch
*** Add File: new/日本.txt
+grüße
*** Update File: notes.txt
*** Move to: moved.txt
@@
 grüße
-日本
+Japan
*** End Patch
"""
SUBJECTS = {
    "list": Subject(
        arguments={}, prepare=notes, odd=({"path": "nope"},), flood={"path": "."}, fill=crowd, text="notes.txt"
    ),
    "read": Subject(
        arguments={"path": "notes.txt"},
        prepare=notes,
        odd=({"path": "nope"}, {"path": "."}),
        flood={"path": "long.txt", "limit": 1_000_000},
        fill=length,
        text="日本",
    ),
    "write": Subject(
        arguments={"path": "new/日本.txt", "content": "grüße\n"},
        odd=({"path": "notes.txt", "content": "x"}, {"path": ".", "content": "x"}),
        prepare=notes,
        flood={"path": "large", "content": "x" * 3_000_000},
        changes=("new/日本.txt",),
        text="日本",
    ),
    "edit": Subject(
        arguments={"path": "notes.txt", "old": "日本", "new": "Japan"},
        odd=({"path": "notes.txt", "old": "absent", "new": "x"}, {"path": "nope", "old": "a", "new": "b"}),
        prepare=notes,
        flood={"path": "long.txt", "old": "needle", "new": "x", "replace_all": True},
        fill=length,
        changes=("notes.txt",),
        text="notes.txt",
    ),
    "multiedit": Subject(
        arguments={"path": "notes.txt", "edits": [{"old": "日本", "new": "Japan"}, {"old": "Japan", "new": "日"}]},
        odd=({"path": "notes.txt", "edits": [{"old": "日本", "new": "x"}, {"old": "absent", "new": "x"}]},),
        prepare=notes,
        flood={"path": "long.txt", "edits": [{"old": "needle", "new": "x", "replace_all": True}]},
        fill=length,
        changes=("notes.txt",),
        text="notes.txt",
    ),
    "apply_patch": Subject(
        arguments={"patch": PATCH},
        odd=({"patch": "x"}, {"patch": PATCH.replace("-日本", "-absent")}, {"patch": PATCH.replace("new/", "../O/")}),
        prepare=notes,
        flood={"patch": "*** Begin Patch\n*** Add File: large\n" + "+needle\n" * 60_000 + "*** End Patch\n"},
        changes=("moved.txt", "new/日本.txt", "notes.txt"),
        text="日本",
    ),
    "undo": Subject(arguments={}, prepare=notes, text="nothing to undo"),
    "glob": Subject(
        arguments={"pattern": "*.txt"},
        prepare=notes,
        odd=({"pattern": "../*"}, {"pattern": "[", "path": "nope"}),
        flood={"pattern": "**"},
        fill=crowd,
        text="notes.txt",
    ),
    "grep": Subject(
        arguments={"pattern": "日"},
        prepare=notes,
        odd=({"pattern": "(", "path": "nope"}, {"pattern": "x", "glob": "/*"}),
        flood={"pattern": "needle"},
        fill=crowd,
        text="notes.txt:2: 日本",
    ),
    "bash": Subject(
        arguments={"command": "echo grüße > made; cat made"},
        odd=({"command": "exit 3"}, {"command": "((("}),
        flood={"command": "yes", "timeout": 1},
        changes=("made",),
        text="grüße",
    ),
    "exec": Subject(
        arguments={"argv": ["sh", "-c", "echo grüße > made; cat made"]},
        odd=({"argv": ["sh", "-c", "exit 3"]},),
        flood={"argv": ["yes"], "timeout": 1},
        changes=("made",),
        text="grüße",
    ),
}
ELSEWHERE = {"job_output", "job_kill"}
"""Tools that do something only after another one: their own stories try them."""
FEW_EXAMPLES = {"multiedit", "apply_patch", "undo", "exec"}
"""Tools for which a small model has others."""
EVERY = pytest.mark.parametrize("name", SUBJECTS)


@pytest.fixture
async def bench(tmp_path: Path) -> Workbench:
    """All our tools, by their mere installation, with everything inside the workspace allowed."""
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


def test_every_tool_has_its_subject(bench: Workbench) -> None:
    assert set(bench.tools) == SUBJECTS.keys() | ELSEWHERE


@EVERY
def test_the_definition_is_sound(bench: Workbench, name: str) -> None:
    definition = bench.definition(name)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", definition.name)
    assert 40 <= len(definition.description) <= 500
    assert definition.schema["additionalProperties"] is False
    assert all(parameter["description"] for parameter in definition.schema["properties"].values())
    check = validator(definition.schema)
    assert check.is_valid(dict(SUBJECTS[name].arguments))
    assert not check.is_valid({**SUBJECTS[name].arguments, "unknown": 1})
    assert definition is bench.definition(name)


@EVERY
def test_the_examples_are_calls_of_the_tool(bench: Workbench, name: str) -> None:
    definition = bench.definition(name)
    check = validator(definition.schema)
    broken = [example for example in definition.examples if not check.is_valid(dict(example.arguments))]
    assert (broken, len(definition.examples) > 2) == ([], name not in FEW_EXAMPLES)


@EVERY
async def test_a_plain_call_succeeds_and_changes_what_it_says(bench: Workbench, name: str) -> None:
    subject = SUBJECTS[name]
    subject.prepare(bench.directory)
    before = snapshot(bench.directory)
    call, ctx = bench.prepared(name, **subject.arguments)
    resources = bench.tools[name].resources(call, ctx)
    assert snapshot(bench.directory) == before
    result = await bench.tools[name].run(call, ctx)
    after = snapshot(bench.directory)
    changed = sorted(path for path in after.keys() | before.keys() if after.get(path) != before.get(path))
    assert (result.success, changed) == (True, sorted(subject.changes))
    assert subject.text in result.output
    effects = bench.definition(name).effects
    assert "write" in effects or not changed
    assert set(changed) <= set(resources.writes) or bool(resources.commands)
    assert bool(resources.commands) == ("execute" in effects)


@EVERY
async def test_a_result_is_text_that_survives_any_screen(bench: Workbench, name: str) -> None:
    SUBJECTS[name].prepare(bench.directory)
    strange = bench.directory / os.fsdecode(b"caf\xe9-\x1b[31m\n.txt")
    strange.write_bytes(b"\xff\xfe\xe9 \xe6\x97\n")
    result = await bench.call(name, **SUBJECTS[name].arguments)
    assert result.output.encode("utf-8").decode("utf-8") == result.output
    assert "\x1b[31m" not in result.output


@EVERY
async def test_odd_calls_end_in_a_result_and_change_nothing(bench: Workbench, name: str) -> None:
    SUBJECTS[name].prepare(bench.directory)
    before = snapshot(bench.directory)
    results = [await bench.call(name, **arguments) for arguments in SUBJECTS[name].odd]
    assert [type(result) for result in results] == [ToolResult] * len(results)
    assert [result.success for result in results] == [False] * len(results)
    assert all(result.output.startswith("Error: ") or result.metadata.get("exit_code") for result in results)
    assert snapshot(bench.directory) == before


@EVERY
async def test_output_is_capped_and_ends_in_time(bench: Workbench, name: str) -> None:
    SUBJECTS[name].fill(bench.directory)
    began = time.monotonic()
    result = await bench.call(name, **SUBJECTS[name].flood)
    assert len(result.output) < LARGEST
    assert sum(map(len, bench.context.shown)) < 128 * 1024
    assert len(repr(result.metadata)) < 256 * 1024
    assert time.monotonic() - began < 10


@EVERY
async def test_a_cancelled_call_is_over(bench: Workbench, name: str) -> None:
    SUBJECTS[name].fill(bench.directory)
    arguments = dict(SUBJECTS[name].flood)
    arguments.pop("timeout", None)
    call, ctx = bench.prepared(name, **arguments)
    bench.tools[name].resources(call, ctx)
    running = asyncio.create_task(bench.tools[name].run(call, ctx))
    await asyncio.sleep(0.005)
    running.cancel()
    began = time.monotonic()
    done, _ = await asyncio.wait({running}, timeout=2)
    assert done == {running}, f"still at work {time.monotonic() - began:.1f} s after its cancellation"
    assert running.cancelled() or running.exception() is None  # a quick one was through before the word reached it
    before = snapshot(bench.directory)
    await asyncio.sleep(0.1)
    assert snapshot(bench.directory) == before


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, subject in SUBJECTS.items()
        if not {name, *subject.arguments} & {"command", "argv", "patch", "undo"}
    ],
)
async def test_nothing_outside_the_workspace_is_reached_by_a_path(bench: Workbench, name: str) -> None:
    outside = bench.directory.parent / "O"
    outside.mkdir()
    (outside / "notes.txt").write_text("secret\n")
    (bench.directory / "link").symlink_to(outside)
    for path in ("../O/notes.txt", "link/notes.txt", str(outside / "notes.txt"), "link", ".."):
        arguments = {**SUBJECTS[name].arguments, "path": path}
        if name == "edit":
            arguments["old"] = "secret"
        result = await bench.call(name, **arguments)
        assert (result.success, "secret" in result.output) == (False, False)
    assert snapshot(outside) == {"notes.txt": ((outside / "notes.txt").stat().st_mode, b"secret\n")}


@EVERY
async def test_in_mode_plan_only_what_reads_runs(bench: Workbench, name: str) -> None:
    SUBJECTS[name].prepare(bench.directory)
    before = snapshot(bench.directory)
    planning = attrs.evolve(bench, mode="plan")
    result = await planning.call(name, **SUBJECTS[name].arguments)
    assert result.success == bench.definition(name).read_only
    assert snapshot(bench.directory) == before
