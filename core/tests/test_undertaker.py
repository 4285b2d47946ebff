"""No command outlives the process that started it, however that ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from codetether.builtin.executor import LocalExecutor
from codetether.builtin.undertaker import Undertaker, undertaker

PROGRAM = """
import asyncio, os, sys
from codetether.builtin.executor import LocalExecutor

async def main():
    command = ["sh", "-c", "sleep 60 & echo $$ $!; sleep 60; echo late"]
    told = lambda data: os.write(1, data)
    if sys.argv[1] == "run":
        await LocalExecutor().run(command, on_output=told)
    else:
        process = await LocalExecutor().start(command)
        async for data in process.output():
            told(data)

asyncio.run(main())
"""


def gone(pid: int, seconds: float = 5.0) -> bool:
    """Whether the process ends within the time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if b") Z " in Path(f"/proc/{pid}/stat").read_bytes():
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("how", ["run", "start", "run, and its whole group is killed"])
def test_kill_9_leaves_no_child(how: str) -> None:
    command = [sys.executable, "-c", PROGRAM, how.partition(",")[0]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    leader, grandchild = map(int, process.stdout.readline().split())
    if "group" in how:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    process.stdout.close()
    assert (gone(leader), gone(grandchild)) == (True, True)


async def test_commands_that_ended_are_forgotten() -> None:
    before = set(undertaker()._groups)
    done = await LocalExecutor().run(["sh", "-c", "echo $PPID"])
    assert done.stdout.decode().strip() == str(os.getpid())
    await asyncio.sleep(0)
    assert undertaker()._groups == before


def test_a_shell_that_was_ended_is_replaced_and_told_all() -> None:
    made = Undertaker()
    first = subprocess.Popen(["sleep", "60"], start_new_session=True)
    second = subprocess.Popen(["sleep", "60"], start_new_session=True)
    made.watch(first.pid)
    os.kill(made._pid, signal.SIGKILL)
    os.waitpid(made._pid, 0)
    made.watch(second.pid)
    made.forget(second.pid)
    os.close(made._pipe)
    assert first.wait(5) == -signal.SIGKILL
    assert second.poll() is None
    second.kill()
    second.wait()
