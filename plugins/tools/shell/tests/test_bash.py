"""Stories about bash: what the model sees of a command, and how a command ends."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from pathlib import Path

import pytest
from codetether import Resources
from codetether.testing.workbench import Workbench, workbench
from codetether_tools_shell import plugin


@pytest.fixture
async def bench(tmp_path: Path) -> Workbench:
    """The tool bash, allowed."""
    (tmp_path / "W").mkdir()
    return await workbench(tmp_path / "W", plugin, permissions={"allow": ["bash"]})


@pytest.mark.parametrize(
    ("command", "output", "success", "exit_code"),
    [
        ("echo hello", "hello\n[exit code 0]", True, 0),
        ("echo out; echo err >&2; exit 3", "out\nerr\n[exit code 3]", False, 3),
        ("true", "(no output)\n[exit code 0]", True, 0),
        ("kill -9 $$", "(no output)\n[ended by signal SIGKILL]", False, -9),
        ("printf 'caf\\xe9'", "caf\ufffd\n[exit code 0]", True, 0),
        ("diff <(echo a) <(echo a) && [[ a == a* ]]", "(no output)\n[exit code 0]", True, 0),
        ("no-such-program", None, False, 127),
        ("sleep 9 &", "(no output)\n[exit code 0; what it had left running in the background was ended]", True, 0),
    ],
)
async def test_a_command_shows_its_output_and_how_it_ended(
    bench: Workbench, command: str, output: str | None, success: bool, exit_code: int
) -> None:
    result = await bench.call("bash", command=command)
    assert (result.success, result.metadata) == (success, {"exit_code": exit_code, "timed_out": False})
    assert output is None or result.output == output
    assert "not found" in result.output or output is not None


async def test_it_runs_in_the_workspace_and_keeps_no_state_between_calls(bench: Workbench) -> None:
    outputs = [(await bench.call("bash", command=c)).output for c in ("cd /; X=1; pwd", "pwd; echo $X")]
    assert outputs == [
        "/\n[exit code 0; the next command starts in the workspace again, since / lies outside of it]",
        f"{bench.directory}\n[exit code 0]",
    ]


async def test_time_running_out_is_said(bench: Workbench) -> None:
    began = time.monotonic()
    result = await bench.call("bash", command="echo begun; sleep 30", timeout=0.3)
    assert (result.success, result.output) == (
        False,
        "begun\n[timed out after 0.3 s: the command and all that it started were ended]",
    )
    assert result.metadata["timed_out"] is True
    assert time.monotonic() - began < 1.3


async def test_output_is_shown_as_it_comes_in_whole_characters(bench: Workbench) -> None:
    command = "printf 'a\\xc3'; sleep 0.1; printf '\\xa4b'"
    result = await bench.call("bash", command=command)
    assert (bench.context.shown, result.output) == (["a", "äb"], "aäb\n[exit code 0]")


async def test_a_command_is_what_the_policy_judges(bench: Workbench) -> None:
    call, ctx = bench.prepared("bash", command="git status")
    resources = bench.tools["bash"].resources(call, ctx)
    assert resources == Resources(commands=("git status",), preview="git status")
    bench.permissions = {}
    denied = await bench.call("bash", command="touch x")
    assert (denied.output, os.listdir(bench.directory)) == (  # noqa: PTH208
        "Error: bash was denied (mode edit: execute asks)",
        [],
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the unit of ru_maxrss")
async def test_R04_a_flood_is_capped_for_the_model_and_the_screen(bench: Workbench) -> None:
    await bench.call("bash", command="yes | head -c 3000000")
    bench.context.shown.clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = await bench.call("bash", command="echo FIRST; yes | head -c 300000000; echo LAST")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert result.success
    assert result.output.startswith("FIRST\ny\n")
    assert result.output.endswith("y\nLAST\n[exit code 0]")
    assert "bytes left out" in result.output
    assert len(result.output) < 2.1 * 1024 * 1024
    assert sum(map(len, bench.context.shown)) < 70_000
    assert grown < 16


@pytest.mark.parametrize("command", ["cat", "read x; echo got:$x", "python3", "head -c 1"])
async def test_R05_nobody_is_waited_for(bench: Workbench, command: str) -> None:
    result = await bench.call("bash", command=command, timeout=20)
    assert result.metadata["timed_out"] is False


async def test_R05_a_terminal_cannot_be_asked(bench: Workbench) -> None:
    result = await bench.call("bash", command="read x </dev/tty", timeout=20)
    assert (result.success, result.metadata["timed_out"]) == (False, False)


async def test_cancelling_ends_the_command(bench: Workbench) -> None:
    call, ctx = bench.prepared("bash", command="echo $$ > pid; sleep 60; touch late")
    running = asyncio.create_task(bench.tools["bash"].run(call, ctx))
    async with asyncio.timeout(5):
        while not (bench.directory / "pid").exists():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(int((bench.directory / "pid").read_text()), 0)


@pytest.mark.parametrize("arguments", [{"command": "pwd", "cwd": "/"}, {"command": "pwd", "directory": ".."}])
async def test_F17_the_model_chooses_no_working_directory(bench: Workbench, arguments: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="Additional properties are not allowed"):
        await bench.call("bash", **arguments)


@pytest.mark.parametrize(
    "arguments", [{}, {"command": ""}, {"command": "x", "timeout": 0}, {"command": "x", "timeout": 601}]
)
async def test_S19_arguments_that_make_no_sense_are_refused_by_the_schema(
    bench: Workbench, arguments: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="bash: "):
        await bench.call("bash", **arguments)


async def test_F06_a_nul_in_a_command_is_an_error(bench: Workbench) -> None:
    with pytest.raises(Exception, match="null byte"):
        await bench.call("bash", command="echo a\0b")
