"""Stories about control groups: what a command and all that it starts take together."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from codetether_executor_sandbox.choice import Choice
from codetether_executor_sandbox.executor import SandboxExecutor
from codetether_executor_sandbox.groups import Groups, usable_groups

from .conftest import Ground

EATERS = """
import os
for n in range(4):
    if not os.fork():
        made = bytearray(60_000_000)
        import time; time.sleep(1)
        os._exit(0)
print(sorted(os.waitstatus_to_exitcode(os.wait()[1]) for n in range(4)))
"""


async def _limited(ground: Ground, **settings: int) -> SandboxExecutor:
    choice: Choice = ground.with_settings(**settings).choice
    choice.groups = await usable_groups()
    if choice.groups is None:
        pytest.skip("no control group can be made by this user")
    return SandboxExecutor(backend=choice.backend(ground.backend, ground.workspace, {"PATH": "/usr/bin:/bin"}))


async def test_R01_processes_together_take_no_more_memory_than_one_may(ground: Ground) -> None:
    executor = await _limited(ground, memory=150_000_000)
    done = await executor.run(["/usr/bin/python3", "-I", "-c", EATERS], timeout=20.0, merged=True)
    assert b"-9" in done.stdout, done


async def test_R_processes_are_counted_for_root_too(ground: Ground) -> None:
    executor = await _limited(ground, processes=25)
    done = await executor.run(["bash", "-c", "for i in $(seq 60); do sleep 3 & done; wait"], timeout=2.0, merged=True)
    assert b"retry" in done.stdout or b"Resource temporarily unavailable" in done.stdout, done


async def test_a_group_ends_with_its_command(ground: Ground) -> None:
    executor = await _limited(ground)
    groups = await usable_groups()
    assert groups is not None
    await asyncio.gather(*(executor.run(["sh", "-c", "sleep 0.1"]) for _ in range(3)))
    left = [each.name for each in groups.memory.glob(f"codetether-{os.getpid()}-*")]
    assert left == []


async def test_where_no_group_can_be_made_there_is_none(tmp_path: Path) -> None:
    ours = tmp_path / "cgroup"
    ours.write_text("0::/a/b\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "cgroup.subtree_control").write_text("cpu memory\n")
    assert await usable_groups(tmp_path, ours) is None
    assert await usable_groups(tmp_path, tmp_path / "missing") is None


def test_groups_of_version_2_have_its_file_names(tmp_path: Path) -> None:
    groups = Groups(memory=tmp_path, processes=tmp_path)
    assert {p.name for p in groups._limits("x", 1, 2)} == {"memory.max", "pids.max"}
