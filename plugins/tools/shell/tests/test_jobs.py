"""Stories about commands in the background: their output, their end, and the end of the session."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from codetether import Runtime
from codetether.testing.scripted import Call, ScriptedProvider
from codetether.testing.workbench import Workbench, workbench
from codetether_tools_shell import plugin
from codetether_tools_shell.jobs import KEPT, MOST


@pytest.fixture
async def bench(tmp_path: Path) -> Workbench:
    """The shell tools, allowed."""
    (tmp_path / "W").mkdir()
    return await workbench(tmp_path / "W", plugin, permissions={"allow": ["bash"]})


async def start(bench: Workbench, command: str) -> str:
    return str((await bench.call("bash", command=command, background=True)).metadata["job"])


async def test_a_job_is_looked_at_while_it_runs_and_after_its_end(bench: Workbench) -> None:
    started = await bench.call(
        "bash",
        command="printf 'one\\n\\xe2\\x82'; read x; until [ -e go ]; do sleep 0.02; done; printf '\\xactwo'; exit 3",
        background=True,
    )
    assert started.output == "job1 started; job_output shows its output, job_kill ends it"
    seen = ""
    async with asyncio.timeout(5):
        while "one" not in seen:
            seen = (await bench.call("job_output", job="job1")).output
    assert seen.startswith("one\n[job1: running for ")
    (bench.directory / "go").touch()
    ended = await bench.call("job_output", job="job1", wait=5)
    assert (ended.output, ended.metadata["exit_code"]) == ("€two\n[job1: exit code 3]", 3)
    assert (await bench.call("job_output", job="job1")).output == "(no new output)\n[job1: exit code 3]"
    assert (await bench.call("job_output")).output.startswith("job1  exit code 3  printf 'one")


async def test_a_job_is_ended_with_all_that_it_started(bench: Workbench) -> None:
    job = await start(bench, "echo begun; setsid sleep 60 & echo $! > child; sleep 60")
    async with asyncio.timeout(5):
        while not (bench.directory / "child").exists() or not (bench.directory / "child").read_text().strip():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    result = await bench.call("job_kill", job=job)
    assert result.output == f"begun\n[{job}: ended by job_kill]"
    assert gone(int((bench.directory / "child").read_text()))
    assert (await bench.call("job_kill", job=job)).output == f"(no new output)\n[{job}: ended by job_kill]"


async def test_of_much_output_the_newest_is_kept(bench: Workbench) -> None:
    job = await start(bench, "yes | head -c 3000000; echo LAST")
    result = await bench.call("job_output", job=job, wait=20)
    head, _, rest = result.output.partition("\n")
    assert head == f"[… {3000000 + 5 - KEPT} bytes left out …]"
    assert rest.endswith(f"y\nLAST\n[{job}: exit code 0]")


async def test_only_so_many_jobs_run_at_once(bench: Workbench) -> None:
    jobs = [await start(bench, "sleep 60") for _ in range(MOST)]
    with pytest.raises(Exception, match=f"{MOST} jobs run already"):
        await start(bench, "sleep 60")
    await asyncio.gather(*(bench.tools["job_kill"].run(*bench.prepared("job_kill", job=job)) for job in jobs))


async def test_a_job_needs_the_same_permission_as_its_command(bench: Workbench) -> None:
    bench.permissions = {}
    assert (await bench.call("bash", command="touch x", background=True)).output.startswith("Error: bash was denied")


async def test_jobs_end_with_the_session(tmp_path: Path) -> None:
    model = ScriptedProvider(Call("bash", {"command": "echo $$ > pid; sleep 60", "background": True}), "Started.")
    settings = {"plugins": {"only": ["shell"]}}
    async with Runtime.open(settings, plugins=[model], directory=tmp_path) as runtime:
        async with runtime.session(None, model="scripted", allow=["bash"]) as session:
            assert (await session.prompt("go")).status == "done"
            async with asyncio.timeout(5):
                while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(0.01)
            pid = int((tmp_path / "pid").read_text())
            assert not gone(pid)
        assert gone(pid)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
