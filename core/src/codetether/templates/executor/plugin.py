"""The executor `change-me`: it runs nothing, and says what it would have run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from codetether import Completed, ExecutorError, ExecutorSpec, Process, hookimpl

NAME = "change-me"


class DryRun:
    """Every command succeeds. One that runs commands ends the whole tree of processes when it is cancelled."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 120.0,
        on_output: Callable[[bytes], None] | None = None,
        limit: int = 16 * 1024 * 1024,
        merged: bool = False,
    ) -> Completed:
        """The command line as its output."""
        output = f"would run: {shlex.join(argv)}\n".encode()
        if on_output is not None:
            on_output(output)
        return Completed(exit_code=0, stdout=output, stderr=b"")

    async def start(
        self, argv: Sequence[str], *, directory: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Process:
        """Nothing to talk to."""
        raise ExecutorError(f"{argv[0]} is not started: this is a dry run", remedy="set [session] executor")


@hookimpl
def codetether_executors() -> Iterable[ExecutorSpec]:
    """Chosen by `[session] executor = NAME`."""
    yield ExecutorSpec(name=NAME, create=lambda ctx: DryRun())
