"""The executor `dry-run`: it runs nothing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from codetether import Completed, ExecutorError, ExecutorSpec, Process, hookimpl


class DryRun:
    """Every command succeeds, and its output is what it would have been called with."""

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
        """The command line."""
        output = f"would run: {shlex.join(argv)}\n".encode()
        if on_output is not None:
            on_output(output)
        return Completed(exit_code=0, stdout=output, stderr=b"")

    async def start(
        self,
        argv: Sequence[str],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        merged: bool = True,
    ) -> Process:
        """Nothing to talk to."""
        raise ExecutorError(f"{argv[0]} is not started: this is a dry run", remedy="set [session] executor")


@hookimpl
def codetether_executors() -> Iterable[ExecutorSpec]:
    """Chosen by `[session] executor = "dry-run"`."""
    yield ExecutorSpec(name="dry-run", create=lambda ctx: DryRun())
