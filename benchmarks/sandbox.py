"""What confinement costs: a command in the sandbox beside the same command without one."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from codetether import Executor, ExecutorError, LocalExecutor

from benchmarks.figures import Figure
from benchmarks.yardsticks import Yardsticks

COMMANDS = 15
"""In each round, of each kind."""


def sandbox(_: Yardsticks, rounds: int) -> Iterator[Figure]:
    """A command that does nothing, by the clock."""
    try:
        confined, free = asyncio.run(_measured(rounds))
    except ExecutorError as error:
        print(f"sandbox: skipped: {error}", file=sys.stderr)
        return
    yield Figure(name="sandboxed command", unit="ms", ours=confined, floor=free, bar=30, judged="difference")


async def _measured(rounds: int) -> tuple[list[float], list[float]]:
    from codetether_executor_sandbox.choice import Choice
    from codetether_executor_sandbox.settings import SandboxSettings

    with tempfile.TemporaryDirectory() as place:
        workspace = Path(os.path.realpath(place))
        confined = await Choice(workspace=workspace, settings=SandboxSettings(backend="bwrap")).executor()
        free = LocalExecutor()
        pairs = [(await _median(confined, workspace), await _median(free, workspace)) for _ in range(rounds)]
    return [ours for ours, _ in pairs], [floor for _, floor in pairs]


async def _median(executor: Executor, workspace: Path) -> float:
    spent = []
    for _ in range(COMMANDS):
        began = time.perf_counter()
        await executor.run(["true"], directory=workspace)
        spent.append((time.perf_counter() - began) * 1000)
    return median(spent)
